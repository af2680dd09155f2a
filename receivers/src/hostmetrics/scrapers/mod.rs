//! One scraper per part of the host.

pub(super) mod cpu;
pub(super) mod disk;
pub(super) mod filesystem;
pub(super) mod load;
pub(super) mod memory;
pub(super) mod network;
pub(super) mod paging;
pub(super) mod process;
mod process_files;
pub(super) mod processes;
pub(super) mod system;

use config::Invalid;
use pdata::Timestamp;
use pdata::proto::common::KeyValue;
use pdata::proto::metrics::Metric;

use super::config::Scrapers;
use super::host::{Host, ScrapeError};

/// Reads one part of the host.
pub(super) trait Scraper: Send {
    /// The scraper's key in the configuration.
    fn name(&self) -> &'static str;

    /// Reads it.
    fn scrape(&mut self, host: &Host, now: Timestamp) -> Result<Scraped, ScrapeError>;
}

/// What a scraper found.
#[derive(Debug, Default)]
pub(super) struct Scraped {
    /// Of the host.
    pub(super) host: Vec<Metric>,
    /// Of things on the host, with what tells them apart.
    pub(super) resources: Vec<(Vec<KeyValue>, Vec<Metric>)>,
    /// How much could not be read although the rest could.
    pub(super) errors: u64,
}

impl From<Vec<Metric>> for Scraped {
    fn from(host: Vec<Metric>) -> Self {
        Self { host, ..Self::default() }
    }
}

/// The scrapers that are configured, in a fixed order.
pub(super) fn build(config: &Scrapers) -> Result<Vec<Box<dyn Scraper>>, Invalid> {
    let mut scrapers: Vec<Box<dyn Scraper>> = Vec::new();
    if let Some(config) = &config.cpu {
        scrapers.push(Box::new(cpu::Cpu::new(config)));
    }
    if let Some(config) = &config.disk {
        scrapers.push(Box::new(disk::Disk::new(config)?));
    }
    if let Some(config) = &config.filesystem {
        scrapers.push(Box::new(filesystem::Filesystem::new(config)?));
    }
    if let Some(config) = &config.load {
        scrapers.push(Box::new(load::Load::new(config)));
    }
    if let Some(config) = &config.memory {
        scrapers.push(Box::new(memory::Memory::new(config)));
    }
    if let Some(config) = &config.network {
        scrapers.push(Box::new(network::Network::new(config)?));
    }
    if let Some(config) = &config.paging {
        scrapers.push(Box::new(paging::Paging::new(config)));
    }
    if let Some(config) = &config.process {
        scrapers.push(Box::new(process::Processes::new(config)?));
    }
    if let Some(config) = &config.processes {
        scrapers.push(Box::new(processes::Processes::new(config)));
    }
    if let Some(config) = &config.system {
        scrapers.push(Box::new(system::System::new(config)));
    }
    Ok(scrapers)
}
