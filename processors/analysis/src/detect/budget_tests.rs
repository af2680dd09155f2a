//! A simulated day of many kinds of series, and what is told of it.

use std::collections::{BTreeMap, BTreeSet};

use pdata::Event;
use pdata::event::{Anomaly, Phase};

use self::day::{Day, Shape};
use super::*;
use crate::detect::{Findings, Limits, Watcher, vectors};

#[path = "../../examples/quiet_day/day.rs"]
mod day;

const MINUTES: u64 = 900;
/// Until then a new system is learned.
const LEARNED: u64 = 360;

fn watcher(alert_budget: Option<f64>) -> Watcher {
    let single = vectors::Settings { detectors: Vec::new(), ..vectors::Settings::default() };
    let settings = Settings { alert_budget, ..Settings::default() };
    Watcher::new(Limits::default(), settings, None).with_vectors(single)
}

/// What is told of a day, with the minute.
fn told(watcher: &mut Watcher, day: &mut Day, minutes: std::ops::Range<u64>) -> Vec<(u64, Anomaly)> {
    let mut told = Vec::new();
    for minute in minutes {
        let mut findings = Findings::new(false);
        watcher.metrics(&day.minute(minute), &|_| true, &mut findings);
        watcher.tick(Day::at(minute), &mut findings);
        let anomalies = findings.events.into_iter().filter_map(|event| match event {
            Event::Anomaly(anomaly) => Some((minute, anomaly)),
            _ => None,
        });
        told.extend(anomalies);
    }
    told
}

/// How often a service that had no open episode got one.
fn alerts(told: &[(u64, Anomaly)], from: u64) -> usize {
    let mut open = BTreeMap::<&str, BTreeSet<&str>>::new();
    let mut alerts = 0;
    for (minute, anomaly) in told {
        let open = open.entry(&anomaly.service).or_default();
        if anomaly.phase == Some(Phase::End) {
            open.remove(anomaly.name.as_str());
        } else {
            alerts += usize::from(open.is_empty() && *minute >= from);
            open.insert(&anomaly.name);
        }
    }
    alerts
}

#[test]
fn a_quiet_day_costs_about_the_budget_once_the_series_are_known() {
    let of_day = |budget| told(&mut watcher(budget), &mut Day::new(10, 20, 5), 0..MINUTES);
    let (free, bounded) = (of_day(None), of_day(Some(2.0)));
    let days = (MINUTES - LEARNED) as f64 / 1440.0;
    let a_day = |told: &[(u64, Anomaly)]| alerts(told, LEARNED) as f64 / days / 10.0;
    assert!(a_day(&bounded) <= 4.0, "{} alerts a day for each service", a_day(&bounded));
    assert!(a_day(&bounded) < a_day(&free), "{} and {}", a_day(&bounded), a_day(&free));
    assert!(a_day(&free) <= 25.0, "{}", a_day(&free));
}

#[test]
fn every_beginning_that_is_told_ends_and_nothing_else_does() {
    for budget in [None, Some(1.0)] {
        let mut open = BTreeSet::new();
        for (_, anomaly) in told(&mut watcher(budget), &mut Day::new(4, 20, 6), 0..600) {
            let name = (anomaly.service, anomaly.name);
            match anomaly.phase {
                Some(Phase::End) => assert!(open.remove(&name), "{name:?} ended and had not begun"),
                // What comes back soon after its end is the same episode.
                Some(Phase::Continue) => drop(open.insert(name)),
                _ => assert!(open.insert(name.clone()), "{name:?} began twice"),
            }
        }
    }
}

#[test]
fn faults_are_told_within_the_budget_too() {
    let found = |budget| {
        let mut day = Day::new(10, 20, 7).with_faults(10, 25.0, &Shape::ALL, 7);
        let faults = day.faults().to_vec();
        let told = told(&mut watcher(budget), &mut day, 0..1440);
        let is_told = |fault: &&day::Fault| {
            let names: Vec<&str> = fault.series.iter().map(|one| day.name(fault.service, *one)).collect();
            told.iter().any(|(minute, anomaly)| {
                anomaly.service == format!("service-{}", fault.service)
                    && (fault.from..fault.until).contains(minute)
                    && names.contains(&anomaly.name.split(':').next().unwrap())
            })
        };
        faults.iter().filter(is_told).count()
    };
    let (free, bounded) = (found(None), found(Some(2.0)));
    assert!(free >= 8 && bounded >= 6, "{free} and {bounded} of 10");
}

#[test]
fn a_restart_changes_nothing_of_what_is_told() {
    let mut whole = watcher(Some(2.0));
    let (mut day, mut same_day) = (Day::new(3, 20, 8), Day::new(3, 20, 8));
    let told_whole = told(&mut whole, &mut day, 0..500);
    let mut first = watcher(Some(2.0));
    let mut told_parts = told(&mut first, &mut same_day, 0..250);
    let mut second = watcher(Some(2.0));
    second.restore(&first.snapshot().unwrap()).unwrap();
    told_parts.extend(told(&mut second, &mut same_day, 250..500));
    assert!(!told_whole.is_empty());
    assert_eq!(told_parts, told_whole);
    assert_eq!(second.withheld(), whole.withheld());
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + seconds)
}

#[test]
fn an_alert_costs_and_its_company_does_not() {
    let mut service = Service { series: 10, correction: 0.0, ..Service::default() };
    assert!(!service.admits(at(0), 9.0, Some(1.0)), "ten series have one a day of those");
    assert!(service.admits(at(0), 12.0, Some(1.0)));
    service.goes_on(at(60));
    assert!(service.admits(at(120), 1.0, Some(1.0)), "the same alert");
    assert!(!service.admits(at(120), 0.1, Some(1.0)), "a habit");
    assert!(!service.admits(at(1_000), 12.0, Some(1.0)));
    assert!(service.admits(at(2_000), 25.0, Some(1.0)));
    assert!(service.admits(at(3 * 86_400), 12.0, Some(1.0)), "time has passed");
}

#[test]
fn alerts_stay_within_the_budget_also_if_the_model_is_wrong() {
    use rand::{RngExt, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for wrong in [1.0, 10.0, 50.0] {
        let mut service = Service { series: 20, ..Service::default() };
        let mut alerts = 0;
        // A candidate every ten minutes; as many are rarer than a day as there would be for 20 series, and `wrong` times as many.
        for n in 0..60 * 144u64 {
            let days = wrong * (20.0 / 144.0) / 20.0 / (1.0 - random.random::<f64>()) * 20.0;
            alerts += u32::from(service.admits(at(n * 600), days, Some(1.0)));
        }
        assert!((25..=120).contains(&alerts), "{wrong}: {alerts} in 60 days");
        assert!(service.admits(at(60 * 86_400 + 1_000), 20.0 * 513.0, Some(1.0)), "beyond doubt");
    }
}
