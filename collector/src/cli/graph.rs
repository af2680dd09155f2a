//! `watchfire graph`: the pipelines as text, Graphviz DOT, or SVG.

mod svg;

use std::fmt::Write;

use clap::{Args, ValueEnum};
use config::Config;
use indexmap::{IndexMap, IndexSet};

/// How to draw the pipelines.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// What the drawing is made of.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One line per pipeline.
    Text,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// What a box of the drawing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A receiver.
    Receiver,
    /// A processor of one pipeline.
    Processor,
    /// An exporter.
    Exporter,
    /// A connector.
    Connector,
}

impl Role {
    const fn colour(self) -> &'static str {
        match self {
            Self::Receiver => "#d7ead9",
            Self::Processor => "#e8e8f4",
            Self::Exporter => "#f6e3d0",
            Self::Connector => "#f4eebb",
        }
    }
}

/// A box.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    label: String,
    role: Role,
}

/// Boxes by a unique name, and arrows between them, each with the pipeline it belongs to.
#[derive(Default)]
pub(super) struct Drawing {
    stages: IndexMap<String, Stage>,
    arrows: IndexSet<(usize, usize, String)>,
}

pub(super) fn run(args: &GraphArgs, config: &Config) -> String {
    match args.format {
        Format::Text => text(config),
        Format::Dot => dot(&draw(config)),
        Format::Svg => svg::svg(&draw(config)),
    }
}

fn text(config: &Config) -> String {
    let ids = |list: &[(config::ComponentId, config::Location)]| {
        list.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>()
    };
    let mut text = String::new();
    for (id, pipeline) in &config.service.pipelines {
        let ends = [ids(&pipeline.receivers).join(", "), ids(&pipeline.exporters).join(", ")];
        let chain: Vec<_> = std::iter::once(ends[0].clone())
            .chain(ids(&pipeline.processors))
            .chain([ends[1].clone()])
            .collect();
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{id}: {}", chain.join(" -> "));
    }
    text
}

fn draw(config: &Config) -> Drawing {
    let mut drawing = Drawing::default();
    let end = |id: &config::ComponentId, role: Role, section: &str| {
        if config.connectors.contains_key(id) {
            (format!("connectors/{id}"), Role::Connector)
        } else {
            (format!("{section}/{id}"), role)
        }
    };
    for (pipeline_id, pipeline) in &config.service.pipelines {
        let mut layers = Vec::new();
        let receivers = pipeline.receivers.iter().map(|(id, _)| {
            let (name, role) = end(id, Role::Receiver, "receivers");
            drawing.stage(name, id.to_string(), role)
        });
        layers.push(receivers.collect::<Vec<_>>());
        for (id, _) in &pipeline.processors {
            let name = format!("processors/{pipeline_id}/{id}");
            layers.push(vec![drawing.stage(name, id.to_string(), Role::Processor)]);
        }
        let exporters = pipeline.exporters.iter().map(|(id, _)| {
            let (name, role) = end(id, Role::Exporter, "exporters");
            drawing.stage(name, id.to_string(), role)
        });
        layers.push(exporters.collect());
        for pair in layers.windows(2) {
            for from in &pair[0] {
                for to in &pair[1] {
                    drawing.arrows.insert((*from, *to, pipeline_id.to_string()));
                }
            }
        }
    }
    drawing
}

impl Drawing {
    fn stage(&mut self, name: String, label: String, role: Role) -> usize {
        let entry = self.stages.entry(name);
        let index = entry.index();
        entry.or_insert(Stage { label, role });
        index
    }
}

fn dot(drawing: &Drawing) -> String {
    let mut text = "digraph watchfire {\n  rankdir=LR;\n  node [shape=box, style=filled];\n".to_owned();
    for (index, (_, stage)) in drawing.stages.iter().enumerate() {
        let _ =
            writeln!(text, "  n{index} [label={:?}, fillcolor=\"{}\"];", stage.label, stage.role.colour());
    }
    for (from, to, pipeline) in &drawing.arrows {
        let _ = writeln!(text, "  n{from} -> n{to} [label={pipeline:?}];");
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
receivers: {otlp: }
processors: {batch: }
exporters: {'debug/<x>': }
connectors: {forward: }
service:
  pipelines:
    logs: {receivers: [otlp], processors: [batch], exporters: [forward]}
    all: {receivers: [forward], exporters: ['debug/<x>']}
";

    fn graph(format: Format) -> String {
        let config = config::load(&[config::Source::Yaml(YAML.to_owned())], &[], &|_| None).unwrap();
        run(&GraphArgs { format }, &config)
    }

    #[test]
    fn text_has_a_line_per_pipeline() {
        assert_eq!(graph(Format::Text), "logs: otlp -> batch -> forward\nall: forward -> debug/<x>\n");
    }

    #[test]
    fn dot_joins_pipelines_at_their_connector() {
        let dot = graph(Format::Dot);
        for line in ["n0 -> n1 [label=\"logs\"];", "n1 -> n2 [label=\"logs\"];", "n2 -> n3 [label=\"all\"];"]
        {
            assert!(dot.contains(line), "{line} in {dot}");
        }
    }

    #[test]
    fn svg_escapes_names_and_draws_every_stage_and_arrow() {
        let svg = graph(Format::Svg);
        assert!(svg.contains("debug/&lt;x&gt;"));
        assert_eq!((svg.matches("<rect").count(), svg.matches("<path class").count()), (4, 3));
    }
}
