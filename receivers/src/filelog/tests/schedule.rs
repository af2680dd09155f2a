//! Arbitrary writers, rotations, kills and restarts: every line once, in order.

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many lines are written; the last one without so many of its bytes, which follow with the next write.
    Write(usize, usize),
    /// The file is renamed, and begun anew by the next write.
    Rename,
    /// The file is copied and truncated.
    CopyTruncate,
    /// The youngest rotated file that is not compressed yet is.
    Gzip,
    /// The receiver looks.
    Round,
    /// The receiver is killed when so many tenths of what arrived has been acknowledged, and started again.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..30usize, 0..20usize).prop_map(|(lines, held)| Step::Write(lines, held)),
        2 => Just(Step::Rename),
        1 => Just(Step::CopyTruncate),
        1 => Just(Step::Gzip),
        6 => Just(Step::Round),
        1 => (0..=10usize).prop_map(Step::Restart),
    ]
}

struct World {
    bench: Bench,
    /// What the writer has not written yet of its last line.
    held: String,
    n_lines: usize,
    n_rotated: usize,
    plain: Vec<String>,
}

impl World {
    fn new(include: &str, n_open: usize) -> Self {
        let bench = Bench::new(|config| {
            config.include = vec![include.to_owned()];
            config.max_concurrent_files = n_open;
            config.force_flush_period = config::Duration::from_secs(3600);
        });
        let mut world = Self { bench, held: String::new(), n_lines: 0, n_rotated: 0, plain: Vec::new() };
        // A file that was gone before the first look is nobody's, unless its new name matches.
        world.write(1, 0);
        world.bench.round();
        world
    }

    /// Lines begin with what is theirs alone, and no less than that is written of one: a file that was truncated and written
    /// again, longer, between two looks is told from one that was appended to by its first bytes.
    fn write(&mut self, n: usize, held: usize) {
        let mut text = std::mem::take(&mut self.held);
        for _ in 0..n {
            let padding = "x".repeat(self.n_lines * 7 % 60);
            text.push_str(&format!("{:06} line {padding}|\n", self.n_lines));
            self.n_lines += 1;
        }
        let end = text.len() - held.min(if n > 0 { 8 } else { text.len() });
        self.held = text.split_off(end);
        self.bench.write("app.log", &text);
    }

    /// A writer ends its line before it rotates.
    fn rotated_name(&mut self) -> Option<String> {
        self.write(0, 0);
        // A file that comes and goes between two looks is found beside an earlier one of its name that is still followed.
        if !self.bench.poller.by_path.contains_key(&self.bench.path("app.log")) {
            self.bench.round();
        }
        if fs::metadata(self.bench.path("app.log")).map_or(0, |metadata| metadata.len()) == 0 {
            return None;
        }
        self.n_rotated += 1;
        let name = format!("app.log.{:03}", self.n_rotated);
        self.plain.push(name.clone());
        Some(name)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Write(n, held) => self.write(n, held),
            Step::Rename => {
                if let Some(name) = self.rotated_name() {
                    self.bench.rename("app.log", &name);
                }
            }
            Step::CopyTruncate => {
                // What nobody has read of a file that nobody has seen cannot be told from a file of its own.
                self.bench.round();
                if let Some(name) = self.rotated_name() {
                    fs::copy(self.bench.path("app.log"), self.bench.path(&name)).unwrap();
                    File::create(self.bench.path("app.log")).unwrap();
                }
            }
            Step::Gzip => {
                // Who compresses files at once reads them at once: rotated files are compressed a rotation later.
                self.bench.round();
                if let Some(name) = self.plain.pop() {
                    self.bench.gzip(&name);
                }
            }
            Step::Round => drop(self.bench.round()),
            Step::Restart(tenths) => {
                let n_kept = self.bench.arrived.0.len() * tenths / 10;
                self.bench.restart(n_kept);
            }
        }
    }
}

/// Few enough for every day. `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_arrives_once_and_in_order(steps in prop::collection::vec(step(), 1..40), all in any::<bool>(), n_open in prop_oneof![Just(1usize), Just(100)]) {
        let mut world = World::new(if all { "app.log*" } else { "app.log" }, n_open);
        steps.iter().for_each(|step| world.take(*step));
        world.write(0, 0);
        world.bench.settle();
        let numbers: Vec<usize> = world.bench.lines().iter().map(|line| line[..6].parse().unwrap()).collect();
        prop_assert_eq!(numbers, (0..world.n_lines).collect::<Vec<_>>());
    }
}
