//! When something was out of the ordinary, as people say it: a file of labels.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pdata::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::replay::moment;

/// A stretch of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// When it begins.
    pub(crate) begin: Timestamp,
    /// When it ends.
    pub(crate) end: Timestamp,
}

impl Window {
    /// Whether `time` is in it.
    pub(crate) fn contains(&self, time: Timestamp) -> bool {
        (self.begin..=self.end).contains(&time)
    }

    /// Whether they have a moment in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.begin <= other.end && other.begin <= self.end
    }
}

/// The windows of each service; one without any is known to be ordinary all the time.
pub(super) type Windows = BTreeMap<String, Vec<Window>>;

/// Why a file of labels cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LabelsError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The byte in the line, counted from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// Reads a file of labels.
///
/// # Errors
/// If it cannot be read, or is not a JSON object of lists of windows.
pub(super) fn read(path: &Path) -> Result<Windows, LabelsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| LabelsError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|error| {
        let text = error.to_string();
        // The place is told in the usual form.
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
        let (line, column) = (error.line(), error.column());
        LabelsError::Malformed { path: path.to_owned(), line, column, reason }
    })
}

fn parse(text: &str) -> Result<Windows, serde_json::Error> {
    let mut windows: Windows = serde_json::from_str(text)?;
    windows.values_mut().for_each(|windows| windows.sort_by_key(|window| window.begin));
    Ok(windows)
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Pair)
    }
}

struct Pair;

impl<'de> Visitor<'de> for Pair {
    type Value = Window;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a window: [begin, end]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Window, A::Error> {
        let missing = |n| A::Error::invalid_length(n, &self);
        let Moment(begin) = pair.next_element()?.ok_or_else(|| missing(0))?;
        let Moment(end) = pair.next_element()?.ok_or_else(|| missing(1))?;
        if pair.next_element::<IgnoredAny>()?.is_some() {
            return Err(missing(3));
        }
        if end < begin {
            return Err(A::Error::custom("the window ends before it begins"));
        }
        Ok(Window { begin, end })
    }
}

/// A moment: ISO 8601, or Unix time.
struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let wrong = || D::Error::custom(format!("`{text}` is no time: write ISO 8601 or Unix time"));
        moment(&text).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_in_any_usual_form_of_time() {
        let text = r#"{"cart": [[1700000300, 1700000400.0], ["2023-11-14 22:13:20", "2023-11-14T22:14:20Z"]], "ad": []}"#;
        let windows = parse(text).unwrap();
        let second = |second: u64| Timestamp::from_secs(1_700_000_000 + second);
        let expected =
            [Window { begin: second(0), end: second(60) }, Window { begin: second(300), end: second(400) }];
        assert_eq!(windows["cart"], expected);
        assert!(windows["ad"].is_empty());
        assert!(expected[0].contains(second(60)) && !expected[0].overlaps(&expected[1]));
    }

    #[test]
    fn what_is_no_label_is_told_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.json");
        let say = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            error.rsplit_once("labels.json:").unwrap().1.to_owned()
        };
        assert_eq!(
            say("{\"cart\":\n [[\"soon\", 2]]}"),
            "2:11: `soon` is no time: write ISO 8601 or Unix time"
        );
        assert_eq!(say("{\"cart\": [[5, 2]]}"), "1:16: the window ends before it begins");
        assert_eq!(say("{\"cart\": [[5]]}"), "1:13: invalid length 1, expected a window: [begin, end]");
        assert!(say("{\"cart\": 5}").starts_with("1:10: invalid type: integer `5`"));
        assert!(say("{").starts_with("1:1: EOF"));
        assert!(read(&directory.path().join("none.json")).is_err());
    }
}
