//! Substitution in a tree: `${env:NAME}`, `${NAME}`, `${env:NAME:-default}`, `${file:PATH}`, `${yaml:TEXT}`, `$$`.
//!
//! A text that is one substitution and nothing else takes over the value's type. What an environment variable or a file
//! of text holds is taken as it is: it is data, in which `$` has no meaning. A file that holds a map or a list is a part
//! of the configuration, in which it has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::read::join;
use crate::source::{parse_file, read_file};
use crate::{ConfigError, Errors, Location, Node, Value};

/// How deep files may include files, and how deep substitutions may nest.
const MAX_DEPTH: usize = 8;
/// How many substitutions a configuration may have: a bound on files that include themselves.
const MAX_SUBSTITUTIONS: usize = 10_000;
/// How many bytes all substitutions together may bring in.
const MAX_BYTES: usize = 64 << 20;

/// Substitutes, and collects what happens on the way.
pub(crate) struct Substitution<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) errors: Errors,
    pub(crate) warnings: Vec<ConfigError>,
    pub(crate) files: Vec<PathBuf>,
    count: usize,
    bytes: usize,
}

/// What a substitution stands for.
struct Resolved {
    text: String,
    /// Its value if it stands alone, when that is not the text.
    node: Option<Node>,
}

impl From<String> for Resolved {
    fn from(text: String) -> Self {
        Self { text, node: None }
    }
}

/// Where a substitution is written.
#[derive(Clone, Copy)]
struct Site<'a> {
    location: &'a Location,
    path: &'a str,
    depth: usize,
}

impl<'a> Substitution<'a> {
    pub(crate) fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, errors: Errors::default(), warnings: Vec::new(), files: Vec::new(), count: 0, bytes: 0 }
    }

    /// Substitutes in all texts of the tree.
    pub(crate) fn apply(&mut self, node: &mut Node, path: &str, depth: usize) {
        match &mut node.value {
            Value::String(text) if text.contains('$') => {
                let text = std::mem::take(text);
                let location = node.location.clone();
                let site = Site { location: &location, path, depth };
                match self.expand(&text, site) {
                    Ok(new) => *node = new,
                    Err(message) => self.error(site, message),
                }
            }
            Value::List(nodes) => {
                for (i, node) in nodes.iter_mut().enumerate() {
                    self.apply(node, &join(path, &i.to_string()), depth);
                }
            }
            Value::Map(map) => {
                for (key, (_, node)) in map {
                    self.apply(node, &join(path, key), depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
        }
    }

    fn error(&mut self, site: Site<'_>, message: String) {
        let location = site.location.clone();
        self.errors.0.push(ConfigError { location, path: site.path.to_owned(), message, hint: None });
    }

    fn expand(&mut self, text: &str, site: Site<'_>) -> Result<Node, String> {
        let alone =
            text.strip_prefix("${").filter(|rest| closing(rest).is_some_and(|end| end + 1 == rest.len()));
        if let Some(rest) = alone {
            let resolved = self.resolve(&rest[..rest.len() - 1], site)?;
            let location = site.location.clone();
            return Ok(resolved.node.unwrap_or_else(|| Node::new(Value::String(resolved.text), location)));
        }
        let text = self.expand_text(text, site)?;
        Ok(Node::new(Value::String(text), site.location.clone()))
    }

    /// Substitutes inside of a text.
    fn expand_text(&mut self, text: &str, site: Site<'_>) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            match rest.strip_prefix('{').and_then(|inner| closing(inner).map(|end| (inner, end))) {
                Some((inner, end)) => {
                    let resolved = self.resolve(&inner[..end], site)?;
                    if matches!(&resolved.node, Some(node) if matches!(node.value, Value::List(_) | Value::Map(_)))
                    {
                        return Err(format!("`${{{}}}` is not text, so it must stand alone", &inner[..end]));
                    }
                    expanded.push_str(&resolved.text);
                    rest = &inner[end + 1..];
                }
                None => expanded.push('$'),
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// What `${reference}` stands for.
    fn resolve(&mut self, reference: &str, site: Site<'_>) -> Result<Resolved, String> {
        self.count += 1;
        if self.count > MAX_SUBSTITUTIONS || site.depth >= MAX_DEPTH {
            return Err("too many substitutions, or nested too deep: does a file include itself?".to_owned());
        }
        let site = Site { depth: site.depth + 1, ..site };
        let reference = self.expand_text(reference, site)?;
        let (scheme, rest) = match reference.split_once(':') {
            Some((name, rest)) if !rest.starts_with('-') => (name, rest),
            _ => ("env", reference.as_str()),
        };
        let resolved = match scheme {
            "env" => self.variable(rest, site)?,
            "file" => self.file(rest, site)?,
            "yaml" => typed(rest.to_owned(), site),
            _ => {
                return Err(format!(
                    "unknown scheme `{scheme}:` in `${{{reference}}}`: use `env:`, `file:` or `yaml:`"
                ));
            }
        };
        self.bytes = self.bytes.saturating_add(resolved.text.len());
        if self.bytes > MAX_BYTES {
            return Err("the substitutions of this configuration bring in more than 64 MiB".to_owned());
        }
        Ok(resolved)
    }

    fn variable(&mut self, reference: &str, site: Site<'_>) -> Result<Resolved, String> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(format!(
                "`{name}` is not the name of an environment variable; for a dollar sign write `$$`"
            ));
        }
        match ((self.env)(name), default) {
            (Some(text), _) if !text.is_empty() => Ok(typed(text, site)),
            (_, Some(default)) => Ok(typed(default.to_owned(), site)),
            (Some(text), None) => Ok(typed(text, site)),
            (None, None) => {
                self.warnings.push(ConfigError {
                    location: site.location.clone(),
                    path: site.path.to_owned(),
                    message: format!("the environment variable `{name}` is not set, so this is empty"),
                    hint: Some(format!("write `${{env:{name}:-default}}` for a default")),
                });
                Ok(typed(String::new(), site))
            }
        }
    }

    fn file(&mut self, path: &str, site: Site<'_>) -> Result<Resolved, String> {
        let path = Path::new(path);
        let text = read_file(path)?;
        self.files.push(path.to_owned());
        let name: Arc<str> = path.display().to_string().into();
        match parse_file(path, &name, &text) {
            Ok(mut node) if matches!(node.value, Value::List(_) | Value::Map(_)) => {
                self.apply(&mut node, site.path, site.depth);
                Ok(Resolved { text: String::new(), node: Some(node) })
            }
            // A secret in a file usually ends with a line break that is not part of it.
            _ => Ok(typed(
                text.strip_suffix('\n').map_or(text.as_str(), |text| text.trim_end_matches('\r')).to_owned(),
                site,
            )),
        }
    }
}

/// A text that takes the type YAML gives it when it stands alone.
fn typed(text: String, site: Site<'_>) -> Resolved {
    let node = match crate::yaml::parse(&site.location.source, &text) {
        Ok(node) => match node.value {
            Value::String(_) => None,
            Value::List(_) | Value::Map(_) => Some(node.at(site.location)),
            value => {
                let written = Some(text.as_str().into());
                Some(Node { value, location: site.location.clone(), written })
            }
        },
        // Whatever is not YAML is text.
        Err(_) => None,
    };
    Resolved { text, node }
}

/// The offset of the brace that closes what was opened just before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '$' if rest.peek().is_some_and(|(_, next)| *next == '{') => {
                rest.next();
                depth += 1;
            }
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
