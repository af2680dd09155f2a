//! Log records to what [`crate::logs::anomaly`] looks at: template, classes, severity and time of each.
//!
//! The attributes are those that `drain` and `log_classify` write. Records without them are watched by severity and number. What Watchfire
//! itself found out and sent as log records is not watched.

use pdata::event::NAME_PREFIX;
use pdata::view::{AnyValueView, LogRecordView};
use pdata::{Event, Logs, Timestamp};

use super::findings::Findings;
use super::logs::Level;
use super::watcher::Resource;
use crate::logs::TemplateId;
use crate::logs::anomaly::{Key, LogWatch, Record};
use crate::logs::attributes::{CLASS, MERGED, OLD_TEMPLATE_ID, TEMPLATE, TEMPLATE_ID};
use crate::logs::classify::{Class, ClassSet};

/// Where the message is in a body that is a map.
const MESSAGE_KEYS: [&str; 4] = ["message", "msg", "log", "body"];

/// Shows `watch` all records of a batch.
pub(super) fn read(logs: &Logs, watch: &mut LogWatch) {
    for group in logs.view().resources() {
        let resource = Resource::read(group.resource());
        let key = Key { identity: resource.service_identity(), name: &resource.service };
        for record in group.scopes().flat_map(|scope| scope.records()) {
            if record.event_name().starts_with(NAME_PREFIX) {
                merged(record, watch);
            } else {
                observe(key, record, watch);
            }
        }
    }
}

/// Adds what was found to the others.
pub(super) fn report(found: Vec<pdata::event::Anomaly>, findings: &mut Findings) {
    findings.events.extend(found.into_iter().map(Event::Anomaly));
}

/// Lets time pass.
pub(super) fn tick(now: Timestamp, watch: &mut LogWatch, findings: &mut Findings) {
    report(watch.tick(now), findings);
}

fn observe(key: Key<'_>, record: LogRecordView<'_>, watch: &mut LogWatch) {
    let (mut text, mut id, mut classes) = (None, None, ClassSet::EMPTY);
    for (name, value) in record.attributes() {
        match name {
            TEMPLATE => text = value.as_str().filter(|text| !text.is_empty()),
            TEMPLATE_ID => id = value.as_str().and_then(|id| id.parse::<TemplateId>().ok()),
            CLASS => classes = read_classes(value),
            _ => {}
        }
    }
    // Whoever found the template without an id is not known to have taken secrets out of the body.
    let is_redacted = id.is_some();
    let template = text.map(|text| (id.unwrap_or_else(|| TemplateId::of(text)), text));
    let seen = Record { time: record.time_or_observed(), severity: severity(&record), classes, template };
    watch.observe(key, &seen, || if is_redacted { message(record) } else { "" });
}

fn read_classes(value: AnyValueView<'_>) -> ClassSet {
    let AnyValueView::Array(names) = value else { return ClassSet::EMPTY };
    names.iter().filter_map(|name| name.as_str()?.parse::<Class>().ok()).collect()
}

/// The severity number, or the one that the severity's text calls for.
fn severity(record: &LogRecordView<'_>) -> i32 {
    match (record.severity_number(), Level::of(record)) {
        (number @ 1.., _) => number,
        (_, Level::Error) => 17,
        (_, Level::Warning) => 13,
        (_, Level::Other) => 0,
    }
}

fn message(record: LogRecordView<'_>) -> &str {
    match record.body() {
        AnyValueView::KvList(map) => {
            MESSAGE_KEYS.iter().find_map(|key| map.get(key)?.as_str()).unwrap_or_default()
        }
        body => body.as_str().unwrap_or_default(),
    }
}

/// `drain` says that templates turned out to be one.
fn merged(record: LogRecordView<'_>, watch: &mut LogWatch) {
    if record.event_name() != MERGED {
        return;
    }
    let id = |key: &str| record.attribute(key).and_then(|id| id.as_str()?.parse::<TemplateId>().ok());
    let (old, new) = (id(OLD_TEMPLATE_ID), id(TEMPLATE_ID));
    if let (Some(old), Some(new), Some(text)) = (old, new, record.body().as_str()) {
        watch.merge(old, new, text);
    }
}
