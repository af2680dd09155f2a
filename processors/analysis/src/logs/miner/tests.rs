//! What the miner promises.

use proptest::prelude::*;

use super::*;
use crate::logs::mask::Masker;
use crate::snapshot::SnapshotError;

fn miner() -> Miner {
    Miner::new(Settings::default())
}

fn learn<'a>(miner: &mut Miner, lines: impl IntoIterator<Item = &'a str>) {
    let mut masker = Masker::default();
    for line in lines {
        miner.learn(&masker.mask(line));
    }
}

fn template(miner: &mut Miner, line: &str) -> String {
    let mut masker = Masker::default();
    miner.look_up(&masker.mask(line)).map_or_else(String::new, |template| template.text().to_owned())
}

fn total(miner: &Miner) -> u64 {
    miner.templates().map(|(_, count)| count).sum::<u64>() + miner.other()
}

#[test]
fn few_words_at_a_position_are_templates_of_their_own_and_many_are_a_variable() {
    let mut miner = miner();
    let users = ["ada", "ben", "cleo", "dan", "eve", "finn"];
    let line = |user: &str| format!("session opened for user {user} by (uid=0)");
    learn(
        &mut miner,
        users[..5].iter().map(|user| line(user)).collect::<Vec<_>>().iter().map(String::as_str),
    );
    assert_eq!((miner.len(), miner.take_merges()), (5, vec![]));
    learn(&mut miner, [line(users[5]).as_str()]);
    assert_eq!(miner.len(), 1);
    let merges = miner.take_merges();
    assert_eq!(merges.len(), 6);
    let all = TemplateId::of("session opened for user <*> by (uid=<*>)");
    assert!(
        merges
            .iter()
            .all(|merge| merge.new == all && miner.resolve(merge.old).map(Template::id) == Some(all))
    );
    assert_eq!(template(&mut miner, &line("gus")), "session opened for user <*> by (uid=<NUM>)");
    assert_eq!(total(&miner), 6);
}

#[test]
fn a_position_with_a_number_once_varies() {
    let mut miner = miner();
    learn(&mut miner, ["limit for queue orders is none today", "limit for queue orders is 12 today"]);
    assert_eq!(
        template(&mut miner, "limit for queue orders is 99 today"),
        "limit for queue orders is <*> today"
    );
    assert_eq!(miner.len(), 1);
}

#[test]
fn lines_that_have_little_in_common_stay_apart() {
    let mut miner = miner();
    let lines = [
        "open file alpha",
        "close socket beta",
        "read block gamma",
        "write page delta",
        "seek track eps",
        "map area zeta",
    ];
    learn(&mut miner, lines.into_iter().chain(lines));
    assert_eq!(miner.len(), lines.len());
}

#[test]
fn how_long_a_list_is_does_not_matter() {
    let mut miner = miner();
    learn(
        &mut miner,
        [
            "replicate blk_1 to nodes",
            "replicate blk_1 blk_-2, blk_3 to nodes",
            "took 1 2 3 and 4",
            "took 1 and 4",
        ],
    );
    assert_eq!(miner.len(), 2);
}

#[test]
fn white_space_and_the_kinds_of_masks_do_not_tell_templates_apart() {
    let mut miner = miner();
    learn(&mut miner, ["from 10.0.0.1 to x", "  from   host-1.example.com to\tx "]);
    assert_eq!(template(&mut miner, "from 10.0.0.9 to x"), "from <*> to x");
    assert_eq!(miner.len(), 1);
}

#[test]
fn seeds_give_the_same_ids_as_lines_do() {
    let mut seeded = miner();
    seeded.seed_template("user <*> logged in from <*>");
    let id = TemplateId::of("user <*> logged in from <*>");
    let mut masker = Masker::default();
    assert_eq!(seeded.learn(&masker.mask("user zoe logged in from 10.1.2.3")).id(), id);
    assert_eq!((seeded.len(), total(&seeded)), (1, 1));
}

#[test]
fn what_is_forgotten_is_counted_as_other_and_what_is_frequent_stays() {
    let mut miner = Miner::new(Settings { max_templates: 100, ..Settings::default() });
    let mut lines = Vec::new();
    for i in 0..5_000u32 {
        let word = |n: u32| {
            (0..6)
                .map(|k| char::from(b'a' + ((n.wrapping_mul(2_654_435_761) >> (k * 5)) % 26) as u8))
                .collect::<String>()
        };
        lines.push(format!("{} {} {}", word(i), word(i ^ 0xffff), word(i.wrapping_mul(31))));
        lines.push("the usual thing happened".to_owned());
    }
    learn(&mut miner, lines.iter().map(String::as_str));
    assert!(miner.len() <= 100, "{}", miner.len());
    assert_eq!(total(&miner), lines.len() as u64);
    let usual = miner.templates().find(|(template, _)| template.text() == "the usual thing happened");
    assert_eq!(usual.map(|(_, count)| count), Some(5_000));
}

#[test]
fn bytes_stay_within_the_budget_whatever_comes() {
    let mut miner = Miner::new(Settings { max_bytes: 2 << 20, ..Settings::default() });
    let mut state = 7u64;
    let mut masker = Masker::default();
    for _ in 0..50_000 {
        let mut line = String::new();
        for _ in 0..(state >> 60) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            line.extend((0..8).map(|k| char::from(b'a' + (state >> (k * 7) & 15) as u8)));
            line.push(if state & 64 == 0 { ' ' } else { ':' });
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        miner.learn(&masker.mask(&line));
        assert!(miner.bytes() < 3 << 20, "{}", miner.bytes());
    }
    assert_eq!(total(&miner), 50_000);
}

#[test]
fn a_restored_miner_goes_on_alike() {
    let mut first = miner();
    let lines: Vec<String> = (0..200)
        .map(|i| format!("worker {} took {i} ms for job {}", ["a", "b", "c"][i % 3], i * 7))
        .collect();
    learn(&mut first, lines.iter().map(String::as_str));
    let mut second = miner();
    second.restore(&first.snapshot().unwrap()).unwrap();
    let counts = |miner: &Miner| {
        let mut all: Vec<_> = miner.templates().map(|(template, count)| (template.id(), count)).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(counts(&first), counts(&second));
    learn(&mut first, ["worker d took 1 ms for job 2"]);
    learn(&mut second, ["worker d took 1 ms for job 2"]);
    assert_eq!(counts(&first), counts(&second));
}

#[test]
fn a_damaged_snapshot_changes_nothing() {
    let mut miner = miner();
    learn(&mut miner, ["one line of some kind"]);
    let good = miner.snapshot().unwrap();
    assert_eq!(miner.restore(&[0xff, 0x01]), Err(SnapshotError::Version { found: 255, expected: 1 }));
    for len in 0..good.len() {
        assert!(miner.restore(&good[..len]).is_err());
    }
    assert_eq!(total(&miner), 1);
}

/// Lines that often differ in one word or two only.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let word = "[a-h]|7|get|put|node";
    proptest::collection::vec((word, word, "go|stop", word), 0..40).prop_map(|rows| {
        rows.into_iter().map(|(a, b, c, d)| format!("unit {a} of {b} will {c} at {d}")).collect()
    })
}

fn learned(lines: &[String]) -> Miner {
    let mut miner = miner();
    learn(&mut miner, lines.iter().map(String::as_str));
    miner
}

/// Which template each line is of, when all that was learned is joined in this order.
fn joined(order: &[&Miner], lines: &[String]) -> Vec<String> {
    let mut all = miner();
    for other in order {
        all.merge(&other.snapshot().unwrap()).unwrap();
    }
    lines.iter().map(|line| template(&mut all, line)).collect()
}

proptest! {
    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in lines(), b in lines(), c in lines()) {
        let all: Vec<String> = a.iter().chain(&b).chain(&c).cloned().collect();
        let (a, b, c) = (learned(&a), learned(&b), learned(&c));
        let mut ab = miner();
        ab.merge(&a.snapshot().unwrap()).unwrap();
        ab.merge(&b.snapshot().unwrap()).unwrap();
        let mut bc = miner();
        bc.merge(&b.snapshot().unwrap()).unwrap();
        bc.merge(&c.snapshot().unwrap()).unwrap();
        let once = joined(&[&a, &b, &c], &all);
        prop_assert_eq!(&once, &joined(&[&c, &b, &a], &all));
        prop_assert_eq!(&once, &joined(&[&b, &a, &c], &all));
        prop_assert_eq!(&once, &joined(&[&ab, &c], &all));
        prop_assert_eq!(&once, &joined(&[&a, &bc], &all));
        prop_assert_eq!(&once, &joined(&[&a, &b, &c, &ab, &a, &c], &all));
    }

    #[test]
    fn counts_add_up_whatever_comes(lines in proptest::collection::vec("\\PC{0,60}", 0..60)) {
        let mut miner = Miner::new(Settings { max_templates: 8, max_bytes: 1 << 19, ..Settings::default() });
        learn(&mut miner, lines.iter().map(String::as_str));
        prop_assert_eq!(total(&miner), lines.len() as u64);
    }

    #[test]
    fn a_template_is_a_line_of_itself(lines in lines()) {
        let mut miner = learned(&lines);
        let templates: Vec<String> = miner.templates().map(|(template, _)| template.canonical().to_owned()).collect();
        for text in templates {
            prop_assert_eq!(TemplateId::of(&template(&mut miner, &text)), TemplateId::of(&text));
        }
    }
}
