//! The feedback file: what users say about templates.
//!
//! In: a list in YAML or JSON, or one JSON object a line. Out: feedback for the classifier.

use analysis::logs::TemplateId;
use analysis::logs::classify::{Class, ClassSet, Feedback, Subject};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    template_id: Option<String>,
    template: Option<String>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// Reads the text of a feedback file; the error says which entry or line is wrong.
pub(super) fn parse(text: &str) -> Result<Vec<Feedback>, String> {
    let numbered = entries(text)?.into_iter().enumerate();
    numbered
        .map(|(i, entry)| entry.feedback().map_err(|reason| format!("entry {}: {reason}", i + 1)))
        .collect()
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if text.trim_start().starts_with('{') {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        return lines
            .map(|(i, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", i + 1)))
            .collect();
    }
    // JSON is YAML.
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

impl Entry {
    fn feedback(self) -> Result<Feedback, String> {
        let about = match (self.template_id, self.template) {
            (Some(id), None) => {
                Subject::Id(id.parse::<TemplateId>().map_err(|error| format!("`template_id`: {error}"))?)
            }
            (None, Some(text)) => Subject::Text(text),
            _ => return Err("needs either `template_id` or `template`".to_owned()),
        };
        let (add, remove) = (classes(&self.add)?, classes(&self.remove)?);
        if let Some(class) = add.and(remove).iter().next() {
            return Err(format!("`{class}` is in `add` and in `remove`"));
        }
        if add.is_empty() && remove.is_empty() {
            return Err("needs classes in `add` or `remove`".to_owned());
        }
        Ok(Feedback { about, add, remove })
    }
}

fn classes(names: &[String]) -> Result<ClassSet, String> {
    names.iter().map(|name| name.parse::<Class>().map_err(|error| error.to_string())).collect()
}
