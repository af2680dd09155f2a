//! The built-in embedder: concepts, words and their letters, hashed into a vector.
//!
//! Each feature has a sparse random vector of signs that depends only on its hash (random indexing: Kanerva, Kristoferson,
//! Holst, CogSci 2000); a template's vector is their weighted sum. Concepts that are in few templates weigh more; how many that is,
//! is learnt while templates come in (inverse document frequency). Same templates in the same order, same vectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::concepts;
use super::embedder::{EmbedError, Embedder, normalise};
use crate::logs::words::{Words, grams};

/// The length of vectors.
const DIMS: usize = 256;

/// How many elements of a feature's vector are not zero.
const NON_ZERO: usize = 16;

/// What concepts in a row count, and the letters of all words together, against single concepts.
const PAIR: f32 = 0.35;
const LETTERS: f32 = 0.3;

/// Before so many templates were seen, frequencies say little.
const CREDIT: f32 = 200.0;

/// So many concepts are counted; rarer ones that come later count as new.
const MAX_COUNTED: usize = 20_000;

/// The built-in embedder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Builtin {
    n_templates: u32,
    frequencies: BTreeMap<u64, u32>,
}

impl Embedder for Builtin {
    fn id(&self) -> &str {
        "builtin-1"
    }

    fn similarity(&self) -> f32 {
        0.66
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let words = Words::of(text);
        let concepts = concepts::of(&words);
        let mut vector = vec![0.0; DIMS];
        for concept in &concepts {
            self.count(grams::hash(concept));
        }
        self.n_templates = self.n_templates.saturating_add(1);
        let weights: Vec<f32> = concepts.iter().map(|concept| self.weight(concept)).collect();
        for (concept, weight) in concepts.iter().zip(&weights) {
            add(&mut vector, grams::hash(concept), *weight);
        }
        for (pair, weights) in concepts.windows(2).zip(weights.windows(2)) {
            let hash = grams::hash(&format!("{} {}", pair[0], pair[1]));
            add(&mut vector, hash, PAIR * (weights[0] * weights[1]).sqrt());
        }
        add_letters(&mut vector, &concepts, &weights);
        normalise(&mut vector);
        Ok(vector)
    }

    fn snapshot(&self) -> Result<Vec<u8>, EmbedError> {
        postcard::to_allocvec(self).map_err(|error| EmbedError::State(error.to_string()))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), EmbedError> {
        let mut saved: Self =
            postcard::from_bytes(snapshot).map_err(|error| EmbedError::State(error.to_string()))?;
        while saved.frequencies.len() > MAX_COUNTED {
            saved.frequencies.pop_last();
        }
        *self = saved;
        Ok(())
    }
}

impl Builtin {
    fn count(&mut self, concept: u64) {
        if let Some(count) = self.frequencies.get_mut(&concept) {
            *count = count.saturating_add(1);
        } else if self.frequencies.len() < MAX_COUNTED {
            self.frequencies.insert(concept, 1);
        }
    }

    /// Common words weigh less from the start; what turns out to be common here does after some hundred templates.
    fn weight(&self, concept: &str) -> f32 {
        let n = self.n_templates as f32;
        let with = self.frequencies.get(&grams::hash(concept)).map_or(0.0, |count| *count as f32);
        let rarity = ((n + CREDIT) / (with + CREDIT / 20.0)).ln() / 20.0_f32.ln();
        concepts::weight(concept) * rarity.clamp(0.2, 1.5)
    }
}

/// The letters of concepts, so that words that no table knows are near to their like.
fn add_letters(vector: &mut [f32], concepts: &[String], weights: &[f32]) {
    for (concept, weight) in concepts.iter().zip(weights) {
        let mut hashes = Vec::new();
        grams::visit(std::iter::once(concept.as_str()), |gram, hash| {
            if gram == grams::Gram::Letters {
                hashes.push(hash);
            }
        });
        let each = LETTERS * weight / (hashes.len().max(1) as f32).sqrt();
        hashes.into_iter().for_each(|hash| add(vector, hash, each));
    }
}

/// Adds a feature's vector, times a weight.
fn add(vector: &mut [f32], feature: u64, weight: f32) {
    let step = weight / (NON_ZERO as f32).sqrt();
    let mut state = feature;
    for _ in 0..NON_ZERO {
        // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let sign = if mixed >> 63 == 0 { step } else { -step };
        if let Some(element) = vector.get_mut((mixed % DIMS as u64) as usize) {
            *element += sign;
        }
    }
}
