//! What must hold of every component, checked over the tables of factories.

use std::collections::BTreeSet;

use component::{Ack, BuildError, ConfigSpec, Context, Create, Kind, Output};
use config::Section;
use pdata::Timestamp;
use schemars::SchemaGenerator;
use serde_json::{Value as Json, json};

use crate::examples::examples;
use crate::workspace::root;

struct Entry {
    kind: Kind,
    name: &'static str,
    aliases: &'static [&'static str],
    spec: ConfigSpec,
}

fn every_component() -> Vec<Entry> {
    let entry = |kind, name, aliases, spec| Entry { kind, name, aliases, spec };
    let receivers =
        receivers::FACTORIES.iter().map(|f| entry(Kind::Receiver, f.type_name, f.aliases, f.config));
    let processors =
        processors::FACTORIES.iter().map(|f| entry(Kind::Processor, f.type_name, f.aliases, f.config));
    let exporters =
        exporters::FACTORIES.iter().map(|f| entry(Kind::Exporter, f.type_name, f.aliases, f.config));
    let extensions =
        extensions::FACTORIES.iter().map(|f| entry(Kind::Extension, f.type_name, f.aliases, f.config));
    receivers.chain(processors).chain(exporters).chain(extensions).collect()
}

#[test]
fn names_are_lower_snake_case_and_sorted() {
    let names: Vec<_> = every_component().iter().map(|entry| (entry.kind, entry.name)).collect();
    for (_, name) in &names {
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(valid, "`{name}`");
    }
    assert!(names.is_sorted(), "keep the tables of factories sorted by name: {names:?}");
}

#[test]
fn a_section_without_keys_is_valid_or_names_what_is_required() {
    for Entry { kind, name, spec, .. } in every_component() {
        if let Err(errors) = (spec.check)(&Section::from_json(name, &json!({}))) {
            for error in &errors.0 {
                let names_a_key = error.path != name || error.message.contains('`');
                assert!(names_a_key, "{} {name}: `{error}` does not say which key is missing", kind.name());
            }
        }
    }
}

#[test]
fn unknown_keys_are_refused() {
    for Entry { kind, name, spec, .. } in every_component() {
        let errors = (spec.check)(&Section::from_json(name, &json!({"surely_unknown": 1}))).expect_err(name);
        let found = errors.0.iter().any(|error| error.path.ends_with("surely_unknown"));
        assert!(found, "{} {name}: {errors}", kind.name());
    }
}

#[test]
fn every_key_is_described() {
    for Entry { kind, name, spec, .. } in every_component() {
        let mut generator = SchemaGenerator::default();
        let schema = (spec.schema)(&mut generator);
        let mut schemas = vec![schema.to_value()];
        schemas.extend(generator.take_definitions(true).into_values());
        for schema in schemas {
            let properties = schema.get("properties").and_then(Json::as_object);
            for (key, property) in properties.into_iter().flatten() {
                let described = property.get("description").is_some();
                assert!(described, "{} {name}: the key `{key}` needs a doc comment", kind.name());
            }
        }
    }
}

#[test]
fn every_component_has_a_readme_with_the_usual_headings() {
    for Entry { kind, name, .. } in every_component() {
        let folder = if kind == Kind::Extension { "collector/extensions" } else { kind.section() };
        let path = root().join(folder).join("src").join(name).join("README.md");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for heading in ["Overview", "Configuration", "Example", "Telemetry", "Limits"] {
            let found = text
                .lines()
                .any(|line| line.trim_start_matches('#').trim() == heading && line.starts_with('#'));
            assert!(found, "{} has no heading `{heading}`", path.display());
        }
    }
}

#[test]
fn every_component_is_in_an_example() {
    let mut used = BTreeSet::new();
    for path in examples() {
        let config = config::load(&[config::Source::File(path.clone())], &[], &|_| Some("1".to_owned()))
            .unwrap_or_else(|errors| panic!("{}", errors));
        let sections = [
            (Kind::Receiver, &config.receivers),
            (Kind::Processor, &config.processors),
            (Kind::Exporter, &config.exporters),
            (Kind::Extension, &config.extensions),
        ];
        for (kind, sections) in sections {
            used.extend(sections.keys().map(|id| (kind, id.type_name().to_owned())));
        }
    }
    for Entry { kind, name, aliases, .. } in every_component() {
        let found =
            std::iter::once(&name).chain(aliases).any(|name| used.contains(&(kind, (*name).to_owned())));
        assert!(found, "no file in config/examples uses the {} `{name}`", kind.name());
    }
}

/// Building from an empty section that passed its check may fail to start here, but not because of the section.
fn builds<T: ?Sized>(kind: Kind, name: &str, spec: ConfigSpec, create: Create<T>) -> Option<Box<T>> {
    let section = Section::from_json(name, &json!({}));
    (spec.check)(&section).ok()?;
    match create(&section, &Context::detached(kind, name)) {
        Ok(component) => Some(component),
        Err(BuildError::Start(_)) => None,
        Err(BuildError::Config(errors)) => panic!("{} {name} passed its check: {errors}", kind.name()),
    }
}

#[tokio::test]
async fn whatever_passes_its_check_can_be_built_dropped_and_built_again() {
    for _ in 0..2 {
        for f in receivers::FACTORIES {
            drop(builds(Kind::Receiver, f.type_name, f.config, f.create));
        }
        for f in exporters::FACTORIES {
            drop(builds(Kind::Exporter, f.type_name, f.config, f.create));
        }
        for f in extensions::FACTORIES {
            drop(builds(Kind::Extension, f.type_name, f.config, f.create));
        }
    }
}

#[tokio::test]
async fn a_processor_that_saw_nothing_ticks_and_flushes_and_restores_its_own_snapshot() {
    for f in processors::FACTORIES {
        let Some(mut processor) = builds(Kind::Processor, f.type_name, f.config, f.create) else { continue };
        let mut output = Output::for_batch(Ack::none());
        processor.tick(Timestamp::from_nanos(1), &mut output);
        processor.idle(&mut output);
        let snapshot = processor.snapshot();
        processor.flush(Timestamp::from_nanos(2), &mut output);
        let mut again =
            builds(Kind::Processor, f.type_name, f.config, f.create).expect("it was built before");
        if let Some(snapshot) = snapshot {
            again.restore(&snapshot).unwrap_or_else(|error| panic!("{}: {error}", f.type_name));
            assert_eq!(again.snapshot().as_ref(), Some(&snapshot), "{}", f.type_name);
        }
    }
}
