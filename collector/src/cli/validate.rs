//! `watchfire validate`: everything that is wrong, or that nothing is.

use std::fmt::Write;

use component::Registry;
use config::Config;

use super::Failure;

/// What to print about a sound configuration.
pub(super) fn run(config: &Config, registry: &Registry) -> Result<String, Failure> {
    let warnings = engine::validate(config, registry)?;
    let mut text = String::new();
    for warning in &warnings {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "warning: {warning}");
    }
    let n = config.service.pipelines.len();
    let _ = writeln!(text, "the configuration is valid: {n} pipeline{}", if n == 1 { "" } else { "s" });
    Ok(text)
}
