//! OTLP's messages as tables: what each field of each message holds, on the wire and in JSON.

mod tables;

#[cfg(test)]
pub(crate) use tables::RESOURCE;
pub(crate) use tables::{ANY_VALUE, KEY_VALUE, LOG_RECORD, LOGS, METRICS, TRACES};

/// What a field holds on the wire.
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
    /// UTF-8, any number of times.
    Texts,
    /// Bytes.
    Bytes,
    /// Eight-byte numbers, packed or not.
    Fixed64s,
    /// Varints, packed or not.
    Varints,
    /// A message that occurs at most once.
    One(&'static Schema),
    /// A message that occurs any number of times.
    Many(&'static Schema),
}

/// What a value looks like in JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Text.
    Text,
    /// Hexadecimal text.
    Hex,
    /// Base64 text.
    Base64,
    /// True or false.
    Bool,
    /// A number; read from its name, too.
    Enum(fn(&str) -> Option<i32>),
    /// A number.
    I32,
    /// A number; zigzag on the wire.
    Zigzag,
    /// A number.
    U32,
    /// Decimal text.
    I64,
    /// Decimal text.
    U64,
    /// A number, or text for those that JSON does not have.
    F64,
    /// An object.
    Object,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    /// The name in JSON.
    pub(crate) name: &'static str,
    /// What stands in front of its value in JSON if it is not the first: `,"name":`.
    pub(crate) start: &'static str,
}

/// The fields of a message.
#[derive(Debug)]
pub(crate) struct Schema {
    fields: [Field; Self::LEN],
    /// How many items a message of this kind counts for.
    pub(crate) items: usize,
    /// Fields, as bits, of which only one counts: the last.
    pub(crate) oneof: u32,
}

impl Schema {
    const LEN: usize = 17;

    /// What field `tag` holds on the wire.
    #[inline]
    pub(crate) const fn kind(&self, tag: u32) -> Kind {
        if (tag as usize) < Self::LEN { self.fields[tag as usize].kind } else { Kind::Unknown }
    }

    /// Field `tag`, if OTLP has it.
    #[inline]
    pub(crate) fn field(&self, tag: u32) -> Option<&Field> {
        self.fields.get(tag as usize).filter(|field| !field.name.is_empty())
    }

    /// The bit that stands for a field; all fields of a oneof share one.
    #[inline]
    pub(crate) const fn bit(&self, tag: u32) -> u32 {
        let bit = 1 << tag;
        if self.oneof & bit == 0 { bit } else { 1 }
    }

    /// The field with a name in JSON: camelCase, or snake_case as in the protobuf definition. Senders keep to an order,
    /// so the search begins at field `hint`.
    pub(crate) fn find(&self, name: &[u8], hint: u32) -> Option<(u32, &Field)> {
        let from = |tags: std::ops::Range<usize>| {
            self.fields[tags.clone()]
                .iter()
                .zip(tags)
                .find(|(field, _)| field.name.as_bytes() == name && !name.is_empty())
                .map(|(field, tag)| (tag as u32, field))
        };
        let hint = (hint as usize).min(Self::LEN);
        from(hint..Self::LEN).or_else(|| from(0..hint)).or_else(|| self.find_snake_case(name))
    }

    #[cold]
    fn find_snake_case(&self, name: &[u8]) -> Option<(u32, &Field)> {
        if !name.contains(&b'_') {
            return None;
        }
        let fields = self.fields.iter().zip(0..);
        fields.filter(|(field, _)| is_snake_case_of(name, field.name)).map(|(field, tag)| (tag, field)).next()
    }
}

fn is_snake_case_of(snake: &[u8], camel: &str) -> bool {
    let expected = camel.bytes().flat_map(|byte| {
        let upper = byte.is_ascii_uppercase();
        upper.then_some(b'_').into_iter().chain([byte.to_ascii_lowercase()])
    });
    expected.eq(snake.iter().copied())
}
