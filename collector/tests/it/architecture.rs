//! The layers of the workspace are what the design says.

use std::collections::HashMap;

use crate::workspace::root;

/// Our crates, from the lowest layer to the highest.
const LAYERS: &[&[&str]] = &[
    &["pdata", "config"],
    &["component", "transport", "analysis"],
    &["engine", "receivers", "processors", "exporters", "extensions"],
    &["collector"],
];

fn manifest(path: &str) -> toml::Table {
    let path = root().join(path).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every member's manifest by package name.
fn members() -> HashMap<String, toml::Table> {
    let workspace = manifest("");
    let members = workspace["workspace"]["members"].as_array().expect("the workspace has members");
    let load = |member: &toml::Value| {
        let manifest = manifest(member.as_str().expect("a member is a path"));
        let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
        (name, manifest)
    };
    members.iter().map(load).collect()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&name))
}

/// A crate uses only crates of lower layers.
#[test]
fn crates_depend_only_on_lower_layers() {
    for (name, manifest) in members() {
        // Test support may use whatever it tests.
        if name == "testkit" {
            continue;
        }
        let own = layer(&name).unwrap_or_else(|| panic!("`{name}` has no layer: add it to LAYERS"));
        let dependencies = manifest["dependencies"].as_table().expect("dependencies are a table");
        for dependency in dependencies.keys() {
            assert_ne!(dependency, "testkit", "`{name}` must use testkit only in tests");
            if let Some(other) = layer(dependency) {
                assert!(other < own, "`{name}` must not depend on `{dependency}`");
            }
        }
    }
}

#[test]
fn third_party_versions_are_the_workspaces() {
    for (name, manifest) in members() {
        for table in ["dependencies", "dev-dependencies"] {
            let dependencies = manifest.get(table).and_then(toml::Value::as_table);
            for (dependency, value) in dependencies.into_iter().flatten() {
                let inherits = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherits, "`{dependency}` of `{name}` must be `workspace = true`");
            }
        }
    }
}
