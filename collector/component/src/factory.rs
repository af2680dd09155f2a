//! How components are named, described and built.

use std::fmt;

use config::{Endpoint, Errors, Section, Validate};
use pdata::SignalSet;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::DeliverySettings;
use crate::{Affinity, Context, Exporter, Extension, Kind, Processor, Receiver, RunError};

/// Builds a component from its section.
pub type Create<T> = fn(&Section, &Context) -> Result<Box<T>, BuildError>;

/// How much a component's behaviour may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Being built; configuration may change.
    Alpha,
    /// Complete; configuration changes only with notice.
    Beta,
    /// Dependable.
    Stable,
}

impl Stability {
    /// `Alpha`, `Beta` or `Stable`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alpha => "Alpha",
            Self::Beta => "Beta",
            Self::Stable => "Stable",
        }
    }
}

/// Why a component could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Config(#[from] Errors),
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] RunError),
}

impl BuildError {
    /// It cannot be built, for this reason.
    pub fn other(reason: impl Into<String>) -> Self {
        Self::Start(RunError::Other(reason.into()))
    }
}

/// A component's configuration, as data.
#[derive(Clone, Copy)]
pub struct ConfigSpec {
    /// Parses and validates a section.
    pub check: fn(&Section) -> Result<(), Errors>,
    /// The addresses that a component with this section listens on.
    pub endpoints: fn(&Section) -> Vec<Endpoint>,
    /// The other components that this section names.
    pub references: fn(&Section) -> Vec<config::ComponentId>,
    /// The configuration's JSON Schema.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// The default configuration.
    pub default: fn() -> serde_json::Value,
}

impl ConfigSpec {
    /// The specification of configuration `C`.
    pub const fn of<C: DeserializeOwned + Serialize + JsonSchema + Validate + Default>() -> Self {
        Self {
            check: |section| section.check::<C>().map(drop),
            endpoints: |section| {
                section.parse::<C>().map_or_else(|_| Vec::new(), |config| config.endpoints())
            },
            references: |section| {
                section.parse::<C>().map_or_else(|_| Vec::new(), |config| config.references())
            },
            schema: |generator| C::json_schema(generator),
            default: || serde_json::to_value(C::default()).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for ConfigSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigSpec")
    }
}

/// Builds receivers of one type.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverFactory {
    /// The type in component ids.
    pub type_name: &'static str,
    /// Other names for the type, such as the collector's old ones.
    pub aliases: &'static [&'static str],
    /// How much it may still change.
    pub stability: Stability,
    /// The signals it can bring in.
    pub signals: SignalSet,
    /// Its configuration.
    pub config: ConfigSpec,
    /// Builds one.
    pub create: Create<dyn Receiver>,
}

/// Builds processors of one type.
#[derive(Clone, Copy, Debug)]
pub struct ProcessorFactory {
    /// The type in component ids.
    pub type_name: &'static str,
    /// Other names for the type.
    pub aliases: &'static [&'static str],
    /// How much it may still change.
    pub stability: Stability,
    /// The signals it reads; others pass it by.
    pub signals: SignalSet,
    /// Which parallel copies may see a batch.
    pub affinity: Affinity,
    /// Its configuration.
    pub config: ConfigSpec,
    /// Builds one.
    pub create: Create<dyn Processor>,
}

/// Builds exporters of one type.
#[derive(Clone, Copy, Debug)]
pub struct ExporterFactory {
    /// The type in component ids.
    pub type_name: &'static str,
    /// Other names for the type.
    pub aliases: &'static [&'static str],
    /// How much it may still change.
    pub stability: Stability,
    /// The signals it takes.
    pub signals: SignalSet,
    /// Its own configuration; the engine adds queue, retry and timeout.
    pub config: ConfigSpec,
    /// Queue, retry and timeout if the configuration does not say.
    pub delivery: fn() -> DeliverySettings,
    /// Builds one.
    pub create: Create<dyn Exporter>,
}

/// Builds connectors of one type. A connector is a processor that ends some pipelines and begins others.
#[derive(Clone, Copy, Debug)]
pub struct ConnectorFactory {
    /// The type in component ids.
    pub type_name: &'static str,
    /// Other names for the type.
    pub aliases: &'static [&'static str],
    /// How much it may still change.
    pub stability: Stability,
    /// The signals it takes.
    pub inputs: SignalSet,
    /// The signals it gives.
    pub outputs: SignalSet,
    /// Its configuration.
    pub config: ConfigSpec,
    /// Builds one.
    pub create: Create<dyn Processor>,
}

/// Builds extensions of one type.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionFactory {
    /// The type in component ids.
    pub type_name: &'static str,
    /// Other names for the type.
    pub aliases: &'static [&'static str],
    /// How much it may still change.
    pub stability: Stability,
    /// Its configuration.
    pub config: ConfigSpec,
    /// Whether it offers storage to others.
    pub is_storage: bool,
    /// Builds one. The health of every component is in the context's handles (`Health`).
    pub create: Create<dyn Extension>,
}

/// Every component of this build.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    /// Receivers.
    pub receivers: &'static [ReceiverFactory],
    /// Processors.
    pub processors: &'static [ProcessorFactory],
    /// Exporters.
    pub exporters: &'static [ExporterFactory],
    /// Connectors.
    pub connectors: &'static [ConnectorFactory],
    /// Extensions.
    pub extensions: &'static [ExtensionFactory],
}

/// There is no such component in this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {} type `{type_name}`", kind.name())]
pub struct UnknownComponent {
    /// What kind was asked for.
    pub kind: Kind,
    /// The name that was asked for.
    pub type_name: String,
}

macro_rules! lookup {
    ($(#[$doc:meta])* $name:ident, $table:ident, $factory:ty, $kind:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// If this build has none.
        pub fn $name(&self, type_name: &str) -> Result<&'static $factory, UnknownComponent> {
            let named = |factory: &&$factory| factory.type_name == type_name || factory.aliases.contains(&type_name);
            self.$table
                .iter()
                .find(named)
                .ok_or_else(|| UnknownComponent { kind: $kind, type_name: type_name.to_owned() })
        }
    };
}

impl Registry {
    lookup!(
        /// The receiver of a type or alias.
        receiver, receivers, ReceiverFactory, Kind::Receiver
    );
    lookup!(
        /// The processor of a type or alias.
        processor, processors, ProcessorFactory, Kind::Processor
    );
    lookup!(
        /// The exporter of a type or alias.
        exporter, exporters, ExporterFactory, Kind::Exporter
    );
    lookup!(
        /// The connector of a type or alias.
        connector, connectors, ConnectorFactory, Kind::Connector
    );
    lookup!(
        /// The extension of a type or alias.
        extension, extensions, ExtensionFactory, Kind::Extension
    );

    /// The names and configurations of one kind.
    pub fn specs(&self, kind: Kind) -> Vec<(&'static str, &'static [&'static str], ConfigSpec)> {
        match kind {
            Kind::Receiver => self.receivers.iter().map(|f| (f.type_name, f.aliases, f.config)).collect(),
            Kind::Processor => self.processors.iter().map(|f| (f.type_name, f.aliases, f.config)).collect(),
            Kind::Exporter => self.exporters.iter().map(|f| (f.type_name, f.aliases, f.config)).collect(),
            Kind::Connector => self.connectors.iter().map(|f| (f.type_name, f.aliases, f.config)).collect(),
            Kind::Extension => self.extensions.iter().map(|f| (f.type_name, f.aliases, f.config)).collect(),
        }
    }
}
