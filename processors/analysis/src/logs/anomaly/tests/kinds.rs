//! Each kind of anomaly, and what it must not be taken for.

use pdata::event::{Anomaly, LogKind, Phase, Severity};

use super::simulator::{
    Fault, HOUR, MINUTE, Shape, Stream, World, begun, key, kind, rng, second, told, watch,
};
use crate::logs::anomaly::{LogWatch, Record};
use crate::logs::classify::{Class, ClassSet};
use crate::logs::template::TemplateId;

/// One service with these streams.
fn world(streams: Vec<Stream>) -> World {
    World { services: vec![streams], faults: Vec::new(), wander: 0.0 }
}

/// Eight templates of a few records in a bucket each.
fn eight() -> Vec<Stream> {
    (0..8).map(|n| Stream::new(&format!("template {n} <*>"), 2.0 + f64::from(n), Shape::Steady)).collect()
}

fn all(factor: f64, from: u64, to: u64) -> Fault {
    Fault { kind: LogKind::VolumeSurge, service: 0, stream: None, from, to, factor }
}

fn one(stream: usize, factor: f64, from: u64, to: u64) -> Fault {
    Fault { stream: Some(stream), ..all(factor, from, to) }
}

fn run(world: &World, hours: u64) -> Vec<Anomaly> {
    world.run(&mut watch(), 0, hours * HOUR, 5)
}

fn kinds(found: &[Anomaly]) -> Vec<LogKind> {
    begun(found).into_iter().map(kind).collect()
}

#[test]
fn a_burst_says_what_where_and_how_much() {
    let mut world = world(eight());
    world.faults.push(one(3, 8.0, 2 * HOUR, 2 * HOUR + 5 * MINUTE));
    let found = run(&world, 3);
    assert_eq!(kinds(&found), [LogKind::Burst], "{:#?}", told(&found));
    let (first, last) = (&found[0], &found[found.len() - 1]);
    let detail = first.log.as_ref().unwrap();
    assert_eq!(first.name, format!("{}:burst", TemplateId::of("template 3 <*>")));
    assert_eq!(detail.template.as_deref(), Some("template 3 <*>"));
    assert_eq!(detail.exemplar.as_deref(), Some("template 3 <*>"));
    assert!(detail.p_value < 1e-6 && first.observed > 2.0 * first.expected.high, "{first:?}");
    assert!(first.message.starts_with("cart: \"template 3 <*>\": "), "{}", first.message);
    assert_eq!((last.phase, &last.name), (Some(Phase::End), &first.name));
    assert_eq!(last.onset, first.onset);
}

#[test]
fn a_surge_of_everything_is_one_event_of_the_service() {
    let mut world = world(eight());
    world.faults.push(all(5.0, 2 * HOUR, 2 * HOUR + 5 * MINUTE));
    assert_eq!(kinds(&run(&world, 3)), [LogKind::VolumeSurge]);
}

#[test]
fn twice_the_traffic_is_no_news_and_a_template_in_it_is() {
    let mut world = world(eight());
    world.faults.push(all(1.8, 2 * HOUR, 2 * HOUR + 10 * MINUTE));
    assert_eq!(kinds(&run(&world, 3)), []);
    world.faults.push(one(6, 5.0, 2 * HOUR + 3 * MINUTE, 2 * HOUR + 8 * MINUTE));
    assert_eq!(kinds(&run(&world, 3)), [LogKind::Burst]);
}

#[test]
fn a_service_that_falls_silent_is_one_event() {
    let mut world = world(eight());
    world.services.push(vec![Stream::new("another <*>", 3.0, Shape::Steady)]);
    world.faults.push(all(0.0, 2 * HOUR, 2 * HOUR + 5 * MINUTE));
    let found = run(&world, 3);
    assert_eq!(kinds(&found), [LogKind::ServiceSilence], "{:#?}", told(&found));
    let delay = found[0].time.since(second(2 * HOUR * 10)).as_secs();
    assert!(delay <= 120, "{delay}: {}", found[0].message);
    assert_eq!(found[found.len() - 1].phase, Some(Phase::End));
}

#[test]
fn a_template_that_stops_is_missed_also_if_it_came_every_five_minutes() {
    for stream in [
        Stream::new("template often <*>", 2.0, Shape::Steady),
        Stream { until: 8 * HOUR, ..Stream::new("template now and then <*>", 1.0, Shape::Cron(30)) },
    ] {
        let mut streams = eight();
        streams.push(Stream { until: 8 * HOUR, ..stream });
        let found = run(&world(streams), 9);
        assert_eq!(kinds(&found), [LogKind::Silence], "{:#?}", told(&found));
        // It is over when it has become usual.
        assert_eq!(found[found.len() - 1].phase, Some(Phase::End));
        assert!(found[found.len() - 1].time < second((8 * HOUR + 60 * MINUTE) * 10));
    }
}

#[test]
fn a_lasting_change_becomes_usual_and_so_does_the_way_back() {
    let mut world = world(eight());
    world.faults.push(one(3, 6.0, 2 * HOUR, 4 * HOUR));
    let found = run(&world, 5);
    let begun_and_ended: Vec<_> = found.iter().filter(|one| one.phase != Some(Phase::Continue)).collect();
    assert_eq!(begun_and_ended.len(), 2, "{:#?}", told(&found));
    let lasted = begun_and_ended[1].time.since(begun_and_ended[0].time).as_secs();
    assert!((600..1500).contains(&lasted), "{lasted}");
}

fn error(text: &str, rate: f64) -> Stream {
    Stream { severity: 17, ..Stream::new(text, rate, Shape::Steady) }
}

#[test]
fn a_first_error_is_news_and_a_first_info_is_not() {
    let mut streams = eight();
    streams.push(Stream { from: 2 * HOUR, ..Stream::new("hello <*>", 0.5, Shape::Steady) });
    assert_eq!(kinds(&run(&world(streams.clone()), 3)), []);
    streams.push(Stream { from: 2 * HOUR + 60, ..error("cannot write page <*>", 0.05) });
    let found = run(&world(streams), 4);
    assert_eq!(kinds(&found), [LogKind::NewTemplate]);
    assert_eq!(found[0].message, "cart: a new error: \"cannot write page <*>\"");
    assert_eq!((found[0].severity, found[1].phase), (Severity::Error, Some(Phase::End)));
}

#[test]
fn a_crash_is_news_at_any_severity_and_new_things_are_none_where_they_are_routine() {
    let mut streams = eight();
    let classes: ClassSet = [Class::CrashPanic].into_iter().collect();
    let crash = Stream::new("worker <*> got a segfault", 0.01, Shape::Steady);
    streams.push(Stream { from: 2 * HOUR, severity: 0, classes, ..crash.clone() });
    assert_eq!(kinds(&run(&world(streams.clone()), 4)), [LogKind::NewTemplate]);
    // Another error for the first time every few minutes.
    for n in 0..100 {
        let text = format!("error {} <*>", "abcdefghij".repeat(n + 1));
        streams.push(Stream { from: n as u64 * 20, until: n as u64 * 20 + 10, ..error(&text, 0.5) });
    }
    let new = kinds(&run(&world(streams), 7));
    assert!(new.len() <= 3, "{new:?}");
}

#[test]
fn a_surge_of_errors_or_of_a_class_is_reported_once() {
    // Many rare errors, none of which is much alone.
    let rare = |n: usize, classes: ClassSet| Stream {
        classes,
        ..error(&format!("failure {} of <*>", "abcdefghijklmnopqrst".repeat(n + 1)), 0.02)
    };
    let timeout: ClassSet = [Class::Timeout].into_iter().collect();
    for (classes, expected) in [(ClassSet::EMPTY, LogKind::ErrorSurge), (timeout, LogKind::ClassSurge)] {
        let mut streams = eight();
        streams.extend((0..20).map(|n| rare(n, classes)));
        let mut world = world(streams);
        let faults = (8..28).map(|stream| one(stream, 12.0, 3 * HOUR, 3 * HOUR + 8 * MINUTE));
        world.faults.extend(faults);
        let all_found = run(&world, 4);
        let found: Vec<LogKind> =
            kinds(&all_found).into_iter().filter(|kind| *kind != LogKind::NewTemplate).collect();
        assert_eq!(found, [expected], "{:#?}", told(&all_found));
    }
}

#[test]
fn errors_of_one_template_are_reported_about_the_template() {
    let mut streams = eight();
    streams.push(error("cannot reach <*>", 0.3));
    let mut world = world(streams);
    world.faults.push(one(8, 20.0, 3 * HOUR, 3 * HOUR + 6 * MINUTE));
    let found = run(&world, 4);
    assert_eq!(kinds(&found), [LogKind::Burst]);
}

#[test]
fn templates_that_turn_out_to_be_one_are_no_news() {
    let colours = ["red", "green", "blue", "white", "black"];
    let until = 3 * HOUR;
    let mut streams = eight();
    let special = colours.map(|colour| Stream {
        until,
        ..Stream::new(&format!("the {colour} door of room <*> opened"), 2.0, Shape::Steady)
    });
    streams.extend(special);
    let general = Stream::new("the <*> door of room <*> opened", 10.0, Shape::Steady);
    streams.push(Stream { from: until, ..general });
    let mut watch = watch();
    assert_eq!(kinds(&world(streams).run(&mut watch, 0, 5 * HOUR, 5)), []);
    assert_eq!(watch.templates(), 9);
}

#[test]
fn templates_are_one_if_drain_says_so() {
    let mut streams = eight();
    let until = 3 * HOUR;
    streams.push(Stream { until, ..Stream::new("opened <*>", 5.0, Shape::Steady) });
    streams.push(Stream { from: until, ..Stream::new("<*> was opened", 5.0, Shape::Steady) });
    let world = world(streams);
    let mut watch = watch();
    let mut found = world.run(&mut watch, 0, until, 5);
    let [old, new] = ["opened <*>", "<*> was opened"].map(TemplateId::of);
    watch.merge(old, new, "<*> was opened");
    found.extend(world.run(&mut watch, until, 5 * HOUR, 5));
    assert_eq!(kinds(&found), []);
}

#[test]
fn records_without_templates_are_watched_by_severity_and_number() {
    let mut watch = watch();
    let mut found = Vec::new();
    let mut random = rng(3);
    let mut show = |watch: &mut LogWatch, bucket: u64, severity: i32, n: u64| {
        for at in 0..n + u64::from(rand::RngExt::random::<bool>(&mut random)) {
            let time = second(bucket * 10 + at % 10);
            let record = Record { time, severity, classes: ClassSet::EMPTY, template: None };
            watch.observe(key(0), &record, || "");
        }
    };
    for bucket in 0..HOUR {
        show(&mut watch, bucket, 9, 20);
        show(&mut watch, bucket, 17, if (300..320).contains(&bucket) { 15 } else { 0 });
        found.extend(watch.tick(second(bucket * 10 + 10)));
    }
    assert_eq!(kinds(&found), [LogKind::ErrorSurge]);
    assert_eq!(found[0].name, "log.error:count");
}
