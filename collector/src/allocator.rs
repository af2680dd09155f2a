//! The allocator: jemalloc, told to give memory back soon.

use tikv_jemalloc_ctl::{Access, AsName};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long freed memory waits to be used again, in milliseconds. jemalloc would keep it for ten seconds; as long would
/// receivers go on refusing after an overload, because resident memory is what the memory limit is about.
const DECAY: isize = 1000;

/// The settings of arenas to come, and those of the one that there is already.
const SETTINGS: [(&str, isize); 4] = [
    ("arenas.dirty_decay_ms\0", DECAY),
    ("arenas.muzzy_decay_ms\0", 0),
    ("arena.0.dirty_decay_ms\0", DECAY),
    ("arena.0.muzzy_decay_ms\0", 0),
];

/// Sets the allocator up. To be called before there is a second thread, since threads bring arenas.
pub(crate) fn configure() {
    // Whoever uses the allocator's own variable knows better.
    if std::env::var_os("_RJEM_MALLOC_CONF").is_some() {
        return;
    }
    for (name, value) in SETTINGS {
        if let Err(error) = name.name().write(value) {
            eprintln!("cannot set the allocator's {}: {error}", name.trim_end_matches('\0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_exists_and_takes_effect() {
        configure();
        for (name, value) in SETTINGS {
            let set: isize = name.name().read().unwrap();
            assert_eq!(set, value, "{name}");
        }
    }
}
