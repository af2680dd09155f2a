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
fn classes_of_products_that_the_lexicon_was_not_tuned_on_are_found() {
    let (tuning, held_out) = (labelled(TUNING), labelled(HELD_OUT));
    let ((tuned, tuned_sum), (kept, kept_sum)) = (tallies(&tuning, 0.5), tallies(&held_out, 0.5));
    let mut table =
        String::from("| class | messages | precision | recall | tuning set |\n|---|---|---|---|---|\n");
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

#[test]
fn every_class_has_messages_in_both_sets() {
    for file in [TUNING, HELD_OUT] {
        let messages = labelled(file);
        for class in Class::ALL {
            assert!(
                messages.iter().filter(|message| message.classes.contains(*class)).count() >= 3,
                "{class}"
            );
        }
    }
}

#[test]
fn what_went_well_is_no_problem() {
    assert_eq!(classes("connection refused"), [Class::Connectivity]);
    assert_eq!(classes("recovered: code 503 is gone"), []);
    assert_eq!(classes("exited with code 0"), []);
}

#[test]
fn severity_and_codes_decide_where_words_do_not() {
    let timeout = |severity| scores(severity, "timeout in stage two").of(Class::Timeout);
    assert!(timeout(Severity::Error) > 0.5 && timeout(Severity::Info) < 0.5);
    let mut classifier = Classifier::new(100);
    let id = TemplateId::of("done with status <*>");
    let mut read = |body: &str, parameters: Parameters| {
        let template = Some((id, "done with status <*>"));
        classifier.read(&Line { template, body, severity: Severity::Unknown, parameters }).scores.classes(0.5)
    };
    assert!(read("done with status 200", Parameters::default()).is_empty());
    assert!(read("done with status 429", Parameters::default()).contains(Class::RateLimitQuota));
    let parameters = Parameters { grpc_status: Some(14), ..Parameters::default() };
    assert!(read("done with status 200", parameters).contains(Class::DependencyUnavailable));
    assert!(read("done with status 200", Parameters::default()).is_empty());
}

fn feedback(text: &str, add: &[Class], remove: &[Class]) -> Feedback {
    let set = |classes: &[Class]| classes.iter().copied().collect();
    Feedback { about: Subject::Text(text.to_owned()), add: set(add), remove: set(remove) }
}

fn found(classifier: &mut Classifier, body: &str) -> ClassSet {
    let line = Line { template: None, body, severity: Severity::Unknown, parameters: Parameters::default() };
    classifier.read(&line).scores.classes(0.5)
}

const OTHERS: [&str; 6] = [
    "order shipped to customer",
    "invoice printed in tray",
    "connection refused by broker",
    "tray opened by operator",
    "belt moved by one step",
    "label printed for parcel",
];

/// A classifier that has seen some templates and was told that jams are hardware, and that the broker's refusals are none of our business.
fn taught() -> Classifier {
    let mut classifier = Classifier::new(100);
    for other in OTHERS {
        found(&mut classifier, other);
    }
    assert!(classifier.feedback(&feedback("paper jam in tray <*>", &[Class::Hardware], &[])));
    assert!(classifier.feedback(&feedback("connection refused by broker", &[], &[Class::Connectivity])));
    classifier
}

#[test]
fn feedback_rules_over_its_template_and_teaches_about_others() {
    let mut classifier = taught();
    assert!(found(&mut classifier, "paper jam in tray 7").contains(Class::Hardware));
    assert!(found(&mut classifier, "paper jam again").contains(Class::Hardware), "not learnt");
    assert!(found(&mut classifier, "connection refused by broker").is_empty());
    for other in ["order shipped to customer", "invoice printed in tray", "label printed for parcel"] {
        assert!(found(&mut classifier, other).is_empty(), "learnt too much: {other}");
    }
    assert!(found(&mut classifier, "connection refused").contains(Class::Connectivity));
    classifier.forget_feedback();
    assert!(found(&mut classifier, "paper jam in tray 7").is_empty());
    assert!(found(&mut classifier, "connection refused by broker").contains(Class::Connectivity));
}

#[test]
fn feedback_about_an_id_waits_for_its_text() {
    let mut classifier = Classifier::new(100);
    let (id, text) = (TemplateId::of("flux capacitor <*> drained"), "flux capacitor <*> drained");
    let add = [Class::Hardware].into_iter().collect();
    classifier.feedback(&Feedback { about: Subject::Id(id), add, remove: ClassSet::EMPTY });
    assert!(found(&mut classifier, "flux capacitor is drained again").is_empty());
    let line = Line {
        template: Some((id, text)),
        body: "",
        severity: Severity::Info,
        parameters: Parameters::default(),
    };
    assert!(classifier.read(&line).scores.of(Class::Hardware) > 0.99);
    assert!(found(&mut classifier, "flux capacitor 9 drained").contains(Class::Hardware));
}

#[test]
fn a_restored_classifier_knows_what_was_taught() {
    let bytes = taught().snapshot().unwrap();
    let mut restored = Classifier::new(100);
    restored.restore(&bytes).unwrap();
    for body in ["paper jam again", "connection refused by broker", "connection refused"] {
        assert_eq!(found(&mut restored, body), found(&mut taught(), body), "{body}");
    }
    for damaged in [&bytes[..bytes.len() / 2], b"", b"\x07whatever"] {
        assert!(restored.restore(damaged).is_err());
    }
    assert!(found(&mut restored, "paper jam again").contains(Class::Hardware));
}

#[test]
fn what_is_remembered_has_no_secrets() {
    let mut classifier = Classifier::new(100);
    found(&mut classifier, "login of ada with password=correcthorse failed");
    let id = TemplateId::of("whatever");
    let line = Line {
        template: Some((id, "login of <*> with passphrase: batterystaple")),
        body: "",
        severity: Severity::Info,
        parameters: Parameters::default(),
    };
    classifier.read(&line);
    let state = classifier.snapshot().unwrap();
    let state = String::from_utf8_lossy(&state);
    assert!(state.contains("login") && !state.contains("correct") && !state.contains("battery"), "{state}");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut classifier = Classifier::new(50);
    for n in 0..500 {
        found(&mut classifier, &format!("message of kind {}", "x".repeat(n)));
        classifier.feedback(&feedback(&"y".repeat(n + 1), &[Class::Dns], &[]));
    }
    assert!(classifier.len() <= 50);
    assert!(!classifier.feedback(&feedback("one more", &[Class::Dns], &[])), "there is no room");
}

proptest! {
    #[test]
    fn any_message_can_be_read(body in any::<String>(), number in any::<i32>(), text in any::<String>()) {
        let severity = Severity::of(number, &text, &body);
        let scores = scores(severity, &body);
        prop_assert!(Class::ALL.iter().all(|class| (0.0..=1.0).contains(&scores.of(*class))));
    }

    #[test]
    fn damaged_snapshots_are_refused_or_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut classifier = Classifier::new(10);
        let _ = classifier.restore(&bytes);
        found(&mut classifier, "connection refused");
    }
}
