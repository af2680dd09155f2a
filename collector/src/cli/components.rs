//! `watchfire components`: what this build has, for people, programs and the documentation.

mod reference;

use std::fmt::Write;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use component::{Kind, Registry, Stability};
use pdata::SignalSet;
use serde::Serialize;

use super::Failure;

/// How to list the components.
#[derive(Debug, Args)]
pub(crate) struct ComponentsArgs {
    /// How the list looks.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table.
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// The component reference with every key.
    Markdown,
}

/// One component of the list.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    #[serde(skip)]
    kind: Kind,
    name: &'static str,
    aliases: &'static [&'static str],
    stability: &'static str,
    signals: Vec<&'static str>,
}

pub(super) fn run(args: &ComponentsArgs, registry: &Registry) -> Result<String, Failure> {
    let entries = entries(registry);
    Ok(match args.format {
        Format::Text => table(&entries),
        Format::Json => {
            serde_json::to_string_pretty(&by_kind(&entries)).context("cannot write the list as JSON")? + "\n"
        }
        Format::Yaml => {
            serde_saphyr::to_string(&by_kind(&entries)).context("cannot write the list as YAML")?
        }
        Format::Markdown => reference::markdown(&entries, registry),
    })
}

/// Every component, by kind and name.
pub(super) fn entries(registry: &Registry) -> Vec<Entry> {
    let entry = |kind, name, aliases, stability: Stability, signals: SignalSet| Entry {
        kind,
        name,
        aliases,
        stability: stability.name(),
        signals: signals.iter().map(pdata::Signal::name).collect(),
    };
    let receivers = registry
        .receivers
        .iter()
        .map(|f| entry(Kind::Receiver, f.type_name, f.aliases, f.stability, f.signals));
    let processors = registry
        .processors
        .iter()
        .map(|f| entry(Kind::Processor, f.type_name, f.aliases, f.stability, f.signals));
    let exporters = registry
        .exporters
        .iter()
        .map(|f| entry(Kind::Exporter, f.type_name, f.aliases, f.stability, f.signals));
    let connectors = registry
        .connectors
        .iter()
        .map(|f| entry(Kind::Connector, f.type_name, f.aliases, f.stability, f.inputs));
    let extensions = registry
        .extensions
        .iter()
        .map(|f| entry(Kind::Extension, f.type_name, f.aliases, f.stability, SignalSet::NONE));
    receivers.chain(processors).chain(exporters).chain(connectors).chain(extensions).collect()
}

fn by_kind(entries: &[Entry]) -> indexmap::IndexMap<&'static str, Vec<&Entry>> {
    let mut kinds = indexmap::IndexMap::<_, Vec<_>>::new();
    for entry in entries {
        kinds.entry(entry.kind.section()).or_default().push(entry);
    }
    kinds
}

fn table(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (section, entries) in by_kind(entries) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{section}:");
        for Entry { name, aliases, stability, signals, .. } in entries {
            let mut line = format!("  {name:width$}  {stability:6}  {}", signals.join(", "));
            if !aliases.is_empty() {
                let _ = write!(line, "  (also {})", aliases.join(", "));
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}
