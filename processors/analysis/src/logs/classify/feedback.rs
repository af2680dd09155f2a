//! What users say about templates, and what the model makes of it.
//!
//! In: a template, the classes it has and those it has not. Out: for that template, exactly this; for others that have
//! the same distinctive words, a change of the log-odds, as far as it does not overturn what the lexicon says about templates
//! that nobody has spoken about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::sigmoid;
use super::ftrl::{Features, Ftrl, RATES};
use super::{ClassSet, N_CLASSES, lexicon};
use crate::logs::TemplateId;
use crate::logs::words::{Words, grams};

/// Hashed features: so many different ones at most.
const N_FEATURES: u64 = 1 << 15;

/// How often an example is shown at most until it is believed.
const MAX_ROUNDS: usize = 60;

/// An example is believed from here on, on the right side of one half.
const BELIEVED: f32 = 0.95;

/// What a user says about a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Which template.
    pub about: Subject,
    /// The classes that it has.
    pub add: ClassSet,
    /// The classes that it has not.
    pub remove: ClassSet,
}

/// Which template is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The one with this id.
    Id(TemplateId),
    /// The one with this text; a line of it will do.
    Text(String),
}

/// What the lexicon says about a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Example {
    text: Box<str>,
    prior: [f32; N_CLASSES],
}

/// What was learnt from users.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Lessons {
    models: Vec<Ftrl>,
    /// What holds for a template whatever the model says: classes it has, classes it has not.
    rulings: BTreeMap<TemplateId, (ClassSet, ClassSet)>,
    /// Templates that nobody has spoken about, to learn without overturning what is known of them.
    others: BTreeMap<TemplateId, Example>,
    max_others: usize,
    max_rulings: usize,
}

impl Lessons {
    /// Nothing learnt yet; so many templates are kept to learn beside them, and so many rulings.
    pub(super) fn new(max_others: usize, max_rulings: usize) -> Self {
        Self {
            models: vec![Ftrl::default(); N_CLASSES],
            rulings: BTreeMap::new(),
            others: BTreeMap::new(),
            max_others,
            max_rulings,
        }
    }

    /// Forgets what users said.
    pub(super) fn forget(&mut self) {
        self.models.fill(Ftrl::default());
        self.rulings.clear();
    }

    /// Whether they can have come from this program: what a damaged snapshot may get wrong.
    pub(super) fn is_sound(&self) -> bool {
        self.models.len() == N_CLASSES
    }

    /// Takes the limits of another instance.
    pub(super) fn limit_as(&mut self, other: &Self) {
        (self.max_others, self.max_rulings) = (other.max_others, other.max_rulings);
        while self.others.len() > self.max_others {
            self.others.pop_last();
        }
    }

    /// What users said about a template.
    pub(super) fn ruling(&self, id: TemplateId) -> Option<(ClassSet, ClassSet)> {
        if self.rulings.is_empty() { None } else { self.rulings.get(&id).copied() }
    }

    /// Remembers a template. The smallest ids stay, which is as good as a random choice and the same on every node.
    pub(super) fn note(&mut self, id: TemplateId, text: &str, prior: &[f32; N_CLASSES]) {
        let full = self.others.len() >= self.max_others;
        if full && self.others.last_key_value().is_none_or(|(last, _)| *last <= id) {
            return;
        }
        self.others.entry(id).or_insert_with(|| Example { text: text.into(), prior: *prior });
        if full {
            self.others.pop_last();
        }
    }

    /// The text of a template, if it was remembered.
    pub(super) fn text(&self, id: TemplateId) -> Option<(&str, &[f32; N_CLASSES])> {
        self.others.get(&id).map(|example| (&*example.text, &example.prior))
    }

    /// What the models add for a message.
    pub(super) fn scores(&self, words: &Words) -> [f32; N_CLASSES] {
        if self.rulings.is_empty() {
            return [0.0; N_CLASSES];
        }
        let features = features(words);
        std::array::from_fn(|at| self.models.get(at).map_or(0.0, |model| model.score(&features, RATES)))
    }

    /// Rules that a template has `add` and has not `remove`; false if there are too many rulings.
    pub(super) fn rule(&mut self, ids: &[TemplateId], add: ClassSet, remove: ClassSet) -> bool {
        for id in ids {
            if self.rulings.len() >= self.max_rulings && !self.rulings.contains_key(id) {
                return false;
            }
            let (added, removed) = self.rulings.entry(*id).or_default();
            for class in add.iter() {
                added.insert(class);
                removed.remove(class);
            }
            for class in remove.iter() {
                removed.insert(class);
                added.remove(class);
            }
        }
        true
    }

    /// Learns from one example. The templates that nobody has spoken about are shown along with it, and what the lexicon is
    /// certain of, so that what is common to both is not taken for the reason.
    pub(super) fn learn(&mut self, text: &str, prior: &[f32; N_CLASSES], add: ClassSet, remove: ClassSet) {
        let example = features(&Words::of(text));
        let spoken = &self.rulings;
        let others: Vec<(Features, [f32; N_CLASSES])> = self
            .others
            .iter()
            .filter(|(id, other)| !spoken.contains_key(id) && *other.text != *text)
            .map(|(_, other)| (features(&Words::of(&other.text)), other.prior))
            .collect();
        for (classes, truth) in [(add, true), (remove, false)] {
            for class in classes.iter() {
                let Some(model) = self.models.get_mut(class as usize) else { continue };
                let certain = lexicon::certain(class)
                    .map(Words::of)
                    .map(|words| (features(&words), super::prior(&words).log_odds()[class as usize]));
                let known = others.iter().map(|(features, prior)| (features.clone(), prior[class as usize]));
                let known: Vec<(Features, f32)> =
                    known.chain(certain).filter(|(other, _)| *other != example).collect();
                teach(model, (&example, prior[class as usize], truth), &known);
            }
        }
    }
}

/// Shows a model the example and the others in turn until it gets all of them right.
fn teach(model: &mut Ftrl, example: (&Features, f32, bool), others: &[(Features, f32)]) {
    let (features, prior, truth) = example;
    for _ in 0..MAX_ROUNDS {
        let mut right = true;
        let probability = sigmoid(prior + model.score(features, RATES));
        let believed = if truth { probability >= BELIEVED } else { probability <= 1.0 - BELIEVED };
        if !believed {
            model.learn(features, prior, truth, RATES);
            right = false;
        }
        for (features, prior) in others {
            let before = *prior > 0.0;
            if (prior + model.score(features, RATES) > 0.0) != before {
                model.learn(features, *prior, before, RATES);
                right = false;
            }
        }
        if right {
            return;
        }
    }
}

/// Words, pairs of words and their letters, the longer the message the less each counts.
fn features(words: &Words) -> Features {
    let mut values: BTreeMap<u32, f32> = BTreeMap::new();
    let telling = words.iter().filter(|word| !grams::is_stop_word(word));
    grams::visit(telling, |gram, hash| {
        let weight = match gram {
            grams::Gram::Word | grams::Gram::Pair => 1.0,
            grams::Gram::Letters => 0.2,
        };
        *values.entry((hash % N_FEATURES) as u32).or_default() += weight;
    });
    let length = values.values().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    values.into_iter().map(|(feature, value)| (feature, value / length)).collect()
}
