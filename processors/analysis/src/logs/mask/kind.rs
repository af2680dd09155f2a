//! What a part of a line is.

use serde::{Deserialize, Serialize};

/// What a part of a line is: a word of the message, or one of the things that vary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// Text of the message itself.
    #[default]
    Word,
    /// A variable part of which no more is known.
    Any,
    /// A secret; what it was is not kept.
    Secret,
    /// A number with sign and decimals.
    Number,
    /// A hexadecimal number.
    Hex,
    /// An IP address, version 4 or 6, perhaps with a prefix length.
    Ip,
    /// A port, after an address or a host.
    Port,
    /// A hardware address.
    Mac,
    /// A UUID.
    Uuid,
    /// A date, a time of day or both.
    Time,
    /// A number with a unit of time.
    Duration,
    /// A number with a unit of information.
    Size,
    /// A percentage.
    Percent,
    /// A file's path.
    Path,
    /// A URL.
    Url,
    /// A host's name.
    Host,
    /// An email address.
    Email,
    /// An identifier: letters, digits and joiners mixed.
    Id,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Word,
        Self::Any,
        Self::Secret,
        Self::Number,
        Self::Hex,
        Self::Ip,
        Self::Port,
        Self::Mac,
        Self::Uuid,
        Self::Time,
        Self::Duration,
        Self::Size,
        Self::Percent,
        Self::Path,
        Self::Url,
        Self::Host,
        Self::Email,
        Self::Id,
    ];

    /// How it stands in a template. A word stands for itself.
    pub const fn mask(self) -> &'static str {
        match self {
            Self::Word => "",
            Self::Any => "<*>",
            Self::Secret => "<SECRET>",
            Self::Number => "<NUM>",
            Self::Hex => "<HEX>",
            Self::Ip => "<IP>",
            Self::Port => "<PORT>",
            Self::Mac => "<MAC>",
            Self::Uuid => "<UUID>",
            Self::Time => "<TIME>",
            Self::Duration => "<DURATION>",
            Self::Size => "<SIZE>",
            Self::Percent => "<PERCENT>",
            Self::Path => "<PATH>",
            Self::Url => "<URL>",
            Self::Host => "<HOST>",
            Self::Email => "<EMAIL>",
            Self::Id => "<ID>",
        }
    }

    /// The name in lower case, for attributes and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Any => "any",
            Self::Secret => "secret",
            Self::Number => "num",
            Self::Hex => "hex",
            Self::Ip => "ip",
            Self::Port => "port",
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Percent => "percent",
            Self::Path => "path",
            Self::Url => "url",
            Self::Host => "host",
            Self::Email => "email",
            Self::Id => "id",
        }
    }

    /// Whether it varies from line to line.
    pub const fn is_mask(self) -> bool {
        !matches!(self, Self::Word)
    }

    /// The kind of what is sometimes one and sometimes the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Any }
    }

    /// The mask at the start of `bytes`, with its length.
    pub(crate) fn at(bytes: &[u8]) -> Option<(Self, usize)> {
        let found = |kind: &&Self| kind.is_mask() && bytes.starts_with(kind.mask().as_bytes());
        Self::ALL.iter().find(found).map(|kind| (*kind, kind.mask().len()))
    }
}
