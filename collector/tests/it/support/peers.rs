//! Other people's programs, installed by `collector/tests/peers/install`.

use std::io::Write;
use std::path::PathBuf;

use crate::workspace::root;

/// The folder that a peer is installed in. If it is not there, says that `test` is skipped, and why.
pub(crate) fn peer(name: &str, test: &str) -> Option<PathBuf> {
    let folder = root().join(".cache/peers").join(name);
    if folder.join(".installed").exists() {
        return Some(folder);
    }
    let why = std::fs::read_to_string(folder.join(".missing"))
        .unwrap_or_else(|_| "run collector/tests/peers/install first".to_owned());
    // Not with a macro: what those print is shown only if a test fails.
    let said =
        writeln!(std::io::stderr(), "SKIPPED {test}: the peer {name} is not installed: {}", why.trim());
    said.expect("standard error is open");
    None
}
