//! The real binary tails a writer that rotates heavily, and is killed: every line is delivered, those of a file in order.
//! Where a file is truncated and nobody made a copy, what was not read yet is gone; all else is delivered.

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

/// How the writer begins a new file.
#[derive(Clone, Copy)]
enum Rotation {
    Rename,
    CopyTruncate,
    /// What was there is gone.
    Truncate,
}

/// Writes numbered lines into `app.log`, which is rotated again and again.
struct Writer {
    rotation: Rotation,
    directory: PathBuf,
    file: File,
    n_lines: usize,
    n_files: usize,
}

impl Writer {
    fn new(rotation: Rotation, directory: &Path) -> Self {
        let file = Self::open(directory);
        Self { rotation, file, directory: directory.to_owned(), n_lines: 0, n_files: 0 }
    }

    fn open(directory: &Path) -> File {
        let file = OpenOptions::new().create(true).append(true).open(directory.join("app.log"));
        file.expect("the log can be opened")
    }

    fn write(&mut self, n: usize) {
        for _ in 0..n {
            if self.n_lines > 0 && self.n_lines.is_multiple_of(LINES_A_FILE) {
                self.n_files += 1;
                self.rotate();
            }
            let padding = "x".repeat(self.n_lines * 31 % 300);
            writeln!(self.file, "{:08} {padding} {}", self.n_lines, self.n_lines)
                .expect("the log can be written");
            self.n_lines += 1;
        }
    }

    fn rotate(&mut self) {
        let (live, rotated) =
            (self.directory.join("app.log"), self.directory.join(format!("app.log.{:04}", self.n_files)));
        match self.rotation {
            Rotation::Rename => {
                fs::rename(live, rotated).expect("the log can be renamed");
                self.file = Self::open(&self.directory);
            }
            Rotation::CopyTruncate => {
                fs::copy(live, rotated).expect("the log can be copied");
                self.file.set_len(0).expect("the log can be truncated");
            }
            Rotation::Truncate => self.file.set_len(0).expect("the log can be truncated"),
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
    no_line_is_lost(Rotation::Rename);
}

#[test]
fn no_line_is_lost_over_copies_truncations_and_kills() {
    no_line_is_lost(Rotation::CopyTruncate);
}

fn no_line_is_lost(rotation: Rotation) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = configuration(directory.path());
    let mut writer = Writer::new(rotation, directory.path());
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
    let arrived = first_arrivals(&writer);
    assert_eq!(arrived.iter().flatten().copied().collect::<HashSet<_>>(), (0..all).collect());
    assert!(n_kills > 2, "{n_kills} kills prove little");
}

#[test]
fn only_the_end_of_what_is_truncated_without_a_copy_is_lost_and_what_follows_arrives() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = configuration(directory.path());
    let mut writer = Writer::new(Rotation::Truncate, directory.path());
    let mut collector = Collector::start(&config);
    for step in 0..N_STEPS {
        writer.write(LINES_A_STEP);
        if step % 8 == 4 {
            collector.kill();
            writer.write(LINES_A_STEP);
            collector = Collector::start(&config);
        }
        // It is in the file now, so it must come.
        let last = writer.n_lines - 1;
        wait_until("the last line is delivered", || delivered(directory.path()).contains(&last));
    }
    collector.stop();
    let arrived = first_arrivals(&writer);
    for (n_file, numbers) in arrived.iter().enumerate() {
        let first = n_file * LINES_A_FILE;
        assert!(numbers.iter().copied().eq(first..first + numbers.len()), "a hole in {numbers:?}");
    }
    assert!(arrived.iter().filter(|numbers| !numbers.is_empty()).count() >= N_STEPS);
}

/// The numbers that were delivered, by the file that they were written to, without those that came again: a new start goes
/// back over what was not acknowledged. What arrives for the first time must be in order.
fn first_arrivals(writer: &Writer) -> Vec<Vec<usize>> {
    let mut seen = HashSet::new();
    let mut by_file = vec![Vec::new(); writer.n_files + 1];
    for number in delivered(&writer.directory).into_iter().filter(|number| seen.insert(*number)) {
        let before: &mut Vec<usize> = &mut by_file[number / LINES_A_FILE];
        assert!(before.last() < Some(&number), "{number} after {before:?} of the same file");
        before.push(number);
    }
    by_file
}
