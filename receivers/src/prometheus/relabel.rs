//! Relabelling: rules that rewrite a label set or drop it.
//!
//! Same results as Prometheus, including the `hashmod` of its sharding, so that a fleet can mix both.

use md5::{Digest, Md5};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{scalar, scalars};
use super::labels::Labels;
use config::Invalid;

/// One relabelling rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// The labels whose values, joined by `separator`, are the rule's input.
    #[serde(deserialize_with = "scalars")]
    #[schemars(with = "Vec<String>")]
    pub source_labels: Vec<String>,
    /// Stands between the joined values.
    pub separator: String,
    /// The label that `replace`, `hashmod`, `lowercase`, `uppercase`, `keepequal` and `dropequal` are about. `replace`
    /// expands `$1` in it.
    pub target_label: String,
    /// What the input, or for the `label*` actions a label's name, must match as a whole.
    #[serde(deserialize_with = "scalar")]
    #[schemars(with = "String")]
    pub regex: String,
    /// `hashmod` takes the hash of the input modulo this.
    pub modulus: u64,
    /// What `replace` and `labelmap` write; `$1` or `${1}` stands for the first group of `regex`.
    #[serde(deserialize_with = "scalar")]
    #[schemars(with = "String")]
    pub replacement: String,
    /// What the rule does.
    pub action: Action,
}

/// What a relabelling rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Writes `replacement` to `target_label` if `regex` matches the input.
    #[default]
    #[serde(alias = "Replace", alias = "REPLACE")]
    Replace,
    /// Drops the target or sample unless `regex` matches the input.
    #[serde(alias = "Keep", alias = "KEEP")]
    Keep,
    /// Drops the target or sample if `regex` matches the input.
    #[serde(alias = "Drop", alias = "DROP")]
    Drop,
    /// Drops the target or sample unless the input equals `target_label`.
    #[serde(alias = "KeepEqual", alias = "KEEPEQUAL")]
    KeepEqual,
    /// Drops the target or sample if the input equals `target_label`.
    #[serde(alias = "DropEqual", alias = "DROPEQUAL")]
    DropEqual,
    /// Writes the input's hash modulo `modulus` to `target_label`.
    #[serde(alias = "HashMod", alias = "HASHMOD")]
    HashMod,
    /// Copies every label whose name matches `regex` to the name `replacement`.
    #[serde(alias = "LabelMap", alias = "LABELMAP")]
    LabelMap,
    /// Removes the labels whose names match `regex`.
    #[serde(alias = "LabelDrop", alias = "LABELDROP")]
    LabelDrop,
    /// Removes the labels whose names do not match `regex`.
    #[serde(alias = "LabelKeep", alias = "LABELKEEP")]
    LabelKeep,
    /// Writes the input in lower case to `target_label`.
    #[serde(alias = "Lowercase", alias = "LOWERCASE")]
    Lowercase,
    /// Writes the input in upper case to `target_label`.
    #[serde(alias = "Uppercase", alias = "UPPERCASE")]
    Uppercase,
}

const ANYTHING: &str = "(.*)";

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            target_label: String::new(),
            regex: ANYTHING.to_owned(),
            modulus: 0,
            replacement: "$1".to_owned(),
            action: Action::Replace,
        }
    }
}

impl RelabelConfig {
    fn needs_target(&self) -> bool {
        use Action::{DropEqual, HashMod, KeepEqual, Lowercase, Replace, Uppercase};
        matches!(self.action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual)
    }

    /// Checks the rule and compiles it.
    ///
    /// # Errors
    /// If it cannot work; `field` is its place.
    pub(super) fn compile(&self, field: &str) -> Result<Rule, Invalid> {
        let at = |key: &str| format!("{field}.{key}");
        if self.needs_target() && self.target_label.is_empty() {
            return Err(Invalid::new(at("target_label"), "is required by this action"));
        }
        if self.action == Action::HashMod && self.modulus == 0 {
            return Err(Invalid::new(at("modulus"), "must be positive for the action hashmod"));
        }
        let regex = Regex::new(&format!("^(?s:{})$", config::re2(&self.regex)))
            .map_err(|error| Invalid::new(at("regex"), error.to_string()))?;
        let is_constant = self.action == Action::Replace
            && self.regex == ANYTHING
            && !self.target_label.contains('$')
            && !self.replacement.contains('$');
        Ok(Rule { config: self.clone(), regex, is_constant })
    }
}

/// A rule, ready to use.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    config: RelabelConfig,
    regex: Regex,
    /// Writes a constant, whatever the input.
    is_constant: bool,
}

/// Applies `rules` in order. Whether the target or sample is kept.
pub(super) fn apply(rules: &[Rule], labels: &mut Labels<'_>) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    fn apply(&self, labels: &mut Labels<'_>) -> bool {
        let RelabelConfig { target_label, replacement, .. } = &self.config;
        match self.config.action {
            Action::Replace => self.replace(labels),
            Action::Keep => return self.regex.is_match(&self.input(labels)),
            Action::Drop => return !self.regex.is_match(&self.input(labels)),
            Action::KeepEqual => return self.input(labels) == labels.get(target_label),
            Action::DropEqual => return self.input(labels) != labels.get(target_label),
            Action::HashMod => {
                let hash = hash(&self.input(labels)) % self.config.modulus.max(1);
                labels.set(target_label.clone(), hash.to_string());
            }
            Action::Lowercase => labels.set(target_label.clone(), self.input(labels).to_lowercase()),
            Action::Uppercase => labels.set(target_label.clone(), self.input(labels).to_uppercase()),
            Action::LabelMap => {
                let matching = labels.iter().filter(|(name, _)| self.regex.is_match(name));
                let copies: Vec<_> = matching
                    .map(|(name, value)| {
                        (self.regex.replace(name, replacement.as_str()).into_owned(), value.to_owned())
                    })
                    .collect();
                copies.into_iter().for_each(|(name, value)| labels.set(name, value));
            }
            Action::LabelDrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, labels: &mut Labels<'_>) {
        let RelabelConfig { target_label, replacement, .. } = &self.config;
        if self.is_constant {
            labels.set(target_label.clone(), replacement.clone());
            return;
        }
        let input = self.input(labels);
        let Some(captures) = self.regex.captures(&input) else { return };
        let (mut target, mut value) = (String::new(), String::new());
        captures.expand(target_label, &mut target);
        captures.expand(replacement, &mut value);
        if !target.is_empty() {
            labels.set(target, value);
        }
    }

    fn input(&self, labels: &Labels<'_>) -> String {
        let mut input = String::new();
        for (i, name) in self.config.source_labels.iter().enumerate() {
            if i > 0 {
                input.push_str(&self.config.separator);
            }
            input.push_str(labels.get(name));
        }
        input
    }
}

/// Prometheus's hash for sharding: the last eight bytes of the MD5 sum. Not for security.
fn hash(input: &str) -> u64 {
    let sum = Md5::digest(input.as_bytes());
    sum.iter().skip(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relabel(rules: &str, labels: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let rules: Vec<RelabelConfig> = serde_json::from_str(rules).unwrap();
        let rules: Vec<Rule> = rules.iter().map(|rule| rule.compile("rules").unwrap()).collect();
        let mut labels: Labels<'_> = labels.iter().copied().collect();
        apply(&rules, &mut labels)
            .then(|| labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn pairs(labels: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn replace_expands_groups_in_value_and_target() {
        let rule = r#"[{"source_labels":["a","b"],"regex":"f(.*);(.*)r","target_label":"${2}z","replacement":"$1-$2"}]"#;
        assert_eq!(
            relabel(rule, &[("a", "foo"), ("b", "bar")]),
            pairs(&[("a", "foo"), ("b", "bar"), ("baz", "oo-ba")])
        );
        // The expression must match the whole input.
        assert_eq!(relabel(rule, &[("a", "xfoo"), ("b", "bar")]), pairs(&[("a", "xfoo"), ("b", "bar")]));
    }

    #[test]
    fn an_empty_replacement_removes_the_label() {
        let rule = r#"[{"source_labels":["a"],"target_label":"a","replacement":""}]"#;
        assert_eq!(relabel(rule, &[("a", "foo"), ("b", "bar")]), pairs(&[("b", "bar")]));
    }

    #[test]
    fn keep_and_drop_decide_by_the_joined_values() {
        let keep = r#"[{"source_labels":["a","b"],"regex":"1;2","action":"keep"}]"#;
        assert!(relabel(keep, &[("a", "1"), ("b", "2")]).is_some());
        assert!(relabel(keep, &[("a", "1")]).is_none());
        let drop = r#"[{"source_labels":["a"],"regex":"1","action":"drop"}]"#;
        assert!(relabel(drop, &[("a", "1")]).is_none());
        assert!(relabel(drop, &[("a", "2")]).is_some());
    }

    #[test]
    fn keepequal_and_dropequal_compare_with_the_target_label() {
        let keep = r#"[{"source_labels":["a"],"target_label":"b","action":"keepequal"}]"#;
        assert!(relabel(keep, &[("a", "1"), ("b", "1")]).is_some());
        assert!(relabel(keep, &[("a", "1"), ("b", "2")]).is_none());
        let drop = r#"[{"source_labels":["a"],"target_label":"b","action":"dropequal"}]"#;
        assert!(relabel(drop, &[("a", "1"), ("b", "1")]).is_none());
        assert!(relabel(drop, &[("a", "1"), ("b", "2")]).is_some());
    }

    #[test]
    fn hashmod_is_prometheus_hash() {
        // From Prometheus's own relabelling tests.
        let rule = r#"[{"source_labels":["c"],"target_label":"d","separator":";","action":"hashmod","modulus":1000}]"#;
        assert_eq!(relabel(rule, &[("c", "baz")]), pairs(&[("c", "baz"), ("d", "976")]));
        assert_eq!(relabel(rule, &[("c", "foo\nbar")]), pairs(&[("c", "foo\nbar"), ("d", "734")]));
    }

    #[test]
    fn labelmap_labeldrop_and_labelkeep_go_by_name() {
        let map = r#"[{"regex":"__meta_(.+)","action":"labelmap"}]"#;
        assert_eq!(
            relabel(map, &[("__meta_zone", "a"), ("x", "1")]),
            pairs(&[("__meta_zone", "a"), ("x", "1"), ("zone", "a")])
        );
        let drop = r#"[{"regex":"(b.*)","action":"labeldrop"}]"#;
        assert_eq!(relabel(drop, &[("a", "1"), ("b1", "2")]), pairs(&[("a", "1")]));
        let keep = r#"[{"regex":"(b.*)","action":"LabelKeep"}]"#;
        assert_eq!(relabel(keep, &[("a", "1"), ("b1", "2")]), pairs(&[("b1", "2")]));
    }

    #[test]
    fn case_is_changed() {
        let rules = r#"[{"source_labels":["a"],"target_label":"l","action":"lowercase"},
                        {"source_labels":["a"],"target_label":"u","action":"uppercase"}]"#;
        assert_eq!(relabel(rules, &[("a", "FoO")]), pairs(&[("a", "FoO"), ("l", "foo"), ("u", "FOO")]));
    }

    #[test]
    fn a_rule_that_cannot_work_is_refused_with_its_place() {
        let refused = |rule: RelabelConfig| rule.compile("rules.0").unwrap_err().field;
        assert_eq!(
            refused(RelabelConfig {
                regex: "(".to_owned(),
                target_label: "x".to_owned(),
                ..RelabelConfig::default()
            }),
            "rules.0.regex"
        );
        assert_eq!(refused(RelabelConfig::default()), "rules.0.target_label");
        let hash = RelabelConfig {
            action: Action::HashMod,
            target_label: "x".to_owned(),
            ..RelabelConfig::default()
        };
        assert_eq!(refused(hash), "rules.0.modulus");
    }
}
