//! Settings of the `drain` processor.

use analysis::logs::attributes::TEMPLATE;
use analysis::logs::join::Limits;
use analysis::logs::mask;
use analysis::logs::miner;
use config::{ByteSize, ComponentId, Duration, Invalid, Validate};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The least budget that is of any use.
const LEAST_BYTES: ByteSize = ByteSize::from_mib(1);

/// Settings of the `drain` processor. The defaults suit every program's logs; there are no expressions to write.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The share of words, 0 to 1, that two lines must have in common before the words in which they differ can be
    /// taken for a variable.
    pub merge_threshold: f64,
    /// At most so many different words at one position make templates of their own; one more and the position is a
    /// variable. A position where a number, an address or the like was seen is one at once.
    pub distinct_words: usize,
    /// How many templates are kept at most; `0` means as many as fit into `max_bytes`. The rarest make room.
    pub max_clusters: usize,
    /// How much memory the templates may take, for all parallel copies of the processor together.
    pub max_bytes: ByteSize,
    /// Accepted for the collector's sake: lines are told apart by their whole shape, so there is no depth.
    pub tree_depth: u32,
    /// Accepted for the collector's sake: memory is bounded by `max_bytes` instead.
    pub max_node_children: u32,
    /// Accepted for the collector's sake: words end at every punctuation mark as it is.
    pub extra_delimiters: Vec<String>,
    /// Whether severity, time, trace and span are read from the text of records that have none, and templates are found in
    /// what such a text says without them.
    pub parse: bool,
    /// Which lines are joined to one record.
    pub join: Join,
    /// If the body is a map, the text under this top-level key is the message; if it has no such key, all of it is.
    pub body_field: String,
    /// The attribute for the template.
    pub template_attribute: String,
    /// Whether variable parts stand in the template as what they are, such as `<IP>`, instead of `<*>`. The template's
    /// id does not depend on it.
    pub typed_masks: bool,
    /// Whether secrets are taken out of the body and the record's attributes. Templates never hold any.
    pub redact: bool,
    /// Whether email addresses are taken out too.
    pub redact_emails: bool,
    /// Further variable parts, by regular expression; each match counts as variable whatever it looks like.
    pub masking_rules: Vec<MaskingRule>,
    /// Whether the variable parts are written to attributes named after what they are, such as
    /// `log.record.template.parameter.ip`; several of a kind make a list.
    pub extract_parameters: bool,
    /// What the names of those attributes begin with.
    pub parameter_key_prefix: String,
    /// Whether the texts at the template's wildcards are written to an attribute, as a list in their order.
    pub emit_wildcards: bool,
    /// The attribute for that list.
    pub wildcards_attribute: String,
    /// Templates that are known from the start.
    pub seed_templates: Vec<String>,
    /// Lines to learn from at the start.
    pub seed_logs: Vec<String>,
    /// Until so many templates are known, records pass without a template. `0` means from the first record on.
    pub warmup_min_clusters: usize,
    /// The first so many records of a service are held back until there is more to judge their templates by. `0` holds
    /// back nothing.
    pub hold_records: usize,
    /// They are held back no longer than this.
    pub hold_time: Duration,
    /// In a replay, where nobody waits for an answer, a service's records are held back for this long in event time, however
    /// many there are.
    pub replay_hold_time: Duration,
    /// No more than this is held back.
    pub max_held_bytes: ByteSize,
    /// Whether a log record says so when templates turn out to be one (event `watchfire.log.template.merged`).
    pub emit_merges: bool,
    /// Accepted for the collector's sake: what is learned is kept by `service.state`.
    pub storage: Option<ComponentId>,
    /// Accepted for the collector's sake, as `storage` is.
    pub save_interval: Duration,
}

/// A kind of variable part of the user's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskingRule {
    /// What it is called in attributes.
    pub name: String,
    /// A regular expression; its whole match is the variable part.
    pub pattern: String,
}

/// Which lines are joined to one record: stack traces, JSON and XML over several lines, and lines that continue the one before.
/// Records that came with a time and a severity are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Join {
    /// Whether lines are joined at all.
    pub enabled: bool,
    /// A record whose lines seem to be incomplete at the end of a batch waits no longer than this for more. With `0s` it does
    /// not wait.
    pub timeout: Duration,
    /// No record gets more lines.
    pub max_lines: usize,
    /// No record gets more bytes.
    pub max_bytes: ByteSize,
}

impl Default for Join {
    fn default() -> Self {
        let Limits { lines, bytes, wait } = Limits::default();
        Self { enabled: true, timeout: wait.into(), max_lines: lines, max_bytes: ByteSize(bytes as u64) }
    }
}

impl Join {
    /// `None` if lines are not joined.
    pub(super) fn limits(&self) -> Option<Limits> {
        self.enabled.then(|| Limits {
            lines: self.max_lines,
            bytes: self.max_bytes.as_usize(),
            wait: self.timeout.get(),
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            merge_threshold: 0.4,
            distinct_words: miner::Settings::default().distinct_words,
            max_clusters: 0,
            max_bytes: ByteSize::from_mib(32),
            tree_depth: 4,
            max_node_children: 100,
            extra_delimiters: Vec::new(),
            parse: true,
            join: Join::default(),
            body_field: String::new(),
            template_attribute: TEMPLATE.to_owned(),
            typed_masks: false,
            redact: true,
            redact_emails: false,
            masking_rules: Vec::new(),
            extract_parameters: false,
            parameter_key_prefix: "log.record.template.parameter".to_owned(),
            emit_wildcards: false,
            wildcards_attribute: "log.record.template.wildcards".to_owned(),
            seed_templates: Vec::new(),
            seed_logs: Vec::new(),
            warmup_min_clusters: 0,
            hold_records: 1000,
            hold_time: Duration::from_secs(4),
            replay_hold_time: Duration::from_secs(60),
            max_held_bytes: ByteSize::from_mib(16),
            emit_merges: false,
            storage: None,
            save_interval: Duration::default(),
        }
    }
}

impl Config {
    /// The miner's settings, for one of `shards` copies.
    pub(super) fn miner(&self, shards: usize, seed: u64) -> miner::Settings {
        let default = miner::Settings::default();
        miner::Settings {
            distinct_words: self.distinct_words,
            similarity: self.merge_threshold,
            max_templates: if self.max_clusters == 0 {
                usize::MAX
            } else {
                self.max_clusters.div_ceil(shards)
            },
            max_bytes: self.max_bytes.as_usize() / shards,
            seed,
            ..default
        }
    }

    pub(super) fn mask(&self) -> mask::Settings {
        // Secrets are always looked for: templates must not hold any, even if bodies may.
        mask::Settings { redact: true, redact_emails: self.redact_emails, ..mask::Settings::default() }
    }

    /// The users' own kinds of variable parts.
    pub(super) fn rules(&self) -> Result<Vec<(String, Regex)>, Invalid> {
        let rule = |(i, rule): (usize, &MaskingRule)| {
            let pattern = Regex::new(&rule.pattern);
            let field = format!("masking_rules.{i}.pattern");
            pattern
                .map(|regex| (rule.name.clone(), regex))
                .map_err(|error| Invalid::new(field, error.to_string()))
        };
        self.masking_rules.iter().enumerate().map(rule).collect()
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        // Written so that NaN fails too.
        let is_share = (0.0..=1.0).contains(&self.merge_threshold);
        Invalid::unless(is_share, "merge_threshold", "must be between 0 and 1")?;
        Invalid::unless(self.distinct_words > 0, "distinct_words", "must be at least 1")?;
        Invalid::unless(self.tree_depth >= 3, "tree_depth", "must be at least 3")?;
        Invalid::unless(self.max_bytes >= LEAST_BYTES, "max_bytes", "must be at least 1MiB")?;
        Invalid::unless(self.join.max_lines > 0, "join.max_lines", "must be at least 1")?;
        Invalid::unless(!self.template_attribute.is_empty(), "template_attribute", "must not be empty")?;
        for (i, rule) in self.masking_rules.iter().enumerate() {
            let is_name = !rule.name.is_empty()
                && !rule.name.contains(['<', '>'])
                && !rule.name.contains(char::is_whitespace);
            let field = format!("masking_rules.{i}.name");
            Invalid::unless(is_name, &field, "must be a word without angle brackets")?;
        }
        self.rules().map(drop)
    }
}
