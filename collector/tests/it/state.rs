//! What was learned survives a restart, and damage to it costs only what was learned.

use std::path::{Path, PathBuf};

use crate::support::Collector;
use crate::workspace::files;

const CONFIG: &str = "
extensions: {file_storage: {directory: state, create_directory: true}}
receivers: {hostmetrics: {collection_interval: 100ms, scrapers: {load: }}}
processors: {detect: }
exporters: {debug: {use_internal_logger: false, output_paths: [/dev/null]}}
service:
  extensions: [file_storage]
  state: {storage: file_storage}
  pipelines: {all: {receivers: [hostmetrics], processors: [detect], exporters: [debug]}}
";

/// The stored entries with this extension, in whichever component's space.
fn entries(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let spaces = std::fs::read_dir(folder.join("state")).expect("the storage is there");
    let spaces = spaces.map(|space| space.expect("the storage can be read").path());
    spaces.filter(|space| space.is_dir()).flat_map(|space| files(&space, &[extension])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_set_aside_and_the_collector_starts_all_the_same() {
    let mut collector = Collector::start(CONFIG).await;
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());
    let kept = entries(collector.folder(), "entry");
    assert!(!kept.is_empty(), "nothing was kept:\n{}", collector.log());

    let mut collector = collector.restart(CONFIG).await;
    assert!(!collector.log().contains("set aside"), "{}", collector.log());
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());

    for path in &kept {
        let mut bytes = std::fs::read(path).expect("a snapshot");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("a snapshot");
    }
    let mut collector = collector.restart(CONFIG).await;
    assert!(collector.log().contains("it was set aside"), "{}", collector.log());
    assert_eq!(entries(collector.folder(), "corrupt-1").len(), kept.len());
    collector.terminate().await;
    assert!(collector.ended().await.success(), "{}", collector.log());
    assert_eq!(entries(collector.folder(), "entry"), kept, "what it has learned since is kept");
}
