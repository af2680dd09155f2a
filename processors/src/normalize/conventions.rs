//! Attributes of older semantic conventions under their names of today, where the meaning has not changed.

use pdata::proto::common::{KeyValue, any_value::Value};
use pdata::view::Attributes;

use crate::values;

/// Where a renamed attribute stands; some names mean different things on the two sides of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The span or point is of the side that called.
    Client,
    /// It is of the side that was called.
    Server,
    /// It is not known, or neither.
    Unknown,
}

impl Side {
    /// The side of a span of this kind.
    pub(super) const fn of_span(kind: i32) -> Self {
        match kind {
            2 | 5 => Self::Server,
            3 | 4 => Self::Client,
            _ => Self::Unknown,
        }
    }
}

/// Names that have one meaning only.
const RENAMED: &[(&str, &str)] = &[
    ("db.mongodb.collection", "db.collection.name"),
    ("db.name", "db.namespace"),
    ("db.operation", "db.operation.name"),
    ("db.sql.table", "db.collection.name"),
    ("db.statement", "db.query.text"),
    ("deployment.environment", "deployment.environment.name"),
    ("http.client_ip", "client.address"),
    ("http.flavor", "network.protocol.version"),
    ("http.method", "http.request.method"),
    ("http.request_content_length", "http.request.body.size"),
    ("http.resend_count", "http.request.resend_count"),
    ("http.response_content_length", "http.response.body.size"),
    ("http.scheme", "url.scheme"),
    ("http.status_code", "http.response.status_code"),
    ("http.url", "url.full"),
    ("http.user_agent", "user_agent.original"),
    ("messaging.client_id", "messaging.client.id"),
    ("messaging.destination", "messaging.destination.name"),
    ("messaging.kafka.consumer.group", "messaging.consumer.group.name"),
    ("messaging.kafka.message.offset", "messaging.kafka.offset"),
    ("net.protocol.name", "network.protocol.name"),
    ("net.protocol.version", "network.protocol.version"),
    ("net.sock.host.addr", "network.local.address"),
    ("net.sock.host.port", "network.local.port"),
    ("net.sock.peer.addr", "network.peer.address"),
    ("net.sock.peer.port", "network.peer.port"),
    ("telemetry.auto.version", "telemetry.distro.version"),
];

/// Names whose meaning depends on the side.
const SIDED: &[(Side, &str, &str)] = &[
    (Side::Client, "net.peer.name", "server.address"),
    (Side::Client, "net.peer.port", "server.port"),
    (Side::Server, "net.peer.name", "client.address"),
    (Side::Server, "net.peer.port", "client.port"),
    (Side::Server, "net.host.name", "server.address"),
    (Side::Server, "net.host.port", "server.port"),
];

/// Today's name of an attribute, if it has an older one.
pub(super) fn renamed(key: &str, side: Side) -> Option<&'static str> {
    // All older names begin with one of these; most attributes are out after one byte.
    if !matches!(key.as_bytes().first(), Some(b'd' | b'h' | b'm' | b'n' | b't')) {
        return None;
    }
    if let Ok(found) = RENAMED.binary_search_by(|(old, _)| (*old).cmp(key)) {
        return RENAMED.get(found).map(|(_, new)| *new);
    }
    SIDED.iter().find(|(at, old, _)| *at == side && *old == key).map(|(_, _, new)| *new)
}

/// Renames what has an older name; returns how many. One whose new name is taken stays: both may be wanted.
pub(super) fn rename(attributes: &mut [KeyValue], side: Side) -> u64 {
    let mut count = 0;
    for i in 0..attributes.len() {
        let Some(new) = attributes.get(i).and_then(|attribute| renamed(&attribute.key, side)) else {
            continue;
        };
        if values::has(attributes, new) {
            continue;
        }
        if let Some(attribute) = attributes.get_mut(i) {
            new.clone_into(&mut attribute.key);
            count += 1;
        }
    }
    count
}

/// Whether [`rename`] would rename anything.
pub(super) fn is_old(attributes: Attributes<'_>, side: Side) -> bool {
    attributes.into_iter().any(|(key, _)| renamed(key, side).is_some_and(|new| attributes.get(new).is_none()))
}

/// The number of a severity's name, in any of the usual spellings.
pub(super) fn severity(text: &str) -> Option<i32> {
    let text = text.trim().trim_matches(|c| matches!(c, '[' | ']' | '<' | '>' | ':'));
    let (word, step) = match text.as_bytes().last() {
        Some(digit @ b'1'..=b'4') if text.len() > 1 => (&text[..text.len() - 1], i32::from(digit - b'1')),
        _ => (text, 0),
    };
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let number = if is(&["trace", "trc", "finest", "finer", "verbose", "t"]) {
        1
    } else if is(&["debug", "dbg", "dbug", "fine", "config", "d"]) {
        5
    } else if is(&["info", "inf", "information", "informational", "i"]) {
        9
    } else if is(&["notice"]) {
        10
    } else if is(&["warn", "wrn", "warning", "w"]) {
        13
    } else if is(&["error", "err", "eror", "severe", "e"]) {
        17
    } else if is(&["alert"]) {
        19
    } else if is(&["fatal", "ftl", "critical", "crit", "emergency", "emerg", "panic", "dpanic", "f"]) {
        21
    } else {
        return None;
    };
    // Only OpenTelemetry's own six levels have steps.
    let steps = matches!(number, 1 | 5 | 9 | 13 | 17 | 21) && word.len() > 1;
    (step == 0 || steps).then_some(number + if steps { step } else { 0 })
}

/// Whether the value of `network.transport` has an older spelling, and today's.
pub(super) fn transport(value: &Value) -> Option<&'static str> {
    match value {
        Value::StringValue(text) if text == "ip_tcp" => Some("tcp"),
        Value::StringValue(text) if text == "ip_udp" => Some("udp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched_and_renaming_ends() {
        assert!(RENAMED.is_sorted_by(|a, b| a.0 < b.0));
        for (old, new) in RENAMED {
            assert_eq!(renamed(old, Side::Unknown), Some(*new));
            for side in [Side::Client, Side::Server, Side::Unknown] {
                assert_eq!(renamed(new, side), None, "{new}");
            }
        }
        assert_eq!(renamed("net.peer.name", Side::Client), Some("server.address"));
        assert_eq!(renamed("net.peer.name", Side::Server), Some("client.address"));
        assert_eq!(renamed("net.peer.name", Side::Unknown), None);
    }

    #[test]
    fn severities_are_read_in_the_usual_spellings() {
        let cases = [
            ("INFO", Some(9)),
            ("info", Some(9)),
            ("Information", Some(9)),
            ("INFO2", Some(10)),
            ("warning", Some(13)),
            ("WARN4", Some(16)),
            ("[ERROR]", Some(17)),
            ("CRITICAL", Some(21)),
            ("E", Some(17)),
            ("notice", Some(10)),
            ("alert", Some(19)),
            ("FATAL", Some(21)),
            ("2", None),
            ("", None),
            ("hello", None),
            ("notice3", None),
            ("é", None),
        ];
        for (text, number) in cases {
            assert_eq!(severity(text), number, "{text}");
        }
    }
}
