//! What users want of a line beside its template: their own wildcards, and its variable parts as attributes.

use std::borrow::Cow;

use analysis::logs::Miner;
use analysis::logs::mask::{Kind, Masked};
use pdata::proto::common::{AnyValue, ArrayValue, any_value::Value};
use regex::Regex;

use super::change::Change;
use super::config::Config;
use crate::values;

/// The text with every match of the user's rules as a wildcard; each match goes to `found`.
pub(super) fn with_rules<'a>(
    text: &'a str,
    rules: &[(String, Regex)],
    found: &mut dyn FnMut(&str, &str),
) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for (name, regex) in rules {
        let replaced = regex.replace_all(&text, |captures: &regex::Captures<'_>| {
            found(name, &captures[0]);
            Kind::Any.mask()
        });
        if let Cow::Owned(replaced) = replaced {
            text = Cow::Owned(replaced);
        }
    }
    text
}

/// Notes a line's variable parts, as far as they are wanted.
pub(super) fn parameters(config: &Config, miner: &mut Miner, masked: &Masked<'_>, change: &mut Change) {
    if config.extract_parameters {
        for (kind, text) in masked.parameters().filter(|(kind, _)| !matches!(kind, Kind::Secret | Kind::Any))
        {
            change.add(&format!("{}.{}", config.parameter_key_prefix, kind.name()), text);
        }
    }
    if config.emit_wildcards {
        let values = miner.wildcards(masked).into_iter().map(values::string).collect();
        let list = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) };
        values::set(&mut change.attributes, &config.wildcards_attribute, list);
    }
}
