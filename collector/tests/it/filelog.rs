//! The real binary tails a writer that rotates heavily, and is killed: every line is delivered, those of a file in order.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pdata::json::logs_from_json;
use pdata::view::AnyValueView;

use crate::workspace::root;

/// Longer than anything here takes, shorter than anybody would wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many lines are written between two looks at the output.
const LINES_A_STEP: usize = 300;
const N_STEPS: usize = 30;
/// The writer begins a new file after so many lines.
const LINES_A_FILE: usize = 170;

/// A collector that is killed when this goes out of scope.
struct Collector(Child);

impl Collector {
    fn start(config: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["--config".as_ref(), config.as_os_str()])
            .current_dir(root())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the binary starts"))
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }

    /// As `kill` does; it ends by itself and says that all is well.
    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().expect("its state is known") {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Writes numbered lines into `app.log`, which is renamed, or copied and truncated, again and again.
struct Writer {
    directory: PathBuf,
    file: File,
    n_lines: usize,
    n_files: usize,
}

impl Writer {
    fn new(directory: &Path) -> Self {
        Self { file: Self::open(directory), directory: directory.to_owned(), n_lines: 0, n_files: 0 }
    }

    fn open(directory: &Path) -> File {
        let file = OpenOptions::new().create(true).append(true).open(directory.join("app.log"));
        file.expect("the log can be opened")
    }

    fn write(&mut self, n: usize) {
        for _ in 0..n {
            let padding = "x".repeat(self.n_lines * 31 % 300);
            writeln!(self.file, "{:08} {padding}", self.n_lines).expect("the log can be written");
            self.n_lines += 1;
            if self.n_lines.is_multiple_of(LINES_A_FILE) {
                self.n_files += 1;
                let rotated = self.directory.join(format!("app.log.{:04}", self.n_files));
                fs::rename(self.directory.join("app.log"), rotated).expect("the log can be renamed");
                self.file = Self::open(&self.directory);
            }
        }
    }
}

/// The numbers of the lines that were delivered, in order of arrival.
fn delivered(directory: &Path) -> Vec<usize> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("the output is there")
        .map(|entry| entry.expect("the output can be listed").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("out")))
        .collect();
    files.sort();
    let mut numbers = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).expect("the output is text");
        // The last line may be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let logs = logs_from_json(line.as_bytes()).expect("the output is OTLP/JSON");
            for record in logs.view().resources().flat_map(|r| r.scopes()).flat_map(|s| s.records()) {
                let AnyValueView::Str(body) = record.body() else { panic!("{line} has no text") };
                numbers.push(body[..8].parse().expect("lines begin with their number"));
            }
        }
    }
    numbers
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn configuration(directory: &Path) -> PathBuf {
    let path = directory.join("config.yaml");
    let here = directory.display();
    let text = format!(
        "
extensions:
  file_storage:
    directory: {here}/state
    fsync: false
receivers:
  filelog:
    include: ['{here}/app.log*']
    start_at: beginning
    poll_interval: 20ms
    storage: file_storage
exporters:
  file:
    path: {here}/out.jsonl
    rotation:
      max_megabytes: 1
service:
  extensions: [file_storage]
  telemetry:
    metrics:
      level: none
  pipelines:
    logs:
      receivers: [filelog]
      exporters: [file]
"
    );
    fs::write(&path, text).expect("the configuration can be written");
    path
}

#[test]
fn no_line_is_lost_over_rotations_and_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = configuration(directory.path());
    let mut writer = Writer::new(directory.path());
    let mut collector = Collector::start(&config);
    let mut n_kills = 0;
    for step in 0..N_STEPS {
        writer.write(LINES_A_STEP);
        if step % 8 == 4 {
            // In the middle of its work: when it has delivered something of what was written last.
            let last = writer.n_lines - LINES_A_STEP;
            wait_until("it goes on", || delivered(directory.path()).iter().any(|number| *number >= last));
            writer.write(LINES_A_STEP);
            collector.kill();
            n_kills += 1;
            writer.write(LINES_A_STEP);
            collector = Collector::start(&config);
        }
    }
    let all = writer.n_lines;
    let distinct = || delivered(directory.path()).into_iter().collect::<HashSet<_>>().len();
    wait_until("every line is delivered", || distinct() == all);
    collector.stop();
    let numbers = delivered(directory.path());
    assert_eq!(numbers.iter().copied().collect::<HashSet<_>>(), (0..all).collect());
    // A new start goes back over what was not acknowledged; what arrives for the first time is in order.
    let mut seen = HashSet::new();
    let mut latest = vec![None; writer.n_files + 1];
    for number in numbers.into_iter().filter(|number| seen.insert(*number)) {
        let before = latest[number / LINES_A_FILE].replace(number);
        assert!(before < Some(number), "{number} after {before:?} of the same file");
    }
    assert!(n_kills > 2, "{n_kills} kills prove little");
}
