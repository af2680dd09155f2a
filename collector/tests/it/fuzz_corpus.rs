//! What the fuzz targets check holds for the committed seeds, with the stable compiler, too.

use std::path::Path;

use crate::workspace::root;

#[path = "../../pdata/fuzz/checks.rs"]
mod checks;

fn seeds(target: &str, check: fn(&[u8])) {
    let folder = root().join("collector/pdata/fuzz/corpus").join(target);
    let mut n = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("the corpus can be read").path();
        check(&read(&path));
        n += 1;
    }
    assert!(n >= 5, "{} seeds for {target}", n);
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn otlp_seeds_pass_the_fuzz_target() {
    seeds("otlp", checks::otlp);
}

#[test]
fn json_seeds_pass_the_fuzz_target() {
    seeds("json", checks::json);
}

#[test]
fn config_seeds_pass_the_fuzz_target() {
    seeds("config", checks::config);
}
