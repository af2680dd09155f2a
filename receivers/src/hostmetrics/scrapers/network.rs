//! Traffic of interfaces and TCP connections by state, from `/proc/net`.

use ::config::Invalid;
use pdata::Timestamp;

use super::{Host, ScrapeError, Scraped, Scraper};
use crate::emit::{Kind, Report, Spec, Toggles};
use crate::hostmetrics::config;
use crate::hostmetrics::filter::Selection;
use crate::hostmetrics::parse::{self, Interface};

const fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Spec {
    Spec { name, unit, description, kind: Kind::Counter, default: true }
}

static IO: Spec = counter("system.network.io", "By", "The number of bytes transmitted and received.");
static PACKETS: Spec = counter("system.network.packets", "{packets}", "The number of packets transferred.");
static ERRORS: Spec = counter("system.network.errors", "{errors}", "The number of errors encountered.");
static DROPPED: Spec = counter("system.network.dropped", "{packets}", "The number of packets dropped.");
static CONNECTIONS: Spec = Spec {
    name: "system.network.connections",
    unit: "{connections}",
    description: "The number of connections.",
    kind: Kind::UpDown,
    default: true,
};
static CONNTRACK_COUNT: Spec = Spec {
    name: "system.network.conntrack.count",
    unit: "{entries}",
    description: "The count of entries in conntrack table.",
    kind: Kind::UpDown,
    default: false,
};
static CONNTRACK_MAX: Spec = Spec {
    name: "system.network.conntrack.max",
    unit: "{entries}",
    description: "The limit for entries in the conntrack table.",
    kind: Kind::UpDown,
    default: false,
};

/// What this scraper has.
pub(in crate::hostmetrics) static METRICS: &[&Spec] =
    &[&IO, &PACKETS, &ERRORS, &DROPPED, &CONNECTIONS, &CONNTRACK_COUNT, &CONNTRACK_MAX];

/// The `network` scraper.
#[derive(Debug)]
pub(super) struct Network {
    toggles: Toggles,
    interfaces: Selection,
}

impl Network {
    pub(super) fn new(config: &config::Network) -> Result<Self, Invalid> {
        Ok(Self { toggles: config.metrics.clone(), interfaces: config.selection()? })
    }
}

impl Scraper for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError> {
        let mut interfaces = parse::interfaces(&host.read_shown("net/dev")?);
        interfaces.retain(|interface| self.interfaces.has(&interface.name));
        let mut report = Report::new(&self.toggles, host.boot(), now);
        traffic(&mut report, &interfaces);
        let mut errors = 0;
        if report.wants(&CONNECTIONS) {
            let mut counts = parse::tcp_states(&host.read_shown("net/tcp")?);
            // There is none where IPv6 is switched off.
            if let Ok(six) = host.read_shown("net/tcp6") {
                counts.iter_mut().zip(parse::tcp_states(&six)).for_each(|(count, more)| *count += more);
            }
            report.metric(&CONNECTIONS, |points| {
                for (state, count) in parse::TCP_STATES.iter().zip(counts) {
                    points.int(&[("protocol", "tcp"), ("state", state)], count);
                }
            });
        }
        for (spec, file) in [(&CONNTRACK_COUNT, "nf_conntrack_count"), (&CONNTRACK_MAX, "nf_conntrack_max")] {
            if !report.wants(spec) {
                continue;
            }
            let text = host.read(format!("proc/sys/net/netfilter/{file}")).ok();
            match text.and_then(|text| text.trim().parse().ok()) {
                Some(count) => report.metric(spec, |points| points.int(&[], count)),
                // The module is not loaded.
                None => errors += 1,
            }
        }
        Ok(Scraped { errors, ..report.finish().into() })
    }
}

fn traffic(report: &mut Report<'_>, interfaces: &[Interface]) {
    type Value = fn(&parse::Flow) -> u64;
    let specs: [(&Spec, Value); 4] = [
        (&IO, |flow| flow.bytes),
        (&PACKETS, |flow| flow.packets),
        (&ERRORS, |flow| flow.errors),
        (&DROPPED, |flow| flow.dropped),
    ];
    for (spec, value) in specs {
        report.metric(spec, |points| {
            for interface in interfaces {
                let device = ("device", interface.name.as_str());
                points.int(&[device, ("direction", "receive")], value(&interface.received));
                points.int(&[device, ("direction", "transmit")], value(&interface.transmitted));
            }
        });
    }
}
