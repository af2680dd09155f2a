//! `watchfire schema`: one JSON Schema of the whole configuration.

use anyhow::Context as _;
use component::delivery::DeliverySettings;
use component::{Kind, Registry};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use super::Failure;

const KINDS: [Kind; 5] = [Kind::Receiver, Kind::Processor, Kind::Exporter, Kind::Connector, Kind::Extension];

/// The schema as text.
pub(super) fn text(registry: &Registry) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&schema(registry)).context("cannot write the schema as JSON")? + "\n")
}

fn schema(registry: &Registry) -> Json {
    let mut generator = SchemaGenerator::default();
    let delivery = DeliverySettings::json_schema(&mut generator);
    let mut properties = Map::new();
    for kind in KINDS {
        let mut patterns = Map::new();
        for (name, aliases, spec) in registry.specs(kind) {
            let mut section: Json = (spec.schema)(&mut generator).into();
            if kind == Kind::Exporter {
                join(&mut section, delivery.as_value());
            }
            let names = std::iter::once(name).chain(aliases.iter().copied()).collect::<Vec<_>>().join("|");
            // A component without settings is written as a key without value.
            patterns.insert(format!("^({names})(/.+)?$"), json!({"anyOf": [section, {"type": "null"}]}));
        }
        let section = json!({
            "description": format!("The {}s, by `type` or `type/name`.", kind.name()),
            "type": ["object", "null"],
            "patternProperties": patterns,
            "additionalProperties": false,
        });
        properties.insert(kind.section().to_owned(), section);
    }
    properties.insert("service".to_owned(), service());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Watchfire configuration",
        "type": "object",
        "properties": properties,
        "required": ["service"],
        "additionalProperties": false,
        "$defs": generator.take_definitions(true),
    })
}

/// Adds the engine's settings to an exporter's own.
fn join(section: &mut Json, delivery: &Json) {
    let Some(theirs) = delivery.get("properties").and_then(Json::as_object) else { return };
    if let Some(section) = section.as_object_mut() {
        let own = section.entry("properties").or_insert_with(|| json!({}));
        if let Some(own) = own.as_object_mut() {
            own.extend(theirs.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
}

fn service() -> Json {
    let ids = |what: &str| json!({"description": what, "type": "array", "items": {"type": "string"}, "uniqueItems": true});
    let pipeline = json!({
        "type": "object",
        "properties": {
            "receivers": ids("Receivers, and connectors that end in this pipeline."),
            "processors": ids("Processors, in order."),
            "exporters": ids("Exporters, and connectors that begin in this pipeline."),
            "workers": {"description": "How many shards keyed processors run on.", "type": "integer", "minimum": 1},
        },
        "required": ["receivers", "exporters"],
        "additionalProperties": false,
    });
    json!({
        "description": "What runs, and how.",
        "type": "object",
        "properties": {
            "extensions": ids("The extensions that run."),
            "pipelines": {
                "description": "The pipelines, by what flows through them: `traces`, `metrics`, `logs`, `events` or `all`, and `/name` if there are several.",
                "type": "object",
                "patternProperties": {"^(traces|metrics|logs|events|all)(/.+)?$": pipeline},
                "additionalProperties": false,
                "minProperties": 1,
            },
            "telemetry": telemetry(),
            "state": {
                "description": "Keeping what components learned over restarts.",
                "type": "object",
                "properties": {
                    "storage": {"description": "The storage extension that keeps it.", "type": "string"},
                    "interval": {"description": "How often it is written.", "type": "string", "default": "60s"},
                },
                "additionalProperties": false,
            },
            "shutdown_timeout": {"description": "How long draining may take when the collector ends.", "type": "string", "default": "30s"},
        },
        "required": ["pipelines"],
        "additionalProperties": false,
    })
}

fn telemetry() -> Json {
    json!({
        "description": "The collector's own logs and metrics.",
        "type": "object",
        "properties": {
            "logs": {
                "type": "object",
                "properties": {
                    "level": {"description": "The least level that is written.", "enum": ["debug", "info", "warn", "error"], "default": "info"},
                    "encoding": {"description": "How a line looks.", "enum": ["console", "text", "json"], "default": "console"},
                },
            },
            "metrics": {
                "type": "object",
                "properties": {
                    "level": {"description": "How much is measured.", "enum": ["none", "basic", "normal", "detailed"], "default": "normal"},
                    "address": {"description": "Where a Prometheus server finds them.", "type": "string", "default": "localhost:8888"},
                    "readers": {"description": "The same as the collector's newer versions write it.", "type": "array", "items": {"type": "object"}},
                },
            },
        },
    })
}
