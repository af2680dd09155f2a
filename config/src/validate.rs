//! What a configuration struct checks beyond its types.

use crate::ComponentId;

/// A check that serde cannot make.
pub trait Validate {
    /// Checks values against each other and against their ranges.
    ///
    /// # Errors
    /// The first thing that is wrong, with the field it is wrong with.
    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// The addresses that a component with this configuration listens on, so that one taken twice is found early.
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// Other components that this configuration names, such as a storage extension or an exporter for dead letters.
    fn references(&self) -> Vec<ComponentId> {
        Vec::new()
    }
}

/// An address that a component listens on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// `tcp`, `udp` or `unix`.
    pub network: &'static str,
    /// `host:port` or a path.
    pub address: String,
}

impl Endpoint {
    /// A TCP `host:port`.
    pub fn tcp(address: impl Into<String>) -> Self {
        Self { network: "tcp", address: address.into() }
    }

    /// A UDP `host:port`.
    pub fn udp(address: impl Into<String>) -> Self {
        Self { network: "udp", address: address.into() }
    }
}

/// A value out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The key path below the component's section, such as `protocols.grpc.endpoint`.
    pub field: String,
    /// What is wrong, in a fragment that fits after the field's name.
    pub message: String,
}

impl Invalid {
    /// An error about `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// `Ok` if `ok`, otherwise an error about `field`.
    ///
    /// # Errors
    /// If not `ok`.
    pub fn unless(ok: bool, field: &str, message: &str) -> Result<(), Self> {
        if ok { Ok(()) } else { Err(Self::new(field, message)) }
    }
}
