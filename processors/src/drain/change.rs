//! What the processor will write to a record once its template is settled.

use analysis::logs::Template;
use pdata::proto::common::{AnyValue, ArrayValue, KeyValue, any_value::Value};

use super::lines::News;
use crate::values;

/// A body without its secrets.
#[derive(Debug)]
pub(super) enum Body {
    Text(String),
    Value(AnyValue),
}

/// What is to change about one record. Most records get nothing but their template.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The template as it was known when the record came.
    pub(super) template: Option<Template>,
    /// Another body, if there were secrets in it.
    pub(super) body: Option<Body>,
    /// Attributes to set.
    pub(super) attributes: Vec<KeyValue>,
    /// What the line says about itself.
    pub(super) news: Option<News>,
    /// Whether it became a part of the record before.
    pub(super) is_removed: bool,
}

impl Change {
    /// Adds a text to an attribute; more than one make a list.
    pub(super) fn add(&mut self, key: &str, text: &str) {
        let existing = self.attributes.iter_mut().find(|attribute| attribute.key == key);
        let Some(value) = existing.and_then(|attribute| attribute.value.as_mut()) else {
            values::set(&mut self.attributes, key, values::string(text));
            return;
        };
        match &mut value.value {
            Some(Value::ArrayValue(list)) => list.values.push(values::string(text)),
            _ => {
                let first = std::mem::take(value);
                let values = vec![first, values::string(text)];
                value.value = Some(Value::ArrayValue(ArrayValue { values }));
            }
        }
    }
}
