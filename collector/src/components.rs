//! Every component of this build, joined from the tables of the crates.

use component::Registry;

/// Every component of this build.
pub(crate) const REGISTRY: Registry = Registry {
    receivers: receivers::FACTORIES,
    processors: processors::FACTORIES,
    exporters: exporters::FACTORIES,
    connectors: processors::CONNECTORS,
    extensions: extensions::FACTORIES,
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use component::Kind;

    use super::*;

    #[test]
    fn every_name_of_a_kind_is_taken_once() {
        for kind in [Kind::Receiver, Kind::Processor, Kind::Exporter, Kind::Connector, Kind::Extension] {
            let mut seen = HashSet::new();
            for (name, aliases, _) in REGISTRY.specs(kind) {
                for name in std::iter::once(name).chain(aliases.iter().copied()) {
                    assert!(seen.insert(name), "two {}s are named `{name}`", kind.name());
                }
            }
        }
    }
}
