//! What is counted, and what is shown of it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use pdata::Timestamp;
use pdata::event::{Anomaly, Expected, Phase, Severity as Badness, Source};

use super::lines::{Lines, Wanted};
use super::report::{Report, Summary};
use super::severity::Severity;
use super::tally::{Line, OTHER, Tally, WITHOUT};
use super::*;
use crate::cli::{Cli, Command};

const BEGAN: Timestamp = Timestamp::from_secs(1_767_603_600);

fn second(second: u64) -> Timestamp {
    BEGAN + Duration::from_secs(second)
}

fn line<'a>(id: &'a str, template: &'a str, severity: Severity, at: u64) -> Line<'a> {
    Line { id, template, body: template, severity, time: second(at), ..Line::default() }
}

/// Three templates: 60 lines of information, 30 of which 3 are errors, 10 errors without a class.
fn tally() -> Tally {
    let mut tally = Tally::default();
    for n in 0..60 {
        tally.record(&line("t1:aaaaaaaaaaaa", "order <NUM> accepted", Severity::Info, n), [].into_iter());
    }
    for n in 0..30 {
        let severity = if n % 10 == 0 { Severity::Error } else { Severity::Warn };
        let timeout = ["timeout", "connectivity"].into_iter();
        tally.record(&line("t1:bbbbbbbbbbbb", "no answer from <IP> | retry", severity, 100 + n), timeout);
    }
    for n in 0..10 {
        tally.record(
            &line("t1:cccccccccccc", "日本語のログ\x1b[31m", Severity::Error, 50 + n),
            [].into_iter(),
        );
    }
    tally
}

fn args(arguments: &[&str]) -> LogsArgs {
    match Cli::try_parse_from([&["watchfire", "logs"], arguments].concat()).unwrap().command {
        Some(Command::Logs(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn print(tally: &Tally, arguments: &[&str]) -> String {
    Report::new(tally, &Summary::default(), &args(arguments)).text()
}

/// The first letters of the templates, in the order in which they are shown.
fn order(arguments: &[&str]) -> String {
    let text = print(&tally(), &[arguments, &["-o", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = json["templates"].as_array().unwrap().iter().map(|template| template["id"].as_str().unwrap());
    ids.map(|id| id[3..4].to_owned()).collect()
}

#[test]
fn templates_are_sorted_as_asked_for() {
    assert_eq!(order(&[]), "abc");
    assert_eq!(order(&["--sort", "first"]), "acb");
    assert_eq!(order(&["--sort", "last"]), "bac");
    assert_eq!(order(&["--sort", "severity"]), "bca");
    assert_eq!(order(&["--sort", "template"]), "bac");
    assert_eq!(order(&["--top", "2"]), "ab");
}

#[test]
fn filters_choose_templates_and_say_what_they_leave_out() {
    assert_eq!(order(&["--severity", "error"]), "bc");
    assert_eq!(order(&["--class", "timeout"]), "b");
    assert_eq!(order(&["--class", "timeout", "--class", "security"]), "b");
    let text = print(&tally(), &["--severity", "warn", "--top", "1"]);
    assert!(text.contains("… 1 template with 10 lines more"), "{text}");
    assert!(text.contains("… 1 template with 60 lines not asked for"), "{text}");
}

#[test]
fn a_template_that_becomes_part_of_another_takes_its_lines_along() {
    let mut tally = tally();
    assert_eq!(tally.merge("t1:aaaaaaaaaaaa", "t1:bbbbbbbbbbbb", ""), 60);
    assert_eq!(tally.merge("t1:bbbbbbbbbbbb", "t1:dddddddddddd", "all of it <*>"), 90);
    assert_eq!(tally.merge("t1:eeeeeeeeeeee", "t1:cccccccccccc", ""), 0);
    let found: Vec<_> = tally.templates().map(|(id, found)| (id, found.lines)).collect();
    assert_eq!(found, [("t1:cccccccccccc", 10), ("t1:dddddddddddd", 90)]);
    let (_, whole) = tally.templates().last().unwrap();
    assert_eq!((whole.first, whole.last), (second(0), second(129)));
    assert_eq!(whole.classes, [("timeout".to_owned(), 30), ("connectivity".to_owned(), 30)]);
    assert_eq!((whole.spread.worst(), whole.template.as_str()), (Severity::Error, "all of it <*>"));
    let mut former = tally.former("t1:dddddddddddd");
    former.sort_unstable();
    assert_eq!(former, ["t1:aaaaaaaaaaaa", "t1:bbbbbbbbbbbb", "t1:dddddddddddd"]);
    assert_eq!(tally.former("t1:cccccccccccc").len(), 2);
}

#[test]
fn lines_without_a_template_and_those_of_too_many_are_counted_too() {
    let mut tally = Tally::default();
    tally.record(&Line { body: "only a body", ..Line::default() }, [].into_iter());
    let long = "x".repeat(1 << 20);
    for n in 0..200 {
        let id = format!("t1:{n:032x}");
        tally.record(&line(&id, &long, Severity::Info, 1), [].into_iter());
    }
    let sum: u64 = tally.templates().map(|(_, found)| found.lines).sum();
    assert_eq!((sum, tally.lines()), (201, 201));
    let last: Vec<_> = tally.templates().skip(tally.len()).map(|(id, found)| (id, found.lines)).collect();
    assert_eq!(last, [(OTHER, 200 - tally.len() as u64), (WITHOUT, 1)]);
    assert!((100..200).contains(&tally.len()), "{}", tally.len());
}

#[test]
fn markdown_is_a_table_whatever_is_in_the_lines() {
    insta::assert_snapshot!(print(&tally(), &["-o", "markdown"]), @r"
    | count | share | severity | class | first | last | id | template |
    |---:|---:|---|---|---|---|---|---|
    | 60 | 60.0% | info |  | 09:00:00 | 09:00:59 | aaaaaaaa | `order <NUM> accepted` |
    | 30 | 30.0% | warn, error 10.0% | connectivity, timeout | 09:01:40 | 09:02:09 | bbbbbbbb | `no answer from <IP> \| retry` |
    | 10 | 10.0% | error |  | 09:00:50 | 09:00:59 | cccccccc | `日本語のログ␛[31m` |

    0 lines, 3 templates, 0 B in 0.00 s
    ");
}

#[test]
fn the_terminal_gets_a_table() {
    let mut tally = tally();
    for (phase, at, score) in [(Phase::Begin, 100, 0.7), (Phase::Continue, 110, 0.9), (Phase::End, 130, 0.2)]
    {
        tally.anomaly(&anomaly(phase, second(at), score));
    }
    tally.anomaly(&anomaly(Phase::Begin, second(200), 0.6));
    insta::assert_snapshot!(print(&tally, &["-v"]), @r"
    COUNT  SHARE  SEVERITY           CLASS            FIRST     LAST      ID        TEMPLATE
       60  60.0%  info               -                09:00:00  09:00:59  aaaaaaaa  order <NUM> accepted
        line  order <NUM> accepted
        id    t1:aaaaaaaaaaaa
       30  30.0%  warn, error 10.0%  connectivity +1  09:01:40  09:02:09  bbbbbbbb  no answer from <IP> | retry
        line  no answer from <IP> | retry
        id    t1:bbbbbbbbbbbb
        class connectivity, timeout
       10  10.0%  error              -                09:00:50  09:00:59  cccccccc  日本語のログ␛[31m
        line  日本語のログ␛[31m
        id    t1:cccccccccccc

    ANOMALIES
    09:01:40 – 09:02:10  error     shop: error records are 0.9 a second
    09:03:20 – the end  error     shop: error records are 0.6 a second

    0 lines, 3 templates, 0 B in 0.00 s
    ");
}

fn anomaly(phase: Phase, time: Timestamp, score: f64) -> Anomaly {
    Anomaly {
        time,
        service: "shop".to_owned(),
        signal: Source::Log,
        name: "log.errors".to_owned(),
        attributes: serde_json::Map::new(),
        phase: Some(phase),
        onset: None,
        score,
        severity: Badness::Error,
        observed: 3.0,
        expected: Expected { low: 0.0, mid: 0.0, high: 1.0 },
        detectors: std::collections::BTreeMap::new(),
        why: Vec::new(),
        message: format!("error records are {score} a second"),
        log: None,
    }
}

/// A writer that can be looked into, and that fails after so many bytes.
#[derive(Clone)]
struct Out(Arc<Mutex<Vec<u8>>>, usize);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap();
        if written.len() + bytes.len() > self.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(wanted: Wanted, terminal: bool, room: usize) -> (Lines, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    (Lines::new(Box::new(Out(Arc::clone(&written), room)), terminal, wanted), written)
}

#[test]
fn only_lines_of_the_template_are_printed_and_those_that_came_too_early_are_counted() {
    let (mut lines, written) = lines(Wanted::beginning_with("abc"), true, 1000);
    lines.line("t1:abcdef", "one\x1b[2J");
    lines.line("t1:bcdef0", "two");
    lines.line("t1:abcdef", "three\nmore");
    lines.merged("t1:bcdef0", "t1:abcdef", 1);
    lines.merged("t1:abc000", "t1:abcdef", 5);
    assert!(lines.flush());
    assert_eq!(String::from_utf8_lossy(&written.lock().unwrap()), "one␛[2J\nthree\nmore\n");
    assert_eq!((lines.printed(), lines.missed()), (2, 1));
}

#[test]
fn a_template_is_named_by_the_beginning_of_its_id_if_it_is_the_only_one() {
    let mut tally = tally();
    tally.record(&line("t1:abcccccccccc", "another", Severity::Info, 1), [].into_iter());
    assert!(matches!(Wanted::of(&tally, "a"), Err(Failure::Usage(_))));
    assert!(matches!(Wanted::of(&tally, "aa"), Ok(Wanted::Ids(ids)) if ids.len() == 1));
    assert!(matches!(Wanted::of(&tally, "t1:b"), Ok(Wanted::Ids(_))));
    assert!(matches!(Wanted::of(&tally, "f"), Err(Failure::Other(_))));
}

#[test]
fn nothing_is_printed_any_more_once_nobody_reads() {
    let (mut lines, written) = lines(Wanted::beginning_with(""), false, 6);
    for _ in 0..3 {
        lines.line("t1:ab", "1234\u{7}");
    }
    assert!(!lines.flush());
    assert_eq!(written.lock().unwrap().len(), 6);
    assert_eq!(lines.failure().map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
}
