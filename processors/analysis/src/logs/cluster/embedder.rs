//! What turns a template into a vector.

/// Why a template has no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The model cannot be loaded.
    #[error("cannot load the model: {0}")]
    Load(String),
    /// The model failed.
    #[error("the model failed: {0}")]
    Run(String),
    /// What was learnt cannot be saved or restored.
    #[error("the embedder's state is not usable: {0}")]
    State(String),
}

/// Turns templates into vectors that are near each other if the templates say the same.
pub trait Embedder: Send {
    /// Identifies the embedder and its version: vectors of different ones must never meet.
    fn id(&self) -> &str;

    /// From which cosine on two templates say the same, unless somebody chooses otherwise.
    fn similarity(&self) -> f32;

    /// The vector of a template, of length one; all of one embedder have as many elements. A template without
    /// words has the zero vector.
    ///
    /// # Errors
    /// If the model fails.
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError>;

    /// What was learnt while embedding.
    ///
    /// # Errors
    /// If it cannot be encoded.
    fn snapshot(&self) -> Result<Vec<u8>, EmbedError> {
        Ok(Vec::new())
    }

    /// Takes over what was learnt.
    ///
    /// # Errors
    /// If the snapshot is damaged.
    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), EmbedError> {
        Ok(())
    }
}

/// Makes a vector's length one, unless it is zero.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|element| element * element).sum::<f32>().sqrt();
    if length > f32::MIN_POSITIVE {
        vector.iter_mut().for_each(|element| *element /= length);
    }
}

/// The cosine of two vectors of length one.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
