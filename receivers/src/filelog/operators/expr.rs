//! Conditions: a part of the collector's expression language.
//!
//! Fields (`body`, `body.level`, `attributes["a.b"]`, `resource.x`, `severity_text`, `severity_number`), texts, numbers,
//! `true`, `false`, `nil`, lists, `len(x)`, `type(x)`; `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `matches`, `contains`,
//! `startsWith`, `endsWith`; `and`, `or`, `not` and their signs; parentheses. Anything else is refused when the configuration
//! is read. A comparison of what cannot be compared is false.

mod parser;

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;

use super::entry::{Entry, Value};
use super::field::Field;

/// A condition.
#[derive(Clone, Debug)]
pub(super) struct Condition(Expr);

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(in crate::filelog) enum ExprError {
    /// Something else was expected.
    #[error("expected {expected} at `{found}` in the expression `{text}`")]
    Unexpected {
        /// What would have been right.
        expected: &'static str,
        /// What is there.
        found: String,
        /// The whole text.
        text: String,
    },
    /// A regular expression is malformed.
    #[error("the pattern of `matches` is not a regular expression: {0}")]
    Pattern(#[from] regex::Error),
}

#[derive(Clone, Debug)]
enum Expr {
    Value(Value),
    List(Vec<Self>),
    Field(Field),
    SeverityText,
    SeverityNumber,
    Len(Box<Self>),
    Type(Box<Self>),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Matches(Box<Self>, Box<Regex>),
    Compare(Box<Self>, Compare, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// If it is none, or needs what is not understood here.
    pub(super) fn parse(text: &str) -> Result<Self, ExprError> {
        parser::Parser::whole(text).map(Self)
    }

    /// Whether it holds of `entry`.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        self.0.is_true(entry)
    }
}

impl Expr {
    fn is_true(&self, entry: &Entry) -> bool {
        match self {
            Self::Not(inner) => !inner.is_true(entry),
            Self::And(left, right) => left.is_true(entry) && right.is_true(entry),
            Self::Or(left, right) => left.is_true(entry) || right.is_true(entry),
            Self::Matches(left, pattern) => {
                left.value(entry).as_str().is_some_and(|text| pattern.is_match(text))
            }
            Self::Compare(left, compare, right) => compare.holds(&left.value(entry), &right.value(entry)),
            _ => matches!(*self.value(entry), Value::Bool(true)),
        }
    }

    fn value<'a>(&'a self, entry: &'a Entry) -> Cow<'a, Value> {
        match self {
            Self::Value(value) => Cow::Borrowed(value),
            Self::Field(field) if field.is_root_map() => Cow::Owned(field.read(entry).unwrap_or_default()),
            Self::Field(field) => field.get(entry).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
            Self::SeverityText => Cow::Owned(Value::String(entry.severity_text.clone())),
            Self::SeverityNumber => Cow::Owned(Value::Int(entry.severity.into())),
            Self::List(items) => {
                Cow::Owned(Value::List(items.iter().map(|item| item.value(entry).into_owned()).collect()))
            }
            Self::Len(inner) => Cow::Owned(length(&inner.value(entry))),
            Self::Type(inner) => Cow::Owned(type_name(&inner.value(entry)).into()),
            _ => Cow::Owned(Value::Bool(self.is_true(entry))),
        }
    }
}

fn length(value: &Value) -> Value {
    let len = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values.len(),
        Value::Map(map) => map.len(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Double(_) => return Value::Null,
    };
    Value::Int(i64::try_from(len).unwrap_or(i64::MAX))
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Double(_) => "float",
        Value::String(_) => "string",
        Value::Bytes(_) | Value::List(_) => "array",
        Value::Map(_) => "map",
    }
}

impl Compare {
    fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Self::Equal => is_equal(left, right),
            Self::NotEqual => !is_equal(left, right),
            Self::Less => order(left, right) == Some(Ordering::Less),
            Self::Greater => order(left, right) == Some(Ordering::Greater),
            Self::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
            Self::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
            Self::In => match right {
                Value::List(values) => values.iter().any(|value| is_equal(left, value)),
                Value::Map(map) => left.as_str().is_some_and(|key| map.contains_key(key)),
                _ => false,
            },
            Self::Contains => texts(left, right).is_some_and(|(text, part)| text.contains(part)),
            Self::StartsWith => texts(left, right).is_some_and(|(text, part)| text.starts_with(part)),
            Self::EndsWith => texts(left, right).is_some_and(|(text, part)| text.ends_with(part)),
        }
    }
}

fn texts<'a>(left: &'a Value, right: &'a Value) -> Option<(&'a str, &'a str)> {
    left.as_str().zip(right.as_str())
}

fn is_equal(left: &Value, right: &Value) -> bool {
    left == right || numbers(left, right).is_some_and(|(left, right)| left == right)
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => numbers(left, right).and_then(|(left, right)| left.partial_cmp(&right)),
    }
}

fn numbers(left: &Value, right: &Value) -> Option<(f64, f64)> {
    let number = |value: &Value| match value {
        Value::Int(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        _ => None,
    };
    number(left).zip(number(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::Map;
    use super::*;

    fn holds(text: &str) -> bool {
        let user =
            Value::Map(Map::from_iter([("name".into(), "ada".into()), ("age".into(), Value::Int(36))]));
        let entry = Entry {
            body: Value::Map(Map::from_iter([("user".into(), user), ("msg".into(), "ERROR: x".into())])),
            attributes: Map::from_iter([("log.file.path".into(), "/var/log/a.log".into())]),
            severity: 17,
            ..Entry::default()
        };
        Condition::parse(text).unwrap().holds(&entry)
    }

    #[test]
    fn conditions_mean_what_they_say() {
        for text in [
            "body.msg matches '^ERROR'",
            "body.msg matches \"^\\\\w+:\" and body.user.age >= 36",
            "not (body.user.name == 'bob') && true",
            "!(body.user.age < 36.0) || false",
            "attributes['log.file.path'] endsWith '.log'",
            "attributes[\"log.file.path\"] startsWith \"/var\"",
            "body.missing == nil and body?.missing?.deeper == nil",
            "body.user.name in ['bob', body.user.name]",
            "body.user.name not in [\"bob\"]",
            "body.user.name not matches '^b'",
            "type(body) == 'map' and len(body.user) == 2",
            "severity_number > 16",
            "'name' in body.user",
            "attributes != nil",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in [
            "body.msg",
            "body.msg == 1",
            "body.user.age == '36'",
            "body.msg > 3",
            "nil",
            "body.user contains 'a'",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "body ==",
            "body.a b",
            "foo == 1",
            "body ? 1 : 2",
            "body + 1 == 2",
            "(body",
            "body matches body",
            "'\\d'",
        ] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        assert!(Condition::parse(&"(".repeat(10_000)).is_err());
        assert!(Condition::parse(&"!".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z\"'.\\[\\]()!=<>&|\\\\ äbody0-9-]{0,40}") {
            if let Ok(condition) = Condition::parse(&text) {
                condition.holds(&Entry::default());
            }
        }
    }
}
