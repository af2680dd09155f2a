//! Severities as logs write them, as the numbers of OTLP.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::config::Preset;
use super::entry::{Entry, Value};

/// Which texts and numbers mean which severity.
#[derive(Clone, Debug)]
pub(super) struct Severities {
    words: HashMap<String, u8>,
    ranges: Vec<(i64, i64, u8)>,
    overwrite_text: bool,
}

/// Why a mapping is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::filelog) enum MappingError {
    /// The key is no severity.
    #[error(
        "`{0}` is not a severity: use trace, debug, info, warn, error or fatal, perhaps with 2, 3 or 4, or a number from 0 to 24"
    )]
    Level(String),
    /// The value is none that is understood.
    #[error(
        "`{0}` does not name values: use a text, a number, `2xx` to `5xx`, {{min, max}} or a list of these"
    )]
    Value(String),
}

const NAMES: [(&str, u8); 6] =
    [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];
/// Words that common loggers use beside the names.
const MORE_WORDS: [(&str, u8); 11] = [
    ("information", 9),
    ("informational", 9),
    ("notice", 10),
    ("warning", 13),
    ("err", 17),
    ("severe", 17),
    ("crit", 18),
    ("critical", 18),
    ("alert", 19),
    ("emerg", 21),
    ("panic", 21),
];

impl Severities {
    /// The words of the preset and of the mapping.
    pub(super) fn new(
        preset: Preset,
        mapping: &IndexMap<String, Json>,
        overwrite_text: bool,
    ) -> Result<Self, MappingError> {
        let mut severities = Self { words: HashMap::new(), ranges: Vec::new(), overwrite_text };
        if preset == Preset::Default {
            for (name, first) in NAMES {
                severities.words.insert(name.to_owned(), first);
                severities.words.extend((2..=4).map(|n| (format!("{name}{n}"), first + n - 1)));
            }
            severities.words.extend(MORE_WORDS.map(|(word, level)| (word.to_owned(), level)));
        }
        for (key, value) in mapping {
            let level = level(key).ok_or_else(|| MappingError::Level(key.clone()))?;
            severities.add(level, value)?;
        }
        Ok(severities)
    }

    fn add(&mut self, level: u8, value: &Json) -> Result<(), MappingError> {
        let unclear = || MappingError::Value(value.to_string());
        match value {
            Json::String(text) => match text.to_ascii_lowercase().as_str() {
                hundred @ ("2xx" | "3xx" | "4xx" | "5xx") => {
                    let first = 100 * i64::from(hundred.as_bytes()[0] - b'0');
                    self.ranges.push((first, first + 99, level));
                }
                text => drop(self.words.insert(text.to_owned(), level)),
            },
            Json::Number(number) => {
                let number = number.as_i64().ok_or_else(unclear)?;
                self.ranges.push((number, number, level));
            }
            Json::Array(values) => values.iter().try_for_each(|value| self.add(level, value))?,
            Json::Object(map) => {
                let end = |key: &str| map.get(key).and_then(Json::as_i64).ok_or_else(unclear);
                self.ranges.push((end("min")?, end("max")?, level));
            }
            Json::Null | Json::Bool(_) => return Err(unclear()),
        }
        Ok(())
    }

    /// Sets the severity that `value` means; false if it means none.
    pub(super) fn apply(&self, value: &Value, entry: &mut Entry) -> bool {
        let text = value.to_text();
        let of_number =
            |number: i64| self.ranges.iter().rev().find(|(min, max, _)| (min..=max).contains(&&number));
        let word = text.trim();
        // Most loggers write small letters.
        let by_word = self.words.get(word).or_else(|| self.words.get(&word.to_ascii_lowercase())).copied();
        let number = || match value {
            Value::Int(number) => Some(*number),
            _ => word.parse().ok(),
        };
        let level = by_word.or_else(|| number().and_then(of_number).map(|(_, _, level)| *level));
        entry.severity_text = text;
        let Some(level) = level else { return false };
        entry.severity = level;
        if self.overwrite_text {
            entry.severity_text = name(level).into();
        }
        true
    }
}

/// The number of a severity by its name.
fn level(key: &str) -> Option<u8> {
    let key = key.to_ascii_lowercase();
    if let Ok(number) = key.parse() {
        return Some(number).filter(|number| *number <= 24);
    }
    if key == "default" {
        return Some(0);
    }
    NAMES.into_iter().find_map(|(name, first)| match key.strip_prefix(name)? {
        "" => Some(first),
        "2" => Some(first + 1),
        "3" => Some(first + 2),
        "4" => Some(first + 3),
        _ => None,
    })
}

/// The usual name of a severity: `WARN`, `WARN2`.
fn name(level: u8) -> String {
    let Some((name, first)) = NAMES.iter().rev().find(|(_, first)| *first <= level) else {
        return String::new();
    };
    let name = name.to_ascii_uppercase();
    if level == *first { name } else { format!("{name}{}", level - first + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severities(mapping: &Json, overwrite_text: bool) -> Result<Severities, MappingError> {
        Severities::new(Preset::Default, &serde_json::from_value(mapping.clone()).unwrap(), overwrite_text)
    }

    fn read(severities: &Severities, value: &Value) -> (u8, String) {
        let mut entry = Entry::default();
        severities.apply(value, &mut entry);
        (entry.severity, entry.severity_text.into())
    }

    #[test]
    fn words_numbers_and_ranges_mean_severities() {
        let mapping = serde_json::json!({"error": ["oops", "4xx", {"min": 500, "max": 510}], "info": 30, "fatal2": "dead"});
        let severities = severities(&mapping, false).unwrap();
        for (value, level) in [
            ("WARN".into(), 13),
            (" Error ".into(), 17),
            ("trace3".into(), 3),
            ("oops".into(), 17),
            ("dead".into(), 22),
            (Value::Int(404), 17),
            ("510".into(), 17),
            (Value::Int(511), 0),
            (Value::Int(30), 9),
            ("what".into(), 0),
        ] {
            assert_eq!(read(&severities, &value).0, level, "{value:?}");
        }
        assert_eq!(read(&severities, &"Warning".into()).1, "Warning");
    }

    #[test]
    fn the_text_is_replaced_only_on_request() {
        assert_eq!(
            read(&severities(&serde_json::json!({}), true).unwrap(), &"notice".into()),
            (10, "INFO2".to_owned())
        );
    }

    #[test]
    fn a_wrong_mapping_is_refused() {
        assert!(matches!(severities(&serde_json::json!({"loud": "x"}), false), Err(MappingError::Level(_))));
        assert!(matches!(severities(&serde_json::json!({"info": true}), false), Err(MappingError::Value(_))));
        assert!(matches!(
            severities(&serde_json::json!({"info": {"min": 1}}), false),
            Err(MappingError::Value(_))
        ));
    }
}
