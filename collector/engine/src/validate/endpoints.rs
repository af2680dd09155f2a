//! Ports taken twice.

use component::Kind;
use component::delivery::KEYS;
use config::{Endpoint, Section};

use super::{Check, KINDS, is_used, sections};

/// Reports every address that two running components would listen on.
pub(super) fn check(check: &mut Check<'_>) {
    let mut taken: Vec<(Endpoint, String)> = own_metrics(check);
    let config = check.config;
    for kind in KINDS {
        for (_, section) in sections(config, kind).iter().filter(|(id, _)| is_used(config, kind, id)) {
            for endpoint in endpoints(check, kind, section) {
                if let Some((known, owner)) = taken.iter().find(|(known, _)| overlap(known, &endpoint)) {
                    let message = format!(
                        "{} {} is already taken by {owner}, which listens on {}",
                        endpoint.network, endpoint.address, known.address
                    );
                    check.wrong(&section.location, &section.path, message, None);
                }
                taken.push((endpoint, format!("`{}`", section.path)));
            }
        }
    }
}

fn own_metrics(check: &Check<'_>) -> Vec<(Endpoint, String)> {
    let addresses = &check.config.service.telemetry.metrics.addresses;
    let owner = "the collector's own metrics (`service.telemetry.metrics`)";
    addresses.iter().map(|address| (Endpoint::tcp(address.clone()), owner.to_owned())).collect()
}

fn endpoints(check: &Check<'_>, kind: Kind, section: &Section) -> Vec<Endpoint> {
    let Some(spec) = check.spec(kind, section.id.type_name()) else { return Vec::new() };
    let mut own = section.clone();
    if kind == Kind::Exporter {
        let _delivery = own.split_off(KEYS);
    }
    (spec.endpoints)(&own)
}

fn overlap(a: &Endpoint, b: &Endpoint) -> bool {
    if a.network != b.network {
        return false;
    }
    match (a.address.rsplit_once(':'), b.address.rsplit_once(':')) {
        // Port 0 asks the system for a free one.
        (Some((host_a, port_a)), Some((host_b, port_b))) if a.network != "unix" => {
            let is_any = |host: &str| matches!(host, "" | "0.0.0.0" | "[::]");
            port_a == port_b
                && port_a != "0"
                && (is_any(host_a) || is_any(host_b) || same_host(host_a, host_b))
        }
        _ => a.address == b.address,
    }
}

fn same_host(a: &str, b: &str) -> bool {
    let canonical = |host: &str| match host {
        "127.0.0.1" | "[::1]" => "localhost".to_owned(),
        _ => host.to_ascii_lowercase(),
    };
    canonical(a) == canonical(b)
}
