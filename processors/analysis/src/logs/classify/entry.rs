//! Feedback as people write it: in a file, or as the body of a request.

use serde::{Deserialize, Serialize};

use super::class::UnknownClass;
use super::feedback::{Feedback, Subject};
use super::{Class, ClassSet};
use crate::logs::TemplateId;
use crate::logs::template::ParseIdError;

/// Feedback about one template, named by its id or by its text, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackEntry {
    /// The id of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// The text of the template, or a line of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The names of the classes that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// The names of the classes that it has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Neither or both of `template_id` and `template`.
    #[error("needs either `template_id` or `template`")]
    Subject,
    /// `template_id` is none.
    #[error("`template_id`: {0}")]
    Id(#[from] ParseIdError),
    /// A class that does not exist.
    #[error(transparent)]
    Class(#[from] UnknownClass),
    /// A class that it has and has not.
    #[error("`{0}` is in `add` and in `remove`")]
    Both(Class),
    /// No class at all.
    #[error("needs classes in `add` or `remove`")]
    Nothing,
}

impl FeedbackEntry {
    /// What it says.
    ///
    /// # Errors
    /// If it does not name exactly one template, names no class, an unknown one, or one as present and absent.
    pub fn read(&self) -> Result<Feedback, EntryError> {
        let about = match (&self.template_id, &self.template) {
            (Some(id), None) => Subject::Id(id.parse::<TemplateId>()?),
            (None, Some(text)) => Subject::Text(text.clone()),
            _ => return Err(EntryError::Subject),
        };
        let (add, remove) = (classes(&self.add)?, classes(&self.remove)?);
        if let Some(class) = add.and(remove).iter().next() {
            return Err(EntryError::Both(class));
        }
        if add.is_empty() && remove.is_empty() {
            return Err(EntryError::Nothing);
        }
        Ok(Feedback { about, add, remove })
    }
}

fn classes(names: &[String]) -> Result<ClassSet, UnknownClass> {
    names.iter().map(|name| name.parse::<Class>()).collect()
}
