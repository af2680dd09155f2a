//! Every example is a configuration that validates without a warning.

use std::path::PathBuf;

use crate::workspace::{files, root, watchfire};

/// The example configurations.
pub(crate) fn examples() -> Vec<PathBuf> {
    files(&root().join("config/examples"), &["yaml", "toml"])
}

#[test]
fn every_example_validates_without_a_warning() {
    for path in examples() {
        let output = watchfire(&["validate", "--config", path.to_str().expect("a UTF-8 path")]);
        let name = path.display();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(!stdout.contains("warning:"), "{name}: {stdout}");
    }
}

#[test]
fn a_wrong_configuration_exits_with_2_and_says_where() {
    let output =
        watchfire(&["validate", "--config", "yaml:service: {pipelines: {logs: {receivers: [nowhere]}}}"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("yaml::1:42: service.pipelines.logs.receivers.0: there is no receiver `nowhere`"),
        "{stderr}"
    );
    assert!(stderr.contains("a pipeline needs at least one of `exporters`"), "{stderr}");
}
