//! Generated files are what their generators give now. `UPDATE_GENERATED=1` writes them.

use crate::workspace::{root, stdout};

fn is_current(path: &str, arguments: &[&str]) {
    let file = root().join(path);
    let generated = stdout(arguments);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&file, &generated).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    let command = "UPDATE_GENERATED=1 cargo test -p collector --test it generated";
    assert!(committed == generated, "{path} is stale: run `{command}`");
}

#[test]
fn the_schema_is_current() {
    is_current("config/schema.json", &["schema"]);
}

#[test]
fn the_component_reference_is_current() {
    is_current("docs/components.md", &["components", "--format", "markdown"]);
}
