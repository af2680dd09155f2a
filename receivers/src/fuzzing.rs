//! What must hold for any bytes that reach a receiver's parser. The fuzz targets in `receivers/fuzz` call these functions; the
//! tests of each receiver call them on the targets' seeds and on bytes of their own making.

pub use crate::filelog::fuzz::filelog;
pub use crate::prometheus::fuzz::prometheus;
pub use crate::statsd::fuzz::statsd;

/// Calls `check` on every seed of a fuzz target.
#[cfg(test)]
pub(crate) fn seeds(target: &str, check: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut n = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("the corpus can be read").path();
        check(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        n += 1;
    }
    assert!(n >= 5, "{n} seeds for {target}");
}
