//! The feedback file: what users say about templates.
//!
//! In: a list in YAML or JSON, or one JSON object a line. Out: feedback for the classifier.

use analysis::logs::classify::{Feedback, FeedbackEntry};

/// Reads the text of a feedback file; the error says which entry or line is wrong.
pub(super) fn parse(text: &str) -> Result<Vec<Feedback>, String> {
    let numbered = entries(text)?.into_iter().enumerate();
    numbered.map(|(i, entry)| entry.read().map_err(|reason| format!("entry {}: {reason}", i + 1))).collect()
}

fn entries(text: &str) -> Result<Vec<FeedbackEntry>, String> {
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
