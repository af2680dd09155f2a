//! Tests of the clusters, and the embedder's quality on labelled pairs.

use super::*;
use crate::logs::classify::{Classifier, Line, Parameters, Severity};

const TUNING: &str = include_str!("../../../testdata/log_pairs.tuning.tsv");
const HELD_OUT: &str = include_str!("../../../testdata/log_pairs.heldout.tsv");

struct Pair {
    same: bool,
    texts: [&'static str; 2],
}

fn pairs(file: &'static str) -> Vec<Pair> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [label, first, second] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("three columns: {line}")
            };
            Pair { same: label == "same", texts: [first, second] }
        })
        .collect()
}

fn classes(text: &str) -> ClassSet {
    let line =
        Line { template: None, body: text, severity: Severity::Unknown, parameters: Parameters::default() };
    Classifier::new(1).read(&line).scores.classes(0.5)
}

fn leader(embedder: &mut dyn Embedder, text: &str, use_classes: bool) -> Leader {
    Leader {
        template: TemplateId::of(text),
        vector: embedder.embed(text).unwrap(),
        classes: if use_classes { classes(text) } else { ClassSet::EMPTY },
        sides: Sides::of(&concepts::of(&Words::of(text))),
    }
}

/// How near the templates of every pair are: with classes and opposites, and by the vectors alone.
fn nearness(embedder: &mut dyn Embedder, pairs: &[Pair]) -> (Vec<f32>, Vec<f32>) {
    pairs
        .iter()
        .map(|pair| {
            let [a, b] = pair.texts.map(|text| leader(embedder, text, true));
            (a.nearness(&b).unwrap_or(-1.0), cosine(&a.vector, &b.vector))
        })
        .unzip()
}

/// Precision, recall and F1 of "the same".
fn quality(pairs: &[Pair], nearness: &[f32], similarity: f32) -> [f64; 3] {
    let count = |same: bool, found: bool| {
        let hits = pairs.iter().zip(nearness);
        hits.filter(|(pair, near)| pair.same == same && (**near >= similarity) == found).count() as f64
    };
    let (right, wrong, missed) = (count(true, true), count(false, true), count(true, false));
    [
        right / (right + wrong).max(1.0),
        right / (right + missed).max(1.0),
        2.0 * right / (2.0 * right + wrong + missed),
    ]
}

/// The similarity with the best F1 on these pairs.
fn best(pairs: &[Pair], nearness: &[f32]) -> f32 {
    let f1 = |similarity: f32| quality(pairs, nearness, similarity)[2];
    (20..95).map(|percent| percent as f32 / 100.0).max_by(|a, b| f1(*a).total_cmp(&f1(*b))).unwrap()
}

/// Prints a line of the table in docs/benchmarks.md: the similarity is chosen on the tuning pairs.
pub(super) fn report(name: &str, embedder: &mut dyn Embedder) -> [f64; 3] {
    let (tuning, held_out) = (pairs(TUNING), pairs(HELD_OUT));
    let (tuned, tuned_raw) = nearness(embedder, &tuning);
    let (kept, kept_raw) = nearness(embedder, &held_out);
    for (what, tuned, kept, similarity) in [
        ("default similarity", &tuned, &kept, embedder.similarity()),
        ("best on the tuning pairs", &tuned, &kept, best(&tuning, &tuned)),
        ("vectors alone, best on the tuning pairs", &tuned_raw, &kept_raw, best(&tuning, &tuned_raw)),
    ] {
        let [precision, recall, f1] = quality(&held_out, kept, similarity);
        let on_tuning = quality(&tuning, tuned, similarity)[2];
        println!(
            "| {name}, {what} | {similarity:.2} | {precision:.2} | {recall:.2} | {f1:.2} | {on_tuning:.2} |"
        );
    }
    if let Ok(which) = std::env::var("WATCHFIRE_SHOW_MISTAKES") {
        let (set, near) = if which == "heldout" { (&held_out, &kept) } else { (&tuning, &tuned) };
        for (pair, near) in set.iter().zip(near) {
            if pair.same != (*near >= embedder.similarity()) {
                println!("{near:.2} same: {} {:?}", pair.same, pair.texts);
                for text in pair.texts {
                    println!(
                        "      {:?} {:?}",
                        concepts::of(&Words::of(text)),
                        classes(text).iter().collect::<Vec<_>>()
                    );
                }
            }
        }
    }
    quality(&held_out, &kept, embedder.similarity())
}

/// `cargo test -p analysis pairs_that_the_embedder -- --nocapture` prints the table of docs/benchmarks.md.
#[test]
fn pairs_that_the_embedder_was_not_tuned_on_are_told_apart() {
    let [precision, recall, _] = report("built-in", &mut Builtin::default());
    assert!(precision >= 0.7 && recall >= 0.4, "worse than it was");
}

fn clusters(max_templates: usize) -> Clusters {
    Clusters::new(Box::new(Builtin::default()), None, max_templates)
}

fn assign(clusters: &mut Clusters, text: &str) -> TemplateId {
    clusters.assign(TemplateId::of(text), text, classes(text)).unwrap()
}

#[test]
fn a_cluster_has_the_id_of_its_first_template() {
    let mut clusters = clusters(100);
    let first = assign(&mut clusters, "could not connect to <*>: connection refused");
    assert_eq!(first, TemplateId::of("could not connect to <*>: connection refused"));
    assert_eq!(assign(&mut clusters, "failed to connect to <*>: ECONNREFUSED"), first);
    assert_eq!(clusters.get(TemplateId::of("failed to connect to <*>: ECONNREFUSED")), Some(first));
    assert_ne!(assign(&mut clusters, "permission refused by <*>"), first);
    assert_eq!(clusters.len(), 2);
}

#[test]
fn other_classes_and_opposites_keep_templates_apart() {
    let mut clusters = clusters(100);
    for [a, b] in [
        ["disk quota exceeded", "request quota exceeded"],
        ["link eth0 is up", "link eth0 is down"],
        ["job <*> finished", "job <*> failed"],
    ] {
        assert_ne!(assign(&mut clusters, a), assign(&mut clusters, b), "{a}");
    }
}

#[test]
fn templates_without_words_are_clusters_of_their_own() {
    let mut clusters = clusters(100);
    assert_ne!(assign(&mut clusters, "<*>"), assign(&mut clusters, "the <*> of"));
    assert_ne!(assign(&mut clusters, ""), assign(&mut clusters, "<*>, <*>"));
}

#[test]
fn clusters_are_bounded() {
    let mut clusters = clusters(20);
    for n in 0..200_u32 {
        assign(
            &mut clusters,
            &format!("{}", n.wrapping_mul(2_654_435_761))
                .replace(char::is_numeric, "q")
                .repeat(n as usize + 1),
        );
    }
    assert!(clusters.len() <= 20);
}

#[test]
fn a_restored_instance_goes_on_alike() {
    let texts: Vec<&str> = pairs(TUNING).iter().flat_map(|pair| pair.texts).collect();
    let (first, second) = texts.split_at(texts.len() / 2);
    let mut original = clusters(1000);
    for text in first {
        assign(&mut original, text);
    }
    let bytes = original.snapshot().unwrap();
    let mut restored = clusters(1000);
    restored.restore(&bytes).unwrap();
    for text in second {
        assert_eq!(assign(&mut original, text), assign(&mut restored, text), "{text}");
    }
    assert!(restored.restore(&bytes[..bytes.len() / 3]).is_err());
}

/// Another embedder, which finds everything the same, and is given no secrets.
struct Other;

impl Embedder for Other {
    fn id(&self) -> &str {
        "other"
    }

    fn similarity(&self) -> f32 {
        0.5
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        assert!(!text.contains("hunter"), "{text}");
        Ok(vec![1.0])
    }
}

#[test]
fn vectors_are_made_of_texts_without_secrets() {
    let text = "login with password=hunter failed";
    let mut clusters = Clusters::new(Box::new(Other), None, 10);
    clusters.assign(TemplateId::of(text), text, ClassSet::default()).unwrap();
}

#[test]
fn vectors_of_different_embedders_never_meet() {
    let bytes = Clusters::new(Box::new(Other), None, 10).snapshot().unwrap();
    let error = clusters(10).restore(&bytes).unwrap_err();
    assert!(matches!(error, ClustersError::Embedder { .. }), "{error}");
}
