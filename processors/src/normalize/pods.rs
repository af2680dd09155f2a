//! What the names that Kubernetes gives to pods and log files say about the workload.

/// The letters and digits of Kubernetes's random suffixes: no vowels, and none that look like others.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

fn is_random(part: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&part.len()) && part.bytes().all(|byte| SAFE.contains(&byte))
}

fn is_number(part: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// `cart` of the replica set `cart-5d8f7c9b4`.
pub(super) fn workload_of_replica_set(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((workload, hash)) if !workload.is_empty() && is_random(hash, 8..=10) => workload,
        _ => name,
    }
}

/// `cart` of the pods `cart-5d8f7c9b4-x2x4q` (deployment), `cart-0` (stateful set), `cart-x2x4q` (daemon set or job),
/// `cart-28391040-x2x4q` (cron job).
pub(super) fn workload_of_pod(name: &str) -> &str {
    let Some((rest, last)) = name.rsplit_once('-').filter(|(rest, _)| !rest.is_empty()) else { return name };
    if is_number(last, 1..=4) {
        return rest;
    }
    if !is_random(last, 5..=5) {
        return name;
    }
    match rest.rsplit_once('-') {
        Some((workload, run))
            if !workload.is_empty() && (is_random(run, 8..=10) || is_number(run, 8..=10)) =>
        {
            workload
        }
        _ => rest,
    }
}

/// What the path of a container's log file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogFile<'a> {
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
    pub(super) uid: Option<&'a str>,
    pub(super) container: &'a str,
}

/// Reads `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log` and `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`.
pub(super) fn of_log_file(path: &str) -> Option<LogFile<'_>> {
    if let Some((_, rest)) = path.split_once("/pods/") {
        let mut parts = rest.split('/');
        let mut names = parts.next()?.split('_');
        let container = parts.next()?;
        // The file itself.
        parts.next()?;
        let file = LogFile { namespace: names.next()?, pod: names.next()?, uid: names.next(), container };
        return Some(file).filter(LogFile::is_complete);
    }
    let (_, file) = path.split_once("/containers/")?;
    let mut names = file.strip_suffix(".log")?.split('_');
    let (pod, namespace, last) = (names.next()?, names.next()?, names.next()?);
    let (container, id) = last.rsplit_once('-')?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let file = LogFile { namespace, pod, uid: None, container };
    Some(file).filter(|file| is_id && file.is_complete())
}

impl LogFile<'_> {
    fn is_complete(&self) -> bool {
        !self.namespace.is_empty() && !self.pod.is_empty() && !self.container.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_read_from_pod_names() {
        let cases = [
            ("cart-5d8f7c9b4-x2x4q", "cart"),
            ("check-out-6b7c9d8f55-zzk2p", "check-out"),
            ("postgres-0", "postgres"),
            ("node-agent-x2x4q", "node-agent"),
            ("backup-28391040-x2x4q", "backup"),
            ("cart", "cart"),
            ("my-service", "my-service"),
            ("my-cache", "my-cache"),
            ("-x2x4q", "-x2x4q"),
            ("", ""),
        ];
        for (pod, workload) in cases {
            assert_eq!(workload_of_pod(pod), workload, "{pod}");
        }
        assert_eq!(workload_of_replica_set("cart-5d8f7c9b4"), "cart");
        assert_eq!(workload_of_replica_set("cart-service"), "cart-service");
    }

    #[test]
    fn log_files_name_their_pod() {
        let file = of_log_file("/var/log/pods/shop_cart-0_1a2b/web/3.log").unwrap();
        let expected = LogFile { namespace: "shop", pod: "cart-0", uid: Some("1a2b"), container: "web" };
        assert_eq!(file, expected);
        let path = format!("/var/log/containers/cart-0_shop_web-app-{}.log", "a1".repeat(32));
        let expected = LogFile { namespace: "shop", pod: "cart-0", uid: None, container: "web-app" };
        assert_eq!(of_log_file(&path), Some(expected));
        for other in
            ["", "/var/log/syslog", "/var/log/pods/x", "/var/log/pods/__/c/0.log", "/containers/a_b_c.log"]
        {
            assert_eq!(of_log_file(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", path in "(/pods/|/containers/|_|-|/|a|0|\\.log){0,20}") {
            workload_of_pod(&text);
            of_log_file(&text);
            of_log_file(&path);
        }
    }
}
