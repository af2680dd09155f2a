//! From sources to a [`Config`]: read, merge, substitute, build.

use crate::build::Builder;
use crate::merge::merge;
use crate::model::Config;
use crate::read::error;
use crate::source::nest;
use crate::substitute::Substitution;
use crate::{Errors, Location, Node, Source, Value};

/// Loads a configuration.
///
/// Later sources are laid over earlier ones: maps are merged, everything else is replaced. `sets` are `key.path=value`
/// (or `key::path=value`, when a key has a dot in it), laid over last; a value is YAML. `env` gives the environment's
/// variables.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn load(
    sources: &[Source],
    sets: &[String],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Errors> {
    let mut errors = Errors::default();
    let mut tree = Node::new(Value::Null, Location::nowhere("configuration"));
    let read = sources.iter().map(|source| source.read(env)).chain(sets.iter().map(|set| parse_set(set)));
    for node in read {
        match node {
            Ok(node) => lay_over(&mut tree, node, &mut errors),
            Err(wrong) => errors.extend(wrong),
        }
    }
    // What follows would only repeat that a part is missing.
    errors.clone().into_result()?;

    let mut substitution = Substitution::new(env);
    substitution.apply(&mut tree, "", 0);
    let Substitution { errors: wrong, mut warnings, files, .. } = substitution;
    errors.extend(wrong);
    let mut config = Builder { errors: &mut errors, warnings: &mut warnings }.config(&tree);
    errors.into_result()?;

    let named = sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path.clone()),
        Source::Env(_) | Source::Yaml(_) => None,
    });
    config.files = named.chain(files).collect();
    config.warnings = warnings;
    Ok(config)
}

fn lay_over(tree: &mut Node, over: Node, errors: &mut Errors) {
    match (&over.value, &tree.value) {
        (Value::Map(_), Value::Null) => *tree = over,
        (Value::Map(_), _) => merge(tree, over),
        // An empty file says nothing.
        (Value::Null, _) => {}
        _ => {
            let message = format!("expected a map of sections, found {}", over.kind());
            errors.0.push(error(&over.location, "", message, None));
        }
    }
}

/// `a.b=value` as a tree.
fn parse_set(set: &str) -> Result<Node, Errors> {
    let location = Location::nowhere("--set");
    let wrong = |message: String| Errors::from(error(&location, "", message, None));
    let (key, text) =
        set.split_once('=').ok_or_else(|| wrong(format!("expected `key.path=value`, found `{set}`")))?;
    let separator = if key.contains("::") { "::" } else { "." };
    let keys: Vec<_> = key.split(separator).map(str::trim).collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(wrong(format!("`{key}` has an empty part")));
    }
    let value = crate::yaml::parse(&location.source, text).map_err(|errors| {
        wrong(errors.0.first().map_or_else(String::new, |error| format!("{key}: {}", error.message)))
    })?;
    Ok(nest(&keys, value.at(&location), &location))
}
