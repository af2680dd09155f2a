//! What log messages are about: any of 22 classes, or none.
//!
//! In: a message, its template if it is known, its severity, codes that came along as attributes. Out: a probability for
//! each class. On the first day a lexicon and codes decide; [`Feedback`] of users rules over the templates it is about and teaches a
//! linear model for the others. A message is read once and remembered, within bounds.
//!
//! Not here: which templates say the same; see [`crate::logs::cluster`].

mod class;
mod codes;
mod entry;
mod evidence;
mod feedback;
mod ftrl;
mod lexicon;
mod severity;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::class::{Class, ClassSet, N_CLASSES, UnknownClass};
pub use self::codes::Parameters;
pub use self::entry::{EntryError, FeedbackEntry};
use self::evidence::{Evidence, Strength, sigmoid};
use self::feedback::Lessons;
pub use self::feedback::{Feedback, Subject};
pub use self::severity::Severity;
use super::TemplateId;
use super::mask::Masker;
use super::words::{self, Words};
use crate::identity::Identity;
use crate::snapshot::{self, SnapshotError};
use crate::table::Table;

/// How many templates are kept to learn beside them.
const MAX_OTHERS: usize = 512;

/// What "successfully" and the like take away from problems.
const GOOD_NEWS: f32 = 3.5;

/// The version of snapshots.
const VERSION: u32 = 1;

/// A message to be read.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its template, if somebody has found it: id and text.
    pub template: Option<(TemplateId, &'a str)>,
    /// What it says; empty if only the template is known.
    pub body: &'a str,
    /// How bad it is.
    pub severity: Severity,
    /// Codes that came along.
    pub parameters: Parameters,
}

/// The probability of each class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores([f32; N_CLASSES]);

impl Scores {
    /// The probability of a class.
    pub fn of(&self, class: Class) -> f32 {
        self.0[class as usize]
    }

    /// The classes that are at least so probable.
    pub fn classes(&self, min_confidence: f32) -> ClassSet {
        Class::ALL.iter().copied().filter(|class| self.of(*class) >= min_confidence).collect()
    }
}

/// What was made of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its template; if nobody has found it, that of its words.
    pub template: TemplateId,
    /// What it is about.
    pub scores: Scores,
    /// Whether a message of this kind was read for the first time, or for the first time in a long time.
    pub is_new: bool,
}

/// A message as it was read, before its severity counts.
#[derive(Clone, Copy, Debug)]
struct Assessment {
    template: TemplateId,
    log_odds: [f32; N_CLASSES],
    evident: ClassSet,
}

/// Reads messages, and learns from feedback.
#[derive(Debug)]
pub struct Classifier {
    assessments: Table<Assessment>,
    lessons: Lessons,
    /// Feedback about templates whose text is not known yet.
    pending: BTreeMap<TemplateId, (ClassSet, ClassSet)>,
    max_templates: usize,
    words: Words,
    /// What is remembered has no secrets, whatever is read.
    masker: Masker,
}

#[derive(Serialize)]
struct Writing<'a> {
    lessons: &'a Lessons,
    pending: &'a BTreeMap<TemplateId, (ClassSet, ClassSet)>,
}

#[derive(Deserialize)]
struct Saved {
    lessons: Lessons,
    pending: BTreeMap<TemplateId, (ClassSet, ClassSet)>,
}

impl Classifier {
    /// A classifier that remembers so many kinds of messages, and takes feedback about as many templates.
    pub fn new(max_templates: usize) -> Self {
        Self {
            assessments: Table::new(max_templates),
            lessons: Lessons::new(MAX_OTHERS.min(max_templates), max_templates),
            pending: BTreeMap::new(),
            max_templates,
            words: Words::default(),
            masker: Masker::default(),
        }
    }

    /// What a message is about.
    pub fn read(&mut self, line: &Line<'_>) -> Reading {
        let key = self.key(line);
        let known = self.assessments.get_mut(key).map(|known| *known);
        let is_new = known.is_none();
        let assessment = known.unwrap_or_else(|| {
            let made = self.assess(line);
            self.assessments.entry(key, || made);
            made
        });
        let mut log_odds = assessment.log_odds;
        line.severity.weigh(assessment.evident, &mut log_odds);
        let mut scores = log_odds.map(sigmoid);
        if let Some((added, removed)) = self.lessons.ruling(assessment.template) {
            added.iter().for_each(|class| scores[class as usize] = 1.0);
            removed.iter().for_each(|class| scores[class as usize] = 0.0);
        }
        Reading { template: assessment.template, scores: Scores(scores), is_new }
    }

    /// How many kinds of messages are remembered.
    pub const fn len(&self) -> usize {
        self.assessments.len()
    }

    /// Whether nothing was read yet.
    pub const fn is_empty(&self) -> bool {
        self.assessments.is_empty()
    }

    /// Takes in what a user says. False if there is no room for it.
    pub fn feedback(&mut self, feedback: &Feedback) -> bool {
        let (add, remove) = (feedback.add, feedback.remove);
        let taken = match &feedback.about {
            Subject::Text(text) => {
                let ids = [TemplateId::of(text), words_id(&Words::of(text))];
                let taken = self.lessons.rule(&ids, add, remove);
                if taken {
                    let prior = prior(&Words::of(text)).log_odds();
                    self.lessons.learn(text, &prior, add, remove);
                }
                taken
            }
            Subject::Id(id) => {
                let taken = self.lessons.rule(&[*id], add, remove);
                if taken {
                    match self.lessons.text(*id).map(|(text, prior)| (text.to_owned(), *prior)) {
                        Some((text, prior)) => self.lessons.learn(&text, &prior, add, remove),
                        None => {
                            self.pending.insert(*id, (add, remove));
                        }
                    }
                }
                taken
            }
        };
        self.assessments = Table::new(self.max_templates);
        taken
    }

    /// Forgets all feedback, so that it can be given anew.
    pub fn forget_feedback(&mut self) {
        self.lessons.forget();
        self.pending.clear();
        self.assessments = Table::new(self.max_templates);
    }

    /// What was learnt.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        snapshot::encode(VERSION, &Writing { lessons: &self.lessons, pending: &self.pending })
    }

    /// Takes over what another instance has learnt.
    ///
    /// # Errors
    /// If the snapshot is damaged or of another version; nothing is changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let mut saved: Saved = snapshot::decode(VERSION, snapshot)?;
        if !saved.lessons.is_sound() {
            return Err(SnapshotError::Damaged);
        }
        saved.lessons.limit_as(&self.lessons);
        (self.lessons, self.pending) = (saved.lessons, saved.pending);
        self.assessments = Table::new(self.max_templates);
        Ok(())
    }

    /// What makes two lines the same to us: the template if nothing varies in it, else the words and codes.
    fn key(&mut self, line: &Line<'_>) -> u64 {
        let mut identity = Identity::new();
        match line.template {
            Some((id, text)) if line.body.is_empty() || !text.contains('<') => {
                self.words.read(text);
                identity = identity.number(u64::from_le_bytes(first_half(id)));
            }
            template => {
                self.words.read(line.body);
                identity = identity.text(self.words.text());
                for code in codes::of(&self.words) {
                    identity = code.identify(identity);
                }
                if let Some((id, _)) = template {
                    identity = identity.number(u64::from_le_bytes(first_half(id)));
                }
            }
        }
        if !line.parameters.is_empty() {
            identity = line.parameters.identify(identity);
        }
        identity.finish()
    }

    /// Reads the words that are in hand.
    fn assess(&mut self, line: &Line<'_>) -> Assessment {
        let template = line.template.map_or_else(|| words_id(&self.words), |(id, _)| id);
        let mut evidence = prior(&self.words);
        let before = evidence.log_odds();
        let text = match line.template {
            Some((_, text)) => words::head(&self.masker.redact(text)).to_owned(),
            None => Words::of(&self.masker.redact(line.body)).text().to_owned(),
        };
        self.lessons.note(template, &text, &before);
        if let Some((add, remove)) = self.pending.remove(&template) {
            self.lessons.learn(&text, &before, add, remove);
        }
        line.parameters.read(&mut evidence);
        let learnt = self.lessons.scores(&self.words);
        let mut log_odds = evidence.log_odds();
        log_odds.iter_mut().zip(learnt).for_each(|(log_odds, learnt)| *log_odds += learnt);
        let evident = Class::ALL.iter().copied().filter(|class| evidence.has(*class)).collect();
        Assessment { template, log_odds, evident }
    }
}

/// The id of a message whose template nobody has found.
fn words_id(words: &Words) -> TemplateId {
    TemplateId::of(&words.text().replace(" # ", " <*> "))
}

/// What lexicon and codes say.
fn prior(words: &Words) -> Evidence {
    let mut evidence = Evidence::default();
    lexicon::LEXICON.read(words.text(), &mut evidence);
    codes::read(words, &mut evidence);
    if is_good_news(words) {
        for class in Class::ALL.iter().filter(|class| class.is_problem()) {
            evidence.weaken(*class, GOOD_NEWS);
        }
    }
    evidence
}

/// Whether a message says that something went well, and nothing that went wrong.
fn is_good_news(words: &Words) -> bool {
    let begins = |word: &str, starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    let mut good = false;
    let mut words = words.iter().peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let denied = matches!(before, "0" | "no" | "not" | "without" | "nothing" | "never")
            || matches!(words.peek(), Some(&("0" | "none" | "nil" | "null" | "false")));
        before = word;
        if denied {
            continue;
        }
        if begins(
            word,
            &["fail", "error", "cannot", "unable", "could", "refused", "denied", "exception", "lost"],
        ) {
            return false;
        }
        good |= begins(word, &["success", "succe", "recovered", "reestablished", "restored", "reconnected"])
            || matches!(word, "passed" | "established" | "completed" | "resolved" | "healthy" | "ok");
    }
    good
}

fn first_half(id: TemplateId) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(&id.as_bytes()[..8]);
    half
}
