//! A hundred thousand lines with secrets of many kinds in every second one go through the real binary. None of them may be in
//! what it writes: not in records, templates or events, not in what it keeps over a restart, not in its own log.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pdata::Logs;
use pdata::json::logs_from_json;
use pdata::view::AnyValueView;
use tokio::time::{Instant, sleep};

use crate::support::Collector;

const N_LINES: usize = 100_000;
/// So many bytes from the middle of a secret are looked for.
const WINDOW: usize = 11;
/// A debug build on a busy machine takes a while.
const PATIENCE: Duration = Duration::from_secs(240);

const CONFIG: &str = "
extensions: {file_storage: {directory: state, create_directory: true}}
receivers: {filelog: {include: [INPUT], start_at: beginning}}
processors: {drain: {extract_parameters: true, emit_wildcards: true, join: {enabled: false}}, log_classify: , detect: }
exporters: {file: {path: out.jsonl}}
service:
  extensions: [file_storage]
  state: {storage: file_storage}
  pipelines: {all: {receivers: [filelog], processors: [drain, log_classify, detect], exporters: [file]}}
";

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of(&mut self, set: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(set[self.below(set.len())])).collect()
    }

    fn digits(&mut self, len: usize) -> String {
        self.of(b"0123456789", len)
    }

    fn hex(&mut self, len: usize) -> String {
        self.of(b"0123456789abcdef", len)
    }

    /// Letters of both cases and at least one digit.
    fn token(&mut self, len: usize) -> String {
        let text = self.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", len - 3);
        format!("a{text}Z7")
    }

    fn uuid(&mut self) -> String {
        let mut part = |len| self.hex(len);
        format!("{}-{}-4{}-a{}-{}", part(8), part(4), part(3), part(3), part(12))
    }
}

/// Tokens that are known by a prefix: how many random characters follow.
const PREFIXES: [(&str, usize); 40] = [
    ("AIza", 35),
    ("ya29.", 40),
    ("GOCSPX-", 28),
    ("ghp_", 36),
    ("ghs_", 36),
    ("github_pat_", 60),
    ("glpat-", 20),
    ("sk_live_", 24),
    ("rk_live_", 24),
    ("whsec_", 32),
    ("npm_", 36),
    ("hvs.", 24),
    ("sk-proj-", 48),
    ("sk-ant-api03-", 60),
    ("hf_", 34),
    ("lin_api_", 40),
    ("xoxb-12345678901-", 24),
    ("xapp-1-", 40),
    ("NRAK-", 27),
    ("gsk_", 52),
    ("pplx-", 48),
    ("nfp_", 40),
    ("r8_", 37),
    ("ntn_", 46),
    ("figd_", 40),
    ("glsa_", 41),
    ("dckr_pat_", 27),
    ("dp.pt.", 43),
    ("dt0c01.", 60),
    ("PMAK-", 59),
    ("pscale_tkn_", 43),
    ("tskey-auth-", 30),
    ("EAAA", 60),
    ("sq0csp-", 43),
    ("oy2", 43),
    ("LTAI", 20),
    ("tfp_", 59),
    ("ATATT3", 60),
    ("HRKU-", 36),
    ("CLOJARS_", 60),
];

/// The same with hexadecimal digits.
const HEXADECIMAL: [(&str, usize); 8] = [
    ("dapi", 32),
    ("dop_v1_", 64),
    ("shpat_", 32),
    ("pul-", 40),
    ("sbp_", 40),
    ("rubygems_", 48),
    ("squ_", 40),
    ("bkua_", 40),
];

/// What announces a secret that has no looks of its own. `§` is the secret.
const ANNOUNCED: [&str; 16] = [
    "login password=§ ok",
    "connect to Server=db;Port=1;Pwd=§;Timeout=3",
    r#"request {"user":"ada","client_secret":"§","n":1}"#,
    "header Authorization: Bearer §",
    "header X-Api-Key: § sent",
    "dialing postgres://shop:§@db:5432/shop",
    "redis://:§@cache:6379 is slow",
    "GET https://example.com/a?page=2&access_token=§&sort=asc",
    "exec mysql --password § -h db",
    "Cookie: sid=§; theme=dark",
    "env DB_PASSWORD=§ loaded",
    "spring.datasource.password=§ from file",
    r#"config {\"apiKey\":\"§\",\"id\":7}"#,
    "AccountName=shop;AccountKey=§;EndpointSuffix=core",
    "refresh_token: § refreshed",
    "POST https://hooks.slack.com/services/T0/B0/§ ok",
];

/// Where a secret that is known by its looks stands. `§` is the secret.
const CARRIERS: [&str; 8] = [
    "using § now",
    "value=§, next=1",
    r#"{"value":"§","n":1}"#,
    "got '§'.",
    "a:§",
    "§",
    "call(id, §) failed",
    "https://example.com/cb?state=§&x=1",
];

/// A secret's kind, the secret, and the text that holds it.
struct Planted {
    kind: String,
    secret: String,
    text: String,
}

fn plant(i: usize, random: &mut Random) -> Planted {
    let n_looks = PREFIXES.len() + HEXADECIMAL.len();
    let kind = i % (n_looks + ANNOUNCED.len() + 8);
    let known = |kind: &str, secret: String, random: &mut Random| {
        let text = CARRIERS[random.below(CARRIERS.len())].replace('§', &secret);
        Planted { kind: kind.to_owned(), secret, text }
    };
    if let Some((prefix, len)) = PREFIXES.get(kind) {
        let secret = format!("{prefix}{}", random.token(*len));
        return known(prefix, secret, random);
    }
    if let Some((prefix, len)) = HEXADECIMAL.get(kind.wrapping_sub(PREFIXES.len())) {
        let secret = format!("{prefix}9{}", random.hex(*len - 1));
        return known(prefix, secret, random);
    }
    if let Some(carrier) = ANNOUNCED.get(kind.wrapping_sub(n_looks)) {
        let len = 12 + random.below(20);
        let secret = random.token(len);
        return Planted { kind: (*carrier).to_owned(), text: carrier.replace('§', &secret), secret };
    }
    let upper = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (kind, secret) = match kind - n_looks - ANNOUNCED.len() {
        0 => ("AWS key", format!("AKIA7{}", random.of(upper, 15))),
        1 => ("JWT", format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", random.token(60), random.token(43))),
        2 => ("SendGrid", format!("SG.{}.{}", random.token(22), random.token(43))),
        3 => ("Terraform Cloud", format!("{}.atlasv1.{}", random.token(14), random.token(60))),
        4 => ("Telegram", format!("{}:AA{}", 100_000_000 + random.below(900_000_000), random.token(33))),
        5 => ("Mailchimp", format!("{}-us12", random.hex(32))),
        6 => ("payment card", card(random)),
        _ => ("IBAN", iban(random)),
    };
    let planted = known(kind, secret, random);
    if kind == "payment card" || kind == "IBAN" {
        return Planted { text: format!("charged {} twice", planted.secret), ..planted };
    }
    planted
}

/// A payment card's number, with its check digit.
fn card(random: &mut Random) -> String {
    let mut number = format!("4{}", random.digits(14));
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let digit = u32::from(digit - b'0') * if i % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    write!(number, "{}", (10 - sum % 10) % 10).expect("a string takes it");
    number
}

/// A German bank account's number, with its check digits.
fn iban(random: &mut Random) -> String {
    let account = format!("5{}", random.digits(17));
    // D is 13, E is 14; the check digits count as 00.
    let whole = format!("{account}131400");
    let rest = whole.bytes().fold(0, |rest: u32, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

/// A line in which nothing is secret, much as it may look like it.
fn harmless(i: usize, random: &mut Random) -> String {
    let n = random.below(1000);
    match i % 20 {
        0 => format!("commit {} merged by ada", random.hex(40)),
        1 => format!("pulled image sha256:{} in {n}ms", random.hex(64)),
        2 => format!("request id={} finished status=200 bytes={n}", random.uuid()),
        3 => format!("Receiving block blk_-{} src: /10.0.0.{}:5010", random.digits(18), n % 250),
        4 => format!("etag \"{}\" matches, {n} bytes saved", random.hex(40)),
        5 => format!("trace_id={} span_id={} took {n}us", random.hex(32), random.hex(16)),
        6 => format!("pod checkout-7d9f8b{}-x2x4z scheduled on node-{n}", random.hex(4)),
        7 => format!("max_tokens={n} prompt_tokens: 12 total tokens {n}"),
        8 => format!("Failed password for root from 10.0.0.{} port {n} ssh2", n % 250),
        9 => format!("authentication failure; logname= uid=0 tty=ssh user={n}"),
        10 => format!("at com.example.security.token.TokenManager.renew(TokenManager.java:{n})"),
        11 => format!("order {n} of customer {} shipped to 221b Baker Street", random.digits(8)),
        12 => format!("password: <SECRET> token=*** api_key=null attempt {n}"),
        13 => format!("GET /assets/app.{}.js?v={n} 304", random.hex(20)),
        14 => format!("offset {} committed for partition {n}", random.digits(12)),
        15 => format!("time 17{} is ahead of 17{} by {n}", random.digits(11), random.digits(17)),
        16 => format!("s3://bucket-{n}/key-2024/part-{}.parquet written", random.hex(12)),
        17 => format!("device 00:1b:44:{}:3a:b7 joined, rssi -{n}", random.hex(2)),
        18 => format!("call +49 30 {} ended after {n} s", random.digits(7)),
        _ => format!("worker-{n} sleeping for {n} ms before the next poll"),
    }
}

/// Where any of the windows is in the text.
fn find<'t>(text: &'t [u8], windows: &HashMap<[u8; WINDOW], String>) -> Option<(&'t [u8; WINDOW], usize)> {
    // Most places are ruled out by two bytes.
    let mut starts = vec![false; 1 << 16];
    windows.keys().for_each(|window| starts[usize::from(u16::from_le_bytes([window[0], window[5]]))] = true);
    let windowed = text.windows(WINDOW).enumerate();
    let candidates = windowed.filter(|(_, w)| starts[usize::from(u16::from_le_bytes([w[0], w[5]]))]);
    candidates
        .filter_map(|(at, window)| Some((window.first_chunk()?, at)))
        .find(|(window, _)| windows.contains_key(*window))
}

/// What was written, as soon as it is everything.
async fn all_written(collector: &Collector, path: &Path) -> Vec<Logs> {
    let deadline = Instant::now() + PATIENCE;
    let (mut read, mut n_records, mut all) = (0, 0, Vec::new());
    while n_records < N_LINES {
        assert!(Instant::now() < deadline, "{n_records} lines only:\n{}", collector.log());
        sleep(Duration::from_millis(200)).await;
        let text = std::fs::read(path).unwrap_or_default();
        while let Some(len) = text[read..].iter().position(|byte| *byte == b'\n') {
            if let Ok(logs) = logs_from_json(&text[read..read + len]) {
                n_records += logs.items();
                all.push(logs);
            }
            read += len + 1;
        }
    }
    all
}

/// Everything in a folder and in those below it.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_thousand_lines_no_secret_reaches_anything_that_is_written() {
    let mut random = Random(7);
    let (mut windows, mut kinds, mut benign) = (HashMap::new(), HashSet::new(), HashSet::new());
    let mut input = String::new();
    for i in 0..N_LINES {
        let line = if i % 2 == 0 {
            let planted = plant(i / 2, &mut random);
            let secret = planted.secret.as_bytes();
            // The end, which is random for all kinds.
            let end = secret.len() - (secret.len() - WINDOW).min(3);
            let window = secret[end - WINDOW..end].first_chunk().expect("a secret is long enough");
            windows.insert(*window, planted.kind.clone());
            kinds.insert(planted.kind);
            format!("worker-{} {}", i % 7, planted.text)
        } else {
            let line = harmless(i / 2, &mut random);
            benign.insert(line.clone());
            line
        };
        writeln!(input, "{line}").expect("a string takes it");
    }
    assert!(kinds.len() >= 40, "{} kinds", kinds.len());
    assert!(find(input.as_bytes(), &windows).is_some(), "what is planted would be found");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("app.log");
    std::fs::write(&path, &input).expect("the log can be written");
    let config = CONFIG.replace("INPUT", path.to_str().expect("a UTF-8 path"));
    let mut collector = Collector::start(&config).await;
    let output = all_written(&collector, &collector.folder().join("out.jsonl")).await;
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());

    let written = all_files(collector.folder());
    let kept = written.iter().filter(|path| path.extension().is_some_and(|extension| extension == "entry"));
    assert!(kept.count() >= 3, "what was learned is kept: {written:?}");
    for path in &written {
        let bytes = std::fs::read(path).expect("what was written can be read");
        if let Some((window, at)) = find(&bytes, &windows) {
            let around = String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 100).min(bytes.len())]);
            panic!("a secret ({}) is in {}: …{around}…", windows[window], path.display());
        }
    }

    let mut unchanged = 0;
    for logs in &output {
        let bodies = logs.view().items().filter_map(|(_, _, record)| match record.body() {
            AnyValueView::Str(body) => Some(benign.contains(body)),
            _ => None,
        });
        unchanged += bodies.filter(|is_benign| *is_benign).count();
    }
    let false_redactions = N_LINES / 2 - unchanged;
    println!("{} kinds, {false_redactions} of {} harmless lines were changed", kinds.len(), N_LINES / 2);
    assert!(false_redactions < N_LINES / 200, "{false_redactions} of {} harmless lines", N_LINES / 2);
}
