//! Where things are in the source tree, and running the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the collector is a member of the workspace")
        .to_owned()
}

/// Runs `watchfire` in the workspace's folder.
pub(crate) fn watchfire(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the binary runs")
}

/// What `watchfire` writes to standard output when it succeeds.
pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = watchfire(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// All files in `folder` with one of the extensions, sorted.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let has_extension = |path: &PathBuf| {
        path.extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|found| extensions.contains(&found))
    };
    let mut files: Vec<_> = paths.filter(has_extension).collect();
    files.sort();
    files
}
