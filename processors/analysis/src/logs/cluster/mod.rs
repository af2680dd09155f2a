//! Semantic clusters: templates that say the same thing in other words get one id.
//!
//! In: a template and its classes, once each. Out: the id of its cluster, which is the id of the first template in it and stays
//! the same as long as the cluster is remembered. A template joins the nearest cluster that is near enough: classes in common bring
//! two nearer, classes of which none is common keep them apart, and so do opposites ("up", "down").

#[cfg(feature = "bert")]
mod bert;
mod builtin;
mod concepts;
mod embedder;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

#[cfg(feature = "bert")]
pub use self::bert::Bert;
pub use self::builtin::Builtin;
use self::concepts::Sides;
use self::embedder::cosine;
pub use self::embedder::{EmbedError, Embedder};
use super::TemplateId;
use super::classify::ClassSet;
use super::mask::Masker;
use super::words::Words;
use crate::snapshot::{self, SnapshotError};
use crate::table::{Saved, Table};

/// How much nearer having the same classes brings two templates, and how much further having others.
const SHARED_CLASSES: f32 = 0.12;
const OTHER_CLASSES: f32 = 0.08;

/// The version of snapshots.
const VERSION: u32 = 1;

/// The first template of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Leader {
    template: TemplateId,
    vector: Vec<f32>,
    classes: ClassSet,
    sides: Sides,
}

/// Which cluster a template belongs to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Member {
    template: TemplateId,
    cluster: TemplateId,
}

/// All clusters.
pub struct Clusters {
    embedder: Box<dyn Embedder>,
    similarity: f32,
    leaders: Table<Leader>,
    members: Table<Member>,
    /// Vectors are made of texts without secrets.
    masker: Masker,
}

/// Why what was learnt cannot be kept or taken over.
#[derive(Debug, thiserror::Error)]
pub enum ClustersError {
    /// It is damaged, of another version, or cannot be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Its vectors are of another embedder.
    #[error("the clusters were made by the embedder `{theirs}`, not by `{ours}`")]
    Embedder {
        /// What made them.
        theirs: String,
        /// What would go on.
        ours: String,
    },
    /// The embedder's own state cannot be written or read.
    #[error(transparent)]
    State(#[from] EmbedError),
}

#[derive(Serialize)]
struct Writing<'a> {
    embedder: &'a str,
    state: Vec<u8>,
    leaders: &'a Table<Leader>,
    members: &'a Table<Member>,
}

#[derive(Deserialize)]
struct Reading {
    embedder: String,
    state: Vec<u8>,
    leaders: Saved<Leader>,
    members: Saved<Member>,
}

impl Clusters {
    /// No clusters yet; so many templates are remembered, and as many clusters at most.
    pub fn new(embedder: Box<dyn Embedder>, similarity: Option<f32>, max_templates: usize) -> Self {
        Self {
            similarity: similarity.unwrap_or_else(|| embedder.similarity()),
            embedder,
            leaders: Table::new(max_templates),
            members: Table::new(max_templates),
            masker: Masker::default(),
        }
    }

    /// The cluster of a template that is known.
    pub fn get(&mut self, template: TemplateId) -> Option<TemplateId> {
        self.members
            .get_mut(key(template))
            .filter(|member| member.template == template)
            .map(|member| member.cluster)
    }

    /// The cluster of a template, which may be new.
    ///
    /// # Errors
    /// If the embedder fails; the template is then not remembered.
    pub fn assign(
        &mut self,
        template: TemplateId,
        text: &str,
        classes: ClassSet,
    ) -> Result<TemplateId, EmbedError> {
        if let Some(known) = self.get(template) {
            return Ok(known);
        }
        let text = self.masker.redact(text);
        let vector = self.embedder.embed(&text)?;
        let sides = Sides::of(&concepts::of(&Words::of(&text)));
        let candidate = Leader { template, vector, classes, sides };
        let nearest = self
            .leaders
            .values_mut()
            .filter_map(|leader| leader.nearness(&candidate).map(|nearness| (nearness, leader.template)))
            .filter(|(nearness, _)| *nearness >= self.similarity)
            .max_by(|(a, first), (b, second)| a.total_cmp(b).then(second.cmp(first)));
        let cluster = match nearest {
            Some((_, cluster)) => {
                // Counts as use: the cluster is not the next to be forgotten.
                self.leaders.get_mut(key(cluster));
                cluster
            }
            None => {
                self.leaders.entry(key(template), || candidate);
                template
            }
        };
        self.members.entry(key(template), || Member { template, cluster });
        Ok(cluster)
    }

    /// How many clusters there are.
    pub const fn len(&self) -> usize {
        self.leaders.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.leaders.is_empty()
    }

    /// What was learnt.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn snapshot(&self) -> Result<Vec<u8>, ClustersError> {
        let state = Writing {
            embedder: self.embedder.id(),
            state: self.embedder.snapshot()?,
            leaders: &self.leaders,
            members: &self.members,
        };
        Ok(snapshot::encode(VERSION, &state)?)
    }

    /// Takes over what another instance has learnt.
    ///
    /// # Errors
    /// If the snapshot is damaged, of another version or of another embedder; nothing is changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), ClustersError> {
        let saved: Reading = snapshot::decode(VERSION, snapshot)?;
        if saved.embedder != self.embedder.id() {
            let ours = self.embedder.id().to_owned();
            return Err(ClustersError::Embedder { theirs: saved.embedder, ours });
        }
        self.embedder.restore(&saved.state)?;
        self.leaders = saved.leaders.into_table(self.leaders.capacity());
        self.members = saved.members.into_table(self.members.capacity());
        Ok(())
    }
}

impl Leader {
    /// How near two templates are; `None` if they cannot mean the same.
    fn nearness(&self, other: &Self) -> Option<f32> {
        let shared = self.classes.and(other.classes).len();
        let all = self.classes.len() + other.classes.len() - shared;
        let conflict = shared == 0 && !self.classes.is_empty() && !other.classes.is_empty();
        if conflict || self.sides.oppose(other.sides) {
            return None;
        }
        let common = if all == 0 { None } else { Some(shared as f32 / all as f32) };
        let classes = common.map_or(0.0, |common| SHARED_CLASSES * common - OTHER_CLASSES * (1.0 - common));
        Some(cosine(&self.vector, &other.vector) + classes)
    }
}

/// Ids are hashes already.
fn key(template: TemplateId) -> u64 {
    template.as_bytes().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}
