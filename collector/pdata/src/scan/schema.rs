//! OTLP's messages as tables: what each field of each message holds.

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A field that this release of OTLP does not have: skipped.
    Unknown,
    /// An integer, an enum or a boolean.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// Four bytes.
    Fixed32,
    /// UTF-8.
    Text,
    /// The name of an event, UTF-8.
    EventName,
    /// Bytes.
    Bytes,
    /// Eight-byte numbers, packed or not.
    Fixed64s,
    /// Varints, packed or not.
    Varints,
    /// A message that occurs at most once, or one of several of which only one may occur.
    One(&'static Schema),
    /// A message that occurs any number of times.
    Many(&'static Schema),
}

/// The fields of a message.
#[derive(Debug)]
pub(crate) struct Schema {
    fields: [Kind; Self::LEN],
    /// How many items a message of this kind counts for.
    pub(super) items: usize,
    /// Whether its messages exclude each other.
    pub(super) choice: bool,
}

impl Schema {
    const LEN: usize = 17;

    const fn new<const N: usize>(known: [(u32, Kind); N]) -> Self {
        let mut fields = [Kind::Unknown; Self::LEN];
        let mut i = 0;
        while i < N {
            fields[known[i].0 as usize] = known[i].1;
            i += 1;
        }
        Self { fields, items: 0, choice: false }
    }

    /// A message that is an item.
    const fn item<const N: usize>(known: [(u32, Kind); N]) -> Self {
        Self { items: 1, ..Self::new(known) }
    }

    /// A message of whose messages only one may occur.
    const fn choice<const N: usize>(known: [(u32, Kind); N]) -> Self {
        Self { choice: true, ..Self::new(known) }
    }

    /// What field `tag` holds.
    #[inline]
    pub(crate) const fn kind(&self, tag: u32) -> Kind {
        if (tag as usize) < Self::LEN { self.fields[tag as usize] } else { Kind::Unknown }
    }
}

use Kind::{Bytes, EventName, Fixed32, Fixed64, Fixed64s, Many, One, Text, Varint, Varints};

static ARRAY: Schema = Schema::new([(1, Many(&ANY_VALUE))]);
static KV_LIST: Schema = Schema::new([(1, Many(&KEY_VALUE))]);
pub(super) static ANY_VALUE: Schema = Schema::choice([
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, One(&ARRAY)),
    (6, One(&KV_LIST)),
    (7, Bytes),
    (8, Varint),
]);
pub(super) static KEY_VALUE: Schema = Schema::new([(1, Text), (2, One(&ANY_VALUE)), (3, Varint)]);
static SCOPE: Schema = Schema::new([(1, Text), (2, Text), (3, Many(&KEY_VALUE)), (4, Varint)]);
static ENTITY: Schema = Schema::new([(1, Text), (2, Text), (3, Text), (4, Text)]);
pub(super) static RESOURCE: Schema = Schema::new([(1, Many(&KEY_VALUE)), (2, Varint), (3, Many(&ENTITY))]);

static RECORD: Schema = Schema::item([
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, One(&ANY_VALUE)),
    (6, Many(&KEY_VALUE)),
    (7, Varint),
    (8, Fixed32),
    (9, Bytes),
    (10, Bytes),
    (11, Fixed64),
    (12, EventName),
]);
static SCOPE_LOGS: Schema = Schema::new([(1, One(&SCOPE)), (2, Many(&RECORD)), (3, Text)]);
static RESOURCE_LOGS: Schema = Schema::new([(1, One(&RESOURCE)), (2, Many(&SCOPE_LOGS)), (3, Text)]);
/// `LogsData`.
pub(crate) static LOGS: Schema = Schema::new([(1, Many(&RESOURCE_LOGS))]);

static SPAN_EVENT: Schema = Schema::new([(1, Fixed64), (2, Text), (3, Many(&KEY_VALUE)), (4, Varint)]);
static LINK: Schema =
    Schema::new([(1, Bytes), (2, Bytes), (3, Text), (4, Many(&KEY_VALUE)), (5, Varint), (6, Fixed32)]);
static STATUS: Schema = Schema::new([(2, Text), (3, Varint)]);
static SPAN: Schema = Schema::item([
    (1, Bytes),
    (2, Bytes),
    (3, Text),
    (4, Bytes),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, Many(&KEY_VALUE)),
    (10, Varint),
    (11, Many(&SPAN_EVENT)),
    (12, Varint),
    (13, Many(&LINK)),
    (14, Varint),
    (15, One(&STATUS)),
    (16, Fixed32),
]);
static SCOPE_SPANS: Schema = Schema::new([(1, One(&SCOPE)), (2, Many(&SPAN)), (3, Text)]);
static RESOURCE_SPANS: Schema = Schema::new([(1, One(&RESOURCE)), (2, Many(&SCOPE_SPANS)), (3, Text)]);
/// `TracesData`.
pub(crate) static TRACES: Schema = Schema::new([(1, Many(&RESOURCE_SPANS))]);

static EXEMPLAR: Schema =
    Schema::new([(2, Fixed64), (3, Fixed64), (4, Bytes), (5, Bytes), (6, Fixed64), (7, Many(&KEY_VALUE))]);
static NUMBER_POINT: Schema = Schema::item([
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Many(&EXEMPLAR)),
    (6, Fixed64),
    (7, Many(&KEY_VALUE)),
    (8, Varint),
]);
static HISTOGRAM_POINT: Schema = Schema::item([
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Fixed64s),
    (7, Fixed64s),
    (8, Many(&EXEMPLAR)),
    (9, Many(&KEY_VALUE)),
    (10, Varint),
    (11, Fixed64),
    (12, Fixed64),
]);
static BUCKETS: Schema = Schema::new([(1, Varint), (2, Varints)]);
static EXPONENTIAL_POINT: Schema = Schema::item([
    (1, Many(&KEY_VALUE)),
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Varint),
    (7, Fixed64),
    (8, One(&BUCKETS)),
    (9, One(&BUCKETS)),
    (10, Varint),
    (11, Many(&EXEMPLAR)),
    (12, Fixed64),
    (13, Fixed64),
    (14, Fixed64),
]);
static QUANTILE: Schema = Schema::new([(1, Fixed64), (2, Fixed64)]);
static SUMMARY_POINT: Schema = Schema::item([
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Many(&QUANTILE)),
    (7, Many(&KEY_VALUE)),
    (8, Varint),
]);
static GAUGE: Schema = Schema::new([(1, Many(&NUMBER_POINT))]);
static SUM: Schema = Schema::new([(1, Many(&NUMBER_POINT)), (2, Varint), (3, Varint)]);
static HISTOGRAM: Schema = Schema::new([(1, Many(&HISTOGRAM_POINT)), (2, Varint)]);
static EXPONENTIAL: Schema = Schema::new([(1, Many(&EXPONENTIAL_POINT)), (2, Varint)]);
static SUMMARY: Schema = Schema::new([(1, Many(&SUMMARY_POINT))]);
static METRIC: Schema = Schema::choice([
    (1, Text),
    (2, Text),
    (3, Text),
    (5, One(&GAUGE)),
    (7, One(&SUM)),
    (9, One(&HISTOGRAM)),
    (10, One(&EXPONENTIAL)),
    (11, One(&SUMMARY)),
    (12, Many(&KEY_VALUE)),
]);
static SCOPE_METRICS: Schema = Schema::new([(1, One(&SCOPE)), (2, Many(&METRIC)), (3, Text)]);
static RESOURCE_METRICS: Schema = Schema::new([(1, One(&RESOURCE)), (2, Many(&SCOPE_METRICS)), (3, Text)]);
/// `MetricsData`.
pub(crate) static METRICS: Schema = Schema::new([(1, Many(&RESOURCE_METRICS))]);
