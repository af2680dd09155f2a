//! Memory, snapshots and hostile input.

use std::time::Duration;

use pdata::Timestamp;

use super::simulator::{HOUR, World, key, rng, second, watch};
use crate::logs::anomaly::{Key, LogWatch, Record, Settings};
use crate::logs::classify::ClassSet;
use crate::logs::template::TemplateId;
use crate::snapshot::SnapshotError;

fn record(text: &str, time: Timestamp) -> Record<'_> {
    Record { time, severity: 17, classes: ClassSet::EMPTY, template: Some((TemplateId::of(text), text)) }
}

#[test]
fn a_restored_watch_goes_on_alike() {
    let world = World::usual(2, &mut rng(3));
    let mut first = watch();
    let cut = 3 * HOUR + 17;
    world.run(&mut first, 0, cut, 3);
    let mut second = watch();
    second.restore(&first.snapshot().unwrap()).unwrap();
    assert_eq!(first.snapshot(), second.snapshot());
    let rest = |watch: &mut LogWatch| world.run(watch, cut, 6 * HOUR, 4);
    assert_eq!(rest(&mut first), rest(&mut second));
    assert_eq!(first.snapshot(), second.snapshot());
    assert_eq!(first.templates(), second.templates());
}

#[test]
fn a_snapshot_that_is_damaged_changes_nothing() {
    let mut watch = watch();
    World::usual(1, &mut rng(3)).run(&mut watch, 0, 10, 3);
    let before = watch.snapshot().unwrap();
    assert_eq!(watch.restore(&before[..before.len() / 2]), Err(SnapshotError::Damaged));
    assert!(matches!(watch.restore(&[99]), Err(SnapshotError::Version { .. })));
    assert_eq!(watch.snapshot().unwrap(), before);
}

#[test]
fn templates_and_services_are_bounded_and_counted() {
    let settings =
        Settings { max_services: 3, max_templates: 50, max_templates_per_service: 30, ..Settings::default() };
    let mut watch = LogWatch::new(settings);
    for n in 0..2000u64 {
        let text = format!("template {n:x} says {}", "word ".repeat(300));
        let name = format!("service {}", n % 5);
        let time = second(n);
        watch.observe(Key::named(&name), &record(&text, time), || "body ".repeat(1000));
        assert!(watch.templates() <= 50, "{}", watch.templates());
        watch.tick(time);
    }
    assert!(watch.counted().evicted > 1000);
    assert!(watch.snapshot().unwrap().len() < 200_000, "{}", watch.snapshot().unwrap().len());
    let smaller = Settings { max_services: 1, max_templates_per_service: 5, ..settings };
    let mut restored = LogWatch::new(smaller);
    restored.restore(&watch.snapshot().unwrap()).unwrap();
    assert!(restored.templates() <= 5);
    restored.observe(key(0), &record("x", second(3000)), || "x");
    restored.tick(second(4000));
}

#[test]
fn no_clock_and_no_count_breaks_anything() {
    let mut watch = watch();
    let times =
        [0, 1, u64::MAX, 1_700_000_000_000_000_000, 5_000_000_000, u64::MAX - 1, 1_600_000_000_000_000_000];
    for (n, nanos) in times.iter().cycle().take(7 * 40).enumerate() {
        let time = Timestamp::from_nanos(*nanos);
        for _ in 0..20 {
            watch.observe(key(n % 2), &record("failed <*>", time), || "failed 3");
        }
        watch.tick(Timestamp::from_nanos(times[n * 3 % times.len()]));
    }
    watch.finish();
    assert!(watch.counted().late > 0);
    // What follows is seen again.
    let world = World::usual(2, &mut rng(3));
    world.run(&mut watch, 0, 300, 3);
    assert!(watch.templates() > 10, "{}", watch.templates());
}

#[test]
fn late_records_are_counted_and_not_used() {
    let mut watch = watch();
    for n in 0..100 {
        watch.observe(key(0), &record("failed <*>", second(n * 10)), || "");
        watch.tick(second(n * 10));
    }
    watch.observe(key(0), &record("failed <*>", second(10)), || "");
    assert_eq!(watch.counted().late, 1);
}

#[test]
fn a_gap_of_days_is_no_silence_of_days() {
    let world = World::usual(1, &mut rng(3));
    let mut watch = watch();
    world.run(&mut watch, 0, 2 * HOUR, 3);
    let day = Duration::from_secs(86_400);
    watch.tick(second(2 * HOUR * 10) + day);
    let found = world.run(&mut watch, 2 * HOUR + 8640, 4 * HOUR + 8640, 3);
    let begun: Vec<_> = super::simulator::begun(&found).into_iter().map(|one| &one.message).collect();
    assert!(begun.len() <= 1, "{begun:#?}");
}
