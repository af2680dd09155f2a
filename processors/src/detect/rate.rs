//! How often something may happen.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// How often something may happen, written `1/day`, `5/week` or `2/hour`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    count: f64,
    per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Hour,
    Day,
    Week,
}

const EXPECTED: &str = "a number of alerts and a time, such as `1/day`, `5/week` or `2/hour`";

impl Rate {
    /// How often a day.
    pub fn per_day(self) -> f64 {
        match self.per {
            Per::Hour => self.count * 24.0,
            Per::Day => self.count,
            Per::Week => self.count / 7.0,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (count, per) = text.split_once('/')?;
        let per = match per.trim() {
            "h" | "hour" => Per::Hour,
            "d" | "day" => Per::Day,
            "w" | "week" => Per::Week,
            _ => return None,
        };
        Some(Self { count: count.trim().parse().ok()?, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Week => "week",
        };
        write!(f, "{}/{per}", self.count)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Rate, E> {
                Rate::parse(text).ok_or_else(|| E::custom(format!("expected {EXPECTED}, found `{text}`")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A number and a time, such as `1/day`, `5/week` or `2/hour`."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written_as_people_say_it() {
        for (text, per_day, written) in [
            ("1/day", 1.0, "1/day"),
            ("7 / w", 1.0, "7/week"),
            ("2/h", 48.0, "2/hour"),
            ("0.5/d", 0.5, "0.5/day"),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert!((rate.per_day() - per_day).abs() < 1e-9, "{text}");
            assert_eq!(rate.to_string(), written);
        }
        for text in ["1", "x/day", "1/year", "/day", ""] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
