//! What must be true of an answer's body.

use config::Invalid;
use memchr::memmem;
use regex::bytes::Regex;
use serde_json::Value;

use super::config::Validation;

/// One thing that must be true.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Contains(String),
    NotContains(String),
    Json { path: Vec<Step>, equals: Option<String> },
    MinSize(u64),
    MaxSize(u64),
    Matches(Regex),
}

/// A step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of an object, or an index of an array.
    Into(String),
    /// The length of an array at the end of a path, otherwise each of its elements.
    Each,
}

impl Rule {
    /// The rules of an entry.
    ///
    /// # Errors
    /// If it says nothing, or not something that can be checked.
    pub(super) fn all(entry: &Validation) -> Result<Vec<Self>, Invalid> {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let mut rules = Vec::new();
        rules.extend(given(&entry.contains).map(Self::Contains));
        rules.extend(given(&entry.not_contains).map(Self::NotContains));
        if let Some(path) = given(&entry.json_path) {
            let path = parse_path(&path).map_err(|reason| Invalid::new("json_path", reason))?;
            rules.push(Self::Json { path, equals: given(&entry.equals) });
        } else {
            Invalid::unless(entry.equals.is_empty(), "equals", "needs a `json_path`")?;
        }
        rules.extend(entry.max_size.map(Self::MaxSize));
        rules.extend(entry.min_size.map(Self::MinSize));
        if let Some(expression) = given(&entry.regex) {
            let regex = Regex::new(&expression).map_err(|error| Invalid::new("regex", error.to_string()))?;
            rules.push(Self::Matches(regex));
        }
        Invalid::unless(!rules.is_empty(), "contains", "this entry checks nothing")?;
        Ok(rules)
    }

    /// The collector's name for this kind of rule.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Contains(_) => "contains",
            Self::NotContains(_) => "not_contains",
            Self::Json { .. } => "json_path",
            Self::MinSize(_) | Self::MaxSize(_) => "size",
            Self::Matches(_) => "regex",
        }
    }

    fn holds(&self, body: &[u8], json: Option<&Value>) -> bool {
        let size = body.len() as u64;
        match self {
            Self::Contains(text) => memmem::find(body, text.as_bytes()).is_some(),
            Self::NotContains(text) => memmem::find(body, text.as_bytes()).is_none(),
            Self::Json { path, equals } => {
                let found = json.and_then(|json| look_up(json, path));
                found.is_some_and(|found| equals.as_ref().is_none_or(|equals| as_text(&found) == *equals))
            }
            Self::MinSize(least) => size >= *least,
            Self::MaxSize(most) => size <= *most,
            Self::Matches(regex) => regex.is_match(body),
        }
    }
}

/// How many rules of each kind hold, and how many do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passed: Vec<(&'static str, u64)>,
    pub(super) failed: Vec<(&'static str, u64)>,
}

/// Checks a body.
pub(super) fn check(rules: &[Rule], body: &[u8]) -> Verdict {
    let wants_json = rules.iter().any(|rule| matches!(rule, Rule::Json { .. }));
    let json = if wants_json { serde_json::from_slice(body).ok() } else { None };
    let mut verdict = Verdict::default();
    for rule in rules {
        let counts = if rule.holds(body, json.as_ref()) { &mut verdict.passed } else { &mut verdict.failed };
        match counts.iter_mut().find(|(kind, _)| *kind == rule.kind()) {
            Some((_, count)) => *count += 1,
            None => counts.push((rule.kind(), 1)),
        }
    }
    verdict
}

/// Characters that mean more in the collector's paths than we know.
const UNSUPPORTED: &[char] = &['*', '?', '|', '@', '(', '!', '{'];

fn parse_path(path: &str) -> Result<Vec<Step>, String> {
    let inner = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    let mut step = String::new();
    let mut escaped = false;
    // A step in brackets is one in dots, but for the dot before it.
    for c in inner.replace("[\"", ".").replace("\"]", "").replace("['", ".").replace("']", "").chars() {
        match c {
            _ if escaped => {
                step.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '.' | '[' => steps.extend(take(&mut step)),
            ']' => {}
            _ if UNSUPPORTED.contains(&c) => {
                return Err(format!("`{path}`: `{c}` is not supported: write keys and indices with dots"));
            }
            _ => step.push(c),
        }
    }
    steps.extend(take(&mut step));
    if steps.is_empty() { Err(format!("`{path}` leads nowhere")) } else { Ok(steps) }
}

fn take(step: &mut String) -> Option<Step> {
    match std::mem::take(step).as_str() {
        "" => None,
        "#" => Some(Step::Each),
        key => Some(Step::Into(key.to_owned())),
    }
}

fn look_up(json: &Value, path: &[Step]) -> Option<Value> {
    let Some((step, rest)) = path.split_first() else { return Some(json.clone()) };
    match (step, json) {
        (Step::Into(key), Value::Object(map)) => look_up(map.get(key)?, rest),
        (Step::Into(key), Value::Array(values)) => look_up(values.get(key.parse::<usize>().ok()?)?, rest),
        (Step::Each, Value::Array(values)) if rest.is_empty() => Some(values.len().into()),
        (Step::Each, Value::Array(values)) => {
            Some(values.iter().filter_map(|value| look_up(value, rest)).collect())
        }
        _ => None,
    }
}

/// A string as it is, nothing for null, everything else as JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(entry: &Validation, body: &str) -> Verdict {
        check(&Rule::all(entry).unwrap(), body.as_bytes())
    }

    fn path_holds(path: &str, equals: &str, body: &str) -> bool {
        let entry =
            Validation { json_path: path.to_owned(), equals: equals.to_owned(), ..Validation::default() };
        verdict(&entry, body).failed.is_empty()
    }

    #[test]
    fn every_rule_of_an_entry_is_checked_and_counted_by_kind() {
        let entry = Validation {
            contains: "ok".to_owned(),
            not_contains: "error".to_owned(),
            min_size: Some(3),
            max_size: Some(5),
            regex: "^o.*!$".to_owned(),
            ..Validation::default()
        };
        let counts = |counts: &[(&'static str, u64)]| counts.to_vec();
        let good = verdict(&entry, "ok !");
        assert_eq!(good.passed, counts(&[("contains", 1), ("not_contains", 1), ("size", 2), ("regex", 1)]));
        assert!(good.failed.is_empty());
        let bad = verdict(&entry, "an error");
        assert_eq!(bad.passed, counts(&[("size", 1)]));
        assert_eq!(bad.failed, counts(&[("contains", 1), ("not_contains", 1), ("size", 1), ("regex", 1)]));
    }

    #[test]
    fn json_paths_are_those_of_the_collector() {
        let body = r#"{"status": "UP", "n": 1.5, "on": true, "none": null, "a.b": 2,
            "list": [{"name": "x"}, {"name": "y"}]}"#;
        for path in ["status", "$.status", "$['status']", "$[\"status\"]"] {
            assert!(path_holds(path, "UP", body), "{path}");
            assert!(!path_holds(path, "DOWN", body), "{path}");
        }
        assert!(
            path_holds("n", "1.5", body) && path_holds("on", "true", body) && path_holds("none", "", body)
        );
        assert!(path_holds("a\\.b", "2", body));
        assert!(path_holds("list.1.name", "y", body) && path_holds("$.list[1].name", "y", body));
        assert!(path_holds("list.#", "2", body));
        assert!(path_holds("list.#.name", "[\"x\",\"y\"]", body));
        assert!(!path_holds("list.2", "", body) && !path_holds("status.x", "", body));
        assert!(!path_holds("status", "", "not JSON"));
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let refused = |entry: Validation| Rule::all(&entry).unwrap_err().field;
        assert_eq!(refused(Validation::default()), "contains");
        assert_eq!(refused(Validation { regex: "(".to_owned(), ..Validation::default() }), "regex");
        assert_eq!(refused(Validation { equals: "x".to_owned(), ..Validation::default() }), "equals");
        for path in ["$", "list.#(name==\"x\")", "a*"] {
            assert_eq!(
                refused(Validation { json_path: path.to_owned(), ..Validation::default() }),
                "json_path"
            );
        }
    }

    proptest! {
        #[test]
        fn any_path_over_any_body_is_true_or_false(path: String, body: Vec<u8>) {
            if let Ok(rules) = Rule::all(&Validation { json_path: path, ..Validation::default() }) {
                let verdict = check(&rules, &body);
                prop_assert_eq!(verdict.passed.len() + verdict.failed.len(), 1);
            }
        }
    }
}
