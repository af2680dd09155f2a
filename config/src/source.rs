//! Where configuration comes from, and reading it into a tree.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::{ConfigError, Errors, Location, Node, Value};

/// A file larger than this is no configuration.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Where a part of the configuration comes from, as `--config` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, YAML unless it is named `*.toml`: `PATH` or `file:PATH`.
    File(PathBuf),
    /// YAML in an environment variable: `env:NAME`.
    Env(String),
    /// YAML itself: `yaml:processors::batch::timeout: 2s`. In its keys `::` stands for nesting.
    Yaml(String),
}

/// Why a text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// Remote configuration.
    #[error("`{0}:` is not supported: fetch the file first and pass its path")]
    Remote(String),
    /// Some other scheme.
    #[error("unknown scheme `{0}:`: use a path, `file:`, `env:` or `yaml:`")]
    UnknownScheme(String),
    /// Nothing after the scheme.
    #[error("nothing follows `{0}`")]
    Empty(String),
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let (scheme, rest) = match text.split_once(':') {
            // A single letter is a drive, and a path has no scheme.
            Some((scheme, rest))
                if scheme.len() > 1
                    && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) =>
            {
                (scheme, rest)
            }
            _ => ("file", text),
        };
        if rest.trim().is_empty() {
            return Err(InvalidSource::Empty(text.to_owned()));
        }
        match scheme {
            "file" => Ok(Self::File(rest.into())),
            "env" => Ok(Self::Env(rest.to_owned())),
            "yaml" => Ok(Self::Yaml(rest.to_owned())),
            "http" | "https" => Err(InvalidSource::Remote(scheme.to_owned())),
            // A file whose name has a colon.
            _ if Path::new(text).exists() => Ok(Self::File(text.into())),
            _ => Err(InvalidSource::UnknownScheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Yaml(_) => f.write_str("yaml:"),
        }
    }
}

impl Source {
    /// Reads the tree, without substitutions.
    pub(crate) fn read(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Node, Errors> {
        let name: Arc<str> = self.to_string().into();
        match self {
            Self::File(path) => {
                let text = read_file(path).map_err(|message| nowhere(&name, message))?;
                parse_file(path, &name, &text)
            }
            Self::Env(variable) => match env(variable) {
                Some(text) => crate::yaml::parse(&name, &text),
                None => Err(nowhere(&name, format!("the environment variable `{variable}` is not set"))),
            },
            Self::Yaml(text) => {
                let mut tree = crate::yaml::parse(&name, text)?;
                unfold_keys(&mut tree);
                Ok(tree)
            }
        }
    }
}

fn nowhere(source: &str, message: String) -> Errors {
    ConfigError { location: Location::nowhere(source), path: String::new(), message, hint: None }.into()
}

/// Parses a file's text by its name.
pub(crate) fn parse_file(path: &Path, name: &Arc<str>, text: &str) -> Result<Node, Errors> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        crate::toml::parse(name, text)
    } else {
        crate::yaml::parse(name, text)
    }
}

/// Reads a file's text, or says why it cannot.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("`{}` is larger than 16 MiB", path.display()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        format!("`{}` is not UTF-8 text: line {} is damaged", path.display(), good.lines().count().max(1))
    })
}

/// Turns every key `a::b` into nested maps.
fn unfold_keys(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, (location, mut value)) in std::mem::take(map) {
                unfold_keys(&mut value);
                let mut keys = key.split("::");
                let first = keys.next().unwrap_or_default().to_owned();
                let keys: Vec<_> = keys.collect();
                let nested = nest(&keys, value, &location);
                match map.get_mut(&first) {
                    Some((_, known)) => crate::merge::merge(known, nested),
                    None => {
                        map.insert(first, (location, nested));
                    }
                }
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(unfold_keys),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
    }
}

/// `value` below `keys`.
pub(crate) fn nest(keys: &[&str], value: Node, location: &Location) -> Node {
    keys.iter().rev().fold(value, |inner, key| {
        let entry = ((*key).to_owned(), (location.clone(), inner));
        Node::new(Value::Map(std::iter::once(entry).collect()), location.clone())
    })
}
