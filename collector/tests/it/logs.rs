//! `watchfire logs`: every line is counted once, whatever it looks like and however it comes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// Runs `watchfire logs` on a quiet terminal's terms: no colours, no width.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    command.arg("logs").args(arguments).env_remove("COLUMNS").env_remove("NO_COLOR").env_remove("RUST_LOG");
    command
}

fn logs(arguments: &[&str], stdin: Stdio) -> Output {
    command(arguments).stdin(stdin).output().expect("the binary runs")
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What it found, as JSON.
fn found(arguments: &[&str]) -> Value {
    let text = succeeded(logs(&[arguments, &["--output", "json"]].concat(), Stdio::null()));
    serde_json::from_str(&text).expect("JSON")
}

/// How many lines of each template there are.
fn counts(found: &Value) -> HashMap<String, u64> {
    let templates = found["templates"].as_array().expect("a list");
    let count = |template: &Value| {
        let text = template["template"].as_str().expect("a text");
        (text.to_owned(), template["count"].as_u64().expect("a number"))
    };
    templates.iter().map(count).collect()
}

/// Fails unless every line is accounted for.
fn adds_up(found: &Value, lines: u64) {
    let number = |key: &str| found["summary"][key].as_u64().expect("a number");
    assert_eq!(number("lines"), lines, "{}", found["summary"]);
    assert_eq!(counts(found).values().sum::<u64>(), number("records"));
    assert_eq!(number("records") + number("joined_lines") + number("blank_lines"), lines);
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("a file");
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Lines as a shop writes them, each a second after the one before: of every hundred one is an error.
fn shop(lines: u64) -> String {
    let mut text = String::new();
    for n in 0..lines {
        let (minute, second) = (n / 60 % 60, n % 60);
        let time = format!("2026-01-05T{:02}:{minute:02}:{second:02}.250Z", 9 + n / 3600);
        let line = match n {
            n if n % 100 == 99 => format!("ERROR cannot reach 10.0.0.{}:5432: connection refused", n % 250),
            n if n % 2 == 0 => format!("INFO order {n} was accepted after {} ms", n % 97),
            _ => format!("INFO cart of user {n} has {} items", n % 7),
        };
        writeln!(text, "{time} {line}").expect("memory takes it");
    }
    text
}

#[test]
fn the_counts_of_all_templates_are_the_lines_of_all_files() {
    let files = Files::new();
    let klog: String = (0..500)
        .map(|n| {
            format!(
                "I0105 09:{:02}:{:02}.123456    1842 kubelet.go:{n}] \"Pod started\" pod=\"shop/cart-{n}\"\n",
                n / 60,
                n % 60
            )
        })
        .collect();
    let json: String = (0..300)
        .map(|n| format!("{{\"level\":\"warn\",\"ts\":\"2026-01-05T09:00:{:02}Z\",\"msg\":\"took too long\",\"n\":{n}}}\n", n % 60))
        .collect();
    let garbage = b"\n\xff\xfe\x00\x01 \n\n   \nlast line without an end";
    let paths = [
        files.write("shop.log", shop(5000)),
        files.write("kubelet.log", klog),
        files.write("etcd.json", json),
        files.write("odd", garbage),
        files.write("empty.log", ""),
    ];
    let found = found(&paths.each_ref().map(String::as_str));
    adds_up(&found, 5000 + 500 + 300 + 5);
    let templates = found["templates"].as_array().expect("a list");
    assert!((6..30).contains(&templates.len()), "{:?}", counts(&found));
    let share: f64 = templates.iter().map(|template| template["share"].as_f64().expect("a number")).sum();
    assert!((share - 1.0).abs() < 1e-9, "{share}");
    assert!(counts(&found).values().any(|count| *count == 50), "{:?}", counts(&found));
    assert_eq!(found["summary"]["mended_lines"], 1);
}

#[test]
fn it_does_not_matter_how_the_lines_come() {
    let files = Files::new();
    let text = shop(3000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).expect("memory takes it");
    let plain = files.write("shop.log", &text);
    let gzip = files.write("shop.log.gz", gzip.finish().expect("memory takes it"));
    let zstd = files.write("shop.log.zst", zstd::encode_all(text.as_bytes(), 1).expect("it packs"));
    let expected = counts(&found(&[&plain]));
    assert_eq!(expected.values().sum::<u64>(), 3000);
    for path in [&gzip, &zstd] {
        assert_eq!(counts(&found(&[path])), expected);
    }
    for arguments in [&["-o", "json"][..], &["-o", "json", "-"]] {
        let piped = logs(arguments, File::open(&plain).expect("a file").into());
        let piped: Value = serde_json::from_str(&succeeded(piped)).expect("JSON");
        assert_eq!(counts(&piped), expected);
    }
    let both = found(&[&plain, &gzip]);
    adds_up(&both, 6000);
    assert_eq!(both["summary"]["inputs"], 2);
}

#[test]
fn the_lines_of_a_template_are_those_that_were_counted_for_it() {
    let files = Files::new();
    let path = files.write("shop.log", shop(3000));
    let found = found(&[&path]);
    let templates = found["templates"].as_array().expect("a list");
    let mut seen = 0;
    for template in templates {
        let id = template["id"].as_str().expect("an id");
        let short = id.trim_start_matches("t1:").get(..8).expect("digits");
        for id in [id, short] {
            let lines = succeeded(logs(&["--template", id, &path], Stdio::null()));
            assert_eq!(lines.lines().count() as u64, template["count"].as_u64().expect("a number"), "{id}");
            let piped = logs(&["--template", id], File::open(&path).expect("a file").into());
            assert!(succeeded(piped).lines().all(|line| lines.contains(line)));
        }
        let lines = succeeded(logs(&["--template", id, &path], Stdio::null()));
        assert!(lines.lines().all(|line| line.starts_with("2026-01-05T")), "{lines}");
        seen += lines.lines().count();
    }
    assert_eq!(seen, 3000);
    let unknown = logs(&["--template", "ffffffffffff", &path], Stdio::null());
    assert_eq!(unknown.status.code(), Some(1));
    let ambiguous = logs(&["--template", "", &path], Stdio::null());
    assert_eq!(ambiguous.status.code(), Some(2), "{}", String::from_utf8_lossy(&ambiguous.stderr));
}

#[test]
fn tables_show_the_most_frequent_templates_and_say_what_they_leave_out() {
    let files = Files::new();
    let path = files.write("shop.log", shop(1000));
    let text = succeeded(logs(&[&path, "--top", "1"], Stdio::null()));
    let rows: Vec<_> = text.lines().collect();
    assert!(rows[0].contains("COUNT") && rows[0].ends_with("TEMPLATE"), "{text}");
    assert!(rows[1].trim_start().starts_with("500 ") && rows[1].contains("was accepted after"), "{text}");
    assert!(rows[2].starts_with("… ") && rows[2].contains("with 500 lines more"), "{text}");
    assert!(text.contains("\n1,000 lines, "), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let coloured = succeeded(logs(&[&path, "--color", "always"], Stdio::null()));
    assert!(coloured.contains("\x1b[36m<"), "{coloured}");
    let narrow = command(&[&path, "-v"]).env("COLUMNS", "60").output().expect("it runs");
    let narrow = succeeded(narrow);
    let table = narrow.lines().take_while(|line| !line.is_empty());
    assert!(table.clone().count() > 3 && table.clone().all(|line| line.chars().count() <= 60), "{narrow}");
    let markdown = succeeded(logs(&[&path, "-o", "markdown"], Stdio::null()));
    assert!(markdown.starts_with("| count |"), "{markdown}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let files = Files::new();
    let path = files.write("shop.log", shop(20_000));
    let found = found(&[&path]);
    let id = found["templates"][0]["id"].as_str().expect("an id").to_owned();
    for arguments in [vec![path.as_str(), "--all"], vec![&path, "--template", &id]] {
        let mut child = command(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::with_capacity(16, child.stdout.take().expect("it is piped"));
        if arguments.len() > 2 {
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
        }
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn an_interrupt_ends_the_reading_and_shows_what_was_read() {
    let mut child = command(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(shop(10).as_bytes()).expect("the process reads");
    let catches_interrupts = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
        let caught =
            status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a line about signals");
        u64::from_str_radix(caught.trim(), 16).expect("hexadecimal digits") & 1 << 1 != 0
    };
    while !catches_interrupts() {
        std::thread::yield_now();
    }
    let kill = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status();
    assert!(kill.expect("a shell").success());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("\n10 lines, "), "{output:?}");
    drop(input);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_shown() {
    let files = Files::new();
    let good = files.write("shop.log", shop(100));
    let output = logs(&["/nowhere.log", &good], Stdio::null());
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("100 lines"), "{stdout}");
    assert!(stderr.contains("cannot open /nowhere.log: No such file"), "{stderr}");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(shop(1000).as_bytes()).expect("memory takes it");
    let gzip = gzip.finish().expect("memory takes it");
    let broken = files.write("broken.log.gz", &gzip[..gzip.len() - 9]);
    let output = logs(&[&broken], Stdio::null());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read on at"), "{output:?}");
}

#[test]
fn what_is_asked_for_wrongly_is_a_usage_error() {
    for arguments in [
        &["--sort", "size", "x"][..],
        &["--top", "many", "x"],
        &["--template", "ab", "--top", "3", "x"],
        &["--set", "processors.drain.merge_threshold=7", "-"],
        &["--severity", "bad", "x"],
        &["--class", "weather", "x"],
    ] {
        assert_eq!(logs(arguments, Stdio::null()).status.code(), Some(2), "{arguments:?}");
    }
}

/// The folder of this repository's example.
fn examples() -> PathBuf {
    crate::workspace::root().join("docs/examples/logs")
}

/// The example's files as they were on the day they are about: a year that lines do not tell is that of their file.
fn example(folder: &Path) -> Vec<String> {
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_521_600);
    let names = ["etcd.log", "kube-apiserver.log", "kubelet.log"];
    for name in names {
        let to = folder.join(name);
        std::fs::copy(examples().join(name), &to).expect("a copy");
        let file = File::options().append(true).open(&to).expect("a file");
        file.set_modified(written).expect("a time");
    }
    names.map(str::to_owned).to_vec()
}

/// How long it took is another thing every time.
fn without_speed(text: &str) -> String {
    let without = |line: &str| match line.split_once("B in ").and_then(|(_, rest)| rest.split_once(" s")) {
        Some((seconds, _)) if seconds.parse::<f64>().is_ok() => line.replace(seconds, ""),
        _ => line.to_owned(),
    };
    text.lines().map(|line| without(line).trim_end().to_owned() + "\n").collect()
}

/// What a command of the page prints: `logs *.log --all`, say.
fn printed(command_line: &str, folder: &Path, names: &[String]) -> String {
    let mut arguments = Vec::new();
    for argument in command_line.split(' ').skip(1) {
        match argument {
            "*.log" => arguments.extend(names.iter().map(String::as_str)),
            other => arguments.push(other),
        }
    }
    let output = command(&arguments).env("COLUMNS", "130").current_dir(folder).output();
    succeeded(output.expect("the binary runs")).trim_end().to_owned()
}

#[test]
fn the_worked_example_in_the_documentation_is_what_is_printed() {
    const BEGIN: &str = "```console\n$ watchfire ";
    let folder = tempfile::tempdir().expect("a directory");
    let names = example(folder.path());
    let page = crate::workspace::root().join("docs/logs.md");
    let text = std::fs::read_to_string(&page).expect("the page");
    let mut parts = text.split(BEGIN);
    let mut current = parts.next().expect("a beginning").to_owned();
    let mut stale = Vec::new();
    for part in parts {
        let (block, after) = part.split_once("\n```").expect("an end");
        let (command_line, shown) = block.split_once('\n').unwrap_or((block, ""));
        let mut printed = printed(command_line, folder.path(), &names);
        if without_speed(shown) == without_speed(&printed) {
            shown.clone_into(&mut printed);
        } else {
            stale.push(printed.clone());
        }
        current += &format!("{BEGIN}{command_line}\n{printed}\n```{after}");
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&page, current).expect("the page");
    } else {
        let command = "UPDATE_GENERATED=1 cargo test -p collector --test it worked_example";
        assert!(stale.is_empty(), "docs/logs.md is stale: run `{command}`\n{}", stale.join("\n"));
    }
}
