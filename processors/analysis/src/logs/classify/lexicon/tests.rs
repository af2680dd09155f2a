//! Tests of the lexicon.

use super::*;
use crate::logs::words::Words;

fn classes(message: &str) -> Vec<Class> {
    let mut evidence = Evidence::default();
    LEXICON.read(Words::of(message).text(), &mut evidence);
    Class::ALL.iter().copied().filter(|class| evidence.probability(*class) >= 0.5).collect()
}

#[test]
fn every_term_is_in_the_spelling_of_the_words() {
    let mut wrong = Vec::new();
    for (_, _, texts) in terms::TERMS.iter().chain(terms_host::TERMS) {
        for text in *texts {
            for piece in text.splitn(2, GAP) {
                let pattern = pattern(piece);
                let read = Words::of(&pattern.replace('#', "7"));
                let (expected, got) = (pattern.trim(), read.text().trim());
                let open = piece.ends_with('*') && got.starts_with(expected);
                if expected != got && !open {
                    wrong.push(format!("`{text}` can never be found: it is read as `{got}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_denied_is_no_evidence() {
    assert_eq!(classes("kernel panic"), [Class::CrashPanic]);
    for denied in [
        "no kernel panic",
        "0 kernel panic",
        "kernel panic: 0",
        "without any kernel panic",
        "kernel_panic=false",
        "not been a kernel panic",
        "kernel panic: none",
    ] {
        assert_eq!(classes(denied), [], "{denied}");
    }
}

#[test]
fn the_parts_of_a_term_may_be_some_words_apart() {
    assert_eq!(classes("connection to node 7 was suddenly refused"), [Class::Connectivity]);
    assert_eq!(classes("connection a b c d e f g h i j refused"), []);
    assert_eq!(classes("refused: connection"), []);
}

#[test]
fn technical_spelling_is_understood() {
    assert_eq!(classes("ECONNREFUSED"), [Class::Connectivity]);
    assert!(classes("reason: OOMKilled").contains(&Class::ResourceMemory));
    assert_eq!(classes("java.net.SocketTimeoutException"), [Class::Timeout]);
    assert_eq!(classes("errno=ENOSPC"), [Class::ResourceDisk]);
}
