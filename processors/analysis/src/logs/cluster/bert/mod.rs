//! An embedder on a BERT model that the user brings: a directory with `config.json`, `vocab.txt` and `model.safetensors`, such as
//! all-MiniLM-L6-v2.
//!
//! Technical spelling is spelt out before the model reads it: it knows "connection refused", not `ECONNREFUSED`.

mod model;
#[cfg(test)]
mod tests;
mod wordpiece;

use std::path::Path;

use self::model::{Model, Shape, Weights};
use self::wordpiece::WordPiece;
use super::embedder::{EmbedError, Embedder, normalise};
use crate::logs::words::{VARIABLE, Words};

/// Longer templates are cut off: what a message is about stands at its start.
const MAX_PIECES: usize = 128;

/// A BERT model.
pub struct Bert {
    id: String,
    pieces: WordPiece,
    model: Model,
    longest: usize,
}

impl Bert {
    /// Loads the model in a directory.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit the others.
    pub fn open(directory: &Path) -> Result<Self, EmbedError> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(|error| EmbedError::Load(format!("{}: {error}", path.display())))
        };
        let shape: Shape = serde_json::from_slice(&read("config.json")?)
            .map_err(|error| EmbedError::Load(format!("config.json: {error}")))?;
        let vocabulary = String::from_utf8(read("vocab.txt")?)
            .map_err(|error| EmbedError::Load(format!("vocab.txt: {error}")))?;
        Self::new(&shape, &vocabulary, &read("model.safetensors")?)
    }

    fn new(shape: &Shape, vocabulary: &str, weights: &[u8]) -> Result<Self, EmbedError> {
        let failed = |error: candle_core::Error| EmbedError::Load(error.to_string());
        let pieces = WordPiece::new(vocabulary)?;
        if pieces.largest() as usize >= shape.n_pieces() {
            return Err(EmbedError::Load("vocab.txt has more pieces than the model knows".to_owned()));
        }
        let hash = blake3::hash(weights);
        let model = Model::load(shape, Weights::read(weights).map_err(failed)?).map_err(failed)?;
        let id = format!("bert-1:{}", &hash.to_hex()[..16]);
        Ok(Self { id, pieces, model, longest: shape.longest().min(MAX_PIECES) })
    }

    /// The vector of a text as it stands.
    fn encode(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let numbers = self.pieces.encode(text, self.longest);
        let mut vector = self.model.encode(&numbers).map_err(|error| EmbedError::Run(error.to_string()))?;
        normalise(&mut vector);
        Ok(vector)
    }
}

impl Embedder for Bert {
    fn id(&self) -> &str {
        &self.id
    }

    fn similarity(&self) -> f32 {
        0.52
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let words = Words::of(text);
        let told: Vec<&str> = words.iter().filter(|word| *word != VARIABLE).collect();
        self.encode(&told.join(" "))
    }
}
