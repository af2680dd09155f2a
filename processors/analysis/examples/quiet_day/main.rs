//! What `detect` reports of a simulated day on which nothing is wrong, and of one with faults.
//!
//!     cargo run --release -p analysis --example quiet_day -- --seeds 1,2,3 --faults 0
//!
//! Out: for each seed, reports and alerts in the first hour, the next five and the rest of the day, by kind of series; with faults, how many
//! are reported before they end, and how soon. An alert is a stretch in which a service has open episodes.

#![expect(clippy::print_stdout, reason = "it is a report")]

mod day;

use std::collections::{BTreeMap, BTreeSet};

use analysis::detect::{Findings, Limits, Settings, Watcher};
use pdata::Event;
use pdata::event::{Anomaly, Phase};

use self::day::{Day, Fault, Shape};

const SERVICES: usize = 50;
const SERIES: usize = 20;
/// The stretches of the day that are told apart, in minutes.
const STRETCHES: [std::ops::Range<u64>; 3] = [0..60, 60..360, 360..1440];

struct Options {
    seeds: Vec<u64>,
    faults: usize,
    size: f64,
    shapes: Vec<Shape>,
    sensitivity: f64,
    budget: Option<f64>,
    verbose: bool,
}

fn options() -> Options {
    let mut options = Options {
        seeds: vec![1],
        faults: 0,
        size: 8.0,
        shapes: Shape::ALL.to_vec(),
        sensitivity: 1.0,
        budget: Settings::default().alert_budget,
        verbose: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value =
            if argument == "--verbose" { String::new() } else { arguments.next().unwrap_or_default() };
        match argument.as_str() {
            "--seeds" => options.seeds = value.split(',').filter_map(|seed| seed.parse().ok()).collect(),
            "--faults" => options.faults = value.parse().unwrap_or_default(),
            "--size" => options.size = value.parse().unwrap_or(8.0),
            "--budget" => options.budget = value.parse().ok(),
            "--sensitivity" => options.sensitivity = value.parse().unwrap_or(1.0),
            "--shape" => {
                let is_meant = |shape: &Shape| format!("{shape:?}").eq_ignore_ascii_case(&value);
                options.shapes = Shape::ALL.into_iter().filter(is_meant).collect();
            }
            "--verbose" => options.verbose = true,
            _ => println!("unknown: {argument}"),
        }
    }
    options
}

/// A report of the beginning of an episode.
struct Report {
    minute: u64,
    service: usize,
    name: String,
}

#[derive(Default)]
struct Told {
    begins: Vec<Report>,
    /// When a service's first episode opened while it had none.
    alerts: Vec<(u64, usize)>,
    open: BTreeMap<usize, BTreeSet<String>>,
}

impl Told {
    fn note(&mut self, minute: u64, anomaly: &Anomaly) {
        let service = anomaly.service.trim_start_matches("service-").parse().unwrap_or_default();
        let name = anomaly.name.clone();
        let open = self.open.entry(service).or_default();
        match anomaly.phase {
            Some(Phase::End) => {
                open.remove(&name);
            }
            phase => {
                if open.is_empty() {
                    self.alerts.push((minute, service));
                }
                open.insert(name.clone());
                if phase == Some(Phase::Begin) {
                    self.begins.push(Report { minute, service, name });
                }
            }
        }
    }
}

fn play(day: &mut Day, options: &Options) -> Told {
    let mut settings = Settings::default();
    settings.threshold /= options.sensitivity;
    settings.alert_budget = options.budget;
    let mut watcher = Watcher::new(Limits::default(), settings, None);
    let mut told = Told::default();
    for minute in 0..1440 {
        let mut findings = Findings::new(false);
        watcher.metrics(&day.minute(minute), &|_| true, &mut findings);
        watcher.tick(Day::at(minute), &mut findings);
        for event in &findings.events {
            if let Event::Anomaly(anomaly) = event {
                if options.verbose {
                    println!("{minute:5} {:?} {:.1} {}", anomaly.phase, anomaly.score, anomaly.message);
                }
                told.note(minute, anomaly);
            }
        }
    }
    told
}

fn print_quiet(told: &Told, is_faulty: impl Fn(u64, usize) -> bool) {
    let quiet = |minute: u64, service: usize| !is_faulty(minute, service);
    for stretch in STRETCHES {
        let mut kinds = BTreeMap::<&str, usize>::new();
        let reports = told.begins.iter().filter(|one| stretch.contains(&one.minute));
        for report in reports.filter(|one| quiet(one.minute, one.service)) {
            *kinds.entry(report.name.split('.').next().unwrap_or_default()).or_default() += 1;
        }
        let alerts = told
            .alerts
            .iter()
            .filter(|(minute, service)| stretch.contains(minute) && quiet(*minute, *service));
        let total: usize = kinds.values().sum();
        println!("  minutes {stretch:?}: {total} reports, {} alerts; {kinds:?}", alerts.count());
    }
}

fn found(fault: &Fault, day: &Day, told: &Told) -> Option<u64> {
    let names: Vec<&str> = fault.series.iter().map(|series| day.name(fault.service, *series)).collect();
    let is_of_it = |one: &&Report| {
        one.service == fault.service
            && (fault.from..fault.until + 2).contains(&one.minute)
            && names.iter().any(|name| *name == one.name.split(':').next().unwrap_or_default())
    };
    told.begins.iter().find(is_of_it).map(|one| one.minute - fault.from)
}

fn main() {
    let options = options();
    for seed in &options.seeds {
        let mut day = Day::new(SERVICES, SERIES, *seed).with_faults(
            options.faults,
            options.size,
            &options.shapes,
            *seed,
        );
        let told = play(&mut day, &options);
        println!("seed {seed}");
        let faults = day.faults();
        print_quiet(&told, |minute, service| {
            faults.iter().any(|one| one.service == service && (one.from..one.until + 20).contains(&minute))
        });
        if !faults.is_empty() {
            let mut delays: Vec<u64> = faults.iter().filter_map(|fault| found(fault, &day, &told)).collect();
            delays.sort_unstable();
            let median = delays.get(delays.len() / 2);
            println!("  {} of {} faults, median delay {median:?} min", delays.len(), faults.len());
            let mut kinds = BTreeMap::<&str, (usize, usize)>::new();
            for fault in faults.iter().filter(|fault| fault.series.len() == 1) {
                let name = day.name(fault.service, fault.series[0]).split('.').next().unwrap_or_default();
                let kind = kinds.entry(name).or_default();
                kind.1 += 1;
                kind.0 += usize::from(found(fault, &day, &told).is_some());
            }
            println!("  of one series: {kinds:?}");
        }
    }
}
