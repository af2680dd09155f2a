//! Tests of the classifier, and its quality on labelled messages.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const TUNING: &str = include_str!("../../../testdata/log_classes.tuning.tsv");
const HELD_OUT: &str = include_str!("../../../testdata/log_classes.heldout.tsv");

struct Labelled {
    severity: Severity,
    classes: ClassSet,
    message: &'static str,
}

fn labelled(file: &'static str) -> Vec<Labelled> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [_, severity, classes, message] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("four columns: {line}")
            };
            let severity = match severity {
                "E" | "F" => Severity::Error,
                "W" => Severity::Warning,
                "I" => Severity::Info,
                "D" => Severity::Debug,
                _ => Severity::Unknown,
            };
            let classes = classes.split(',').filter(|name| *name != "-").map(|name| name.parse().unwrap());
            Labelled { severity, classes: classes.collect(), message }
        })
        .collect()
}

fn scores(severity: Severity, body: &str) -> Scores {
    let line = Line { template: None, body, severity, parameters: Parameters::default() };
    Classifier::new(10).read(&line).scores
}

fn classes(body: &str) -> Vec<Class> {
    scores(Severity::Unknown, body).classes(0.5).iter().collect()
}

#[derive(Clone, Copy, Default)]
struct Tally {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Tally {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }

    fn f1(self) -> f64 {
        2.0 * f64::from(self.right) / f64::from((2 * self.right + self.wrong + self.missed).max(1))
    }
}

/// Tallies of every class, and their sum.
fn tallies(messages: &[Labelled], min_confidence: f32) -> (Vec<Tally>, Tally) {
    let mut tallies = vec![Tally::default(); N_CLASSES];
    let mut sum = Tally::default();
    for message in messages {
        let found = scores(message.severity, message.message).classes(min_confidence);
        for class in Class::ALL {
            for tally in [&mut tallies[*class as usize], &mut sum] {
                match (found.contains(*class), message.classes.contains(*class)) {
                    (true, true) => tally.right += 1,
                    (true, false) => tally.wrong += 1,
                    (false, true) => tally.missed += 1,
                    (false, false) => {}
                }
            }
        }
    }
    (tallies, sum)
}

/// How often the class is right, by the probability that was given.
fn reliability(messages: &[Labelled]) -> Vec<(f32, u32, u32)> {
    let bounds = [0.0_f32, 0.1, 0.3, 0.5, 0.7, 0.9, 1.01];
    let mut bins = vec![(0.0, 0, 0); bounds.len() - 1];
    for message in messages {
        let scores = scores(message.severity, message.message);
        for class in Class::ALL {
            let probability = scores.of(*class);
            let at = bounds.iter().rposition(|bound| *bound <= probability).unwrap().min(bins.len() - 1);
            bins[at].0 += probability;
            bins[at].1 += u32::from(message.classes.contains(*class));
            bins[at].2 += 1;
        }
    }
    bins
}

/// `cargo test -p analysis classes_of_products_that_the_lexicon -- --nocapture` prints the table of docs/benchmarks.md.
#[test]
#[expect(clippy::print_stdout, reason = "the table is for people")]
fn classes_of_products_that_the_lexicon_was_not_tuned_on_are_found() {
    let (tuning, held_out) = (labelled(TUNING), labelled(HELD_OUT));
    let ((tuned, tuned_sum), (kept, kept_sum)) = (tallies(&tuning, 0.5), tallies(&held_out, 0.5));
    let mut table = String::from("| class | messages | precision | recall | tuning set |\n|---|---|---|---|---|\n");
    let mut row = |name: &str, kept: Tally, tuned: Tally| {
        let (precision, recall) = (kept.precision(), kept.recall());
        let n = kept.right + kept.missed;
        writeln!(
            table,
            "| {name} | {n} | {precision:.2} | {recall:.2} | {:.2}, {:.2} |",
            tuned.precision(),
            tuned.recall()
        )
        .unwrap();
    };
    for class in Class::ALL {
        row(class.name(), kept[*class as usize], tuned[*class as usize]);
    }
    row("all", kept_sum, tuned_sum);
    println!("{} and {} messages\n{table}F1 {:.3}", held_out.len(), tuning.len(), kept_sum.f1());
    for confidence in [0.3, 0.5, 0.7, 0.9] {
        let (_, sum) = tallies(&held_out, confidence);
        println!("from {confidence}: precision {:.3}, recall {:.3}", sum.precision(), sum.recall());
    }
    println!("probability given, share that is right, how many:");
    for (sum, right, n) in reliability(&held_out) {
        println!("{:.3} {:.3} {n}", sum / n.max(1) as f32, right as f32 / n.max(1) as f32);
    }
    if let Ok(which) = std::env::var("WATCHFIRE_SHOW_MISTAKES") {
        let set = if which == "heldout" { &held_out } else { &tuning };
        for message in set {
            let found = scores(message.severity, message.message).classes(0.5);
            if found != message.classes {
                let names = |set: ClassSet| set.iter().map(Class::name).collect::<Vec<_>>().join(",");
                println!("want [{}] got [{}] {}", names(message.classes), names(found), message.message);
            }
        }
    }
    assert!(kept_sum.precision() >= 0.85 && kept_sum.recall() >= 0.7, "worse than it was");
    assert!(tuned_sum.f1() >= 0.9, "worse than it was");
}
