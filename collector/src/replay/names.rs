//! What the name of a log file says.

use std::path::Path;

/// What standard input's lines are said to come from.
pub(super) const STDIN_SERVICE: &str = "stdin";

/// Endings that say how a file is packed.
const PACKED: [&str; 4] = ["gz", "gzip", "zst", "zstd"];
/// Endings of files with lines in them.
const LINES: [&str; 8] = ["log", "txt", "out", "err", "json", "jsonl", "ndjson", "csv"];

/// The service that writes the file: the file's name without its endings and without what rotation adds to it. A
/// container's log file is named by a number alone, its directory by the container.
pub(super) fn service(path: &Path) -> String {
    if path == Path::new("-") {
        return STDIN_SERVICE.to_owned();
    }
    let name = name(path);
    let stem = stem(&name);
    let is_number = stem.bytes().all(|byte| byte.is_ascii_digit());
    let directory = path.parent().map(self::name).filter(|name| !name.is_empty());
    match directory {
        Some(directory) if is_number => directory,
        _ if stem.is_empty() => name,
        _ => stem.to_owned(),
    }
}

/// Whether the file is named like a log file: `app.log`, `app.log.1`, `app.log.2.gz`.
pub(super) fn is_log(path: &Path) -> bool {
    name(path).split('.').skip(1).any(|part| part.eq_ignore_ascii_case("log"))
}

/// Whether the file is named like a table: `cart.csv`, `cart.csv.gz`.
pub(super) fn is_table(path: &Path) -> bool {
    let name = name(path);
    let plain =
        PACKED.iter().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.')).unwrap_or(&name);
    plain
        .rsplit_once('.')
        .is_some_and(|(stem, ending)| !stem.is_empty() && ending.eq_ignore_ascii_case("csv"))
}

/// The last part of the path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stem(name: &str) -> &str {
    let is_one_of = |list: &[&str], ending: &str| list.iter().any(|one| ending.eq_ignore_ascii_case(one));
    let mut stem = name;
    let mut lines = false;
    while let Some((rest, ending)) = stem.rsplit_once('.') {
        let is_number =
            !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let is_lines = is_one_of(&LINES, ending);
        // `app.log` ends with `.log` once; in `my.out.log` the other one is part of the name.
        if rest.is_empty() || lines || !(is_number || is_lines || is_one_of(&PACKED, ending)) {
            break;
        }
        lines = is_lines;
        stem = rest;
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_file() {
        for (path, service) in [
            ("kubelet.log", "kubelet"),
            ("/var/log/nginx/access.log.1", "access"),
            ("app.log.2.gz", "app"),
            ("app-2026-01-05.log.zst", "app-2026-01-05"),
            ("app.log-20260105", "app.log-20260105"),
            ("my.out.log", "my.out"),
            ("/var/log/pods/shop_cart-7f_1/cart/0.log", "cart"),
            ("syslog", "syslog"),
            (".log", ".log"),
            ("1", "1"),
            ("v1.2.log", "v1.2"),
            ("-", "stdin"),
        ] {
            assert_eq!(self::service(Path::new(path)), service, "{path}");
        }
    }

    #[test]
    fn a_log_file_is_known_by_its_ending_even_if_rotated() {
        for (path, expected) in [
            ("a/app.log", true),
            ("app.LOG.1", true),
            ("app.log.1.gz", true),
            ("README.md", false),
            ("log", false),
        ] {
            assert_eq!(is_log(Path::new(path)), expected, "{path}");
        }
    }
}
