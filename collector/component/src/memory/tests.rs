//! Tests on fake root directories.

use std::fs;

use tempfile::TempDir;

use super::*;
use config::Validate;

const MIB: u64 = 1 << 20;

/// A root directory with these files; `/proc/meminfo` says 8 GiB, and this process uses 100 MiB.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let basics = [
        ("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:          100000 kB\n"),
        ("proc/self/status", "Name:\twatchfire\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n"),
    ];
    for (path, text) in basics.iter().chain(files) {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn probe(root: &TempDir) -> MemoryProbe {
    MemoryProbe::detect(root.path()).unwrap()
}

const V2_MOUNT: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
    32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
    35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
const V1_CGROUP: &str = "8:cpu:/\n4:memory:/a/b\n0::/\n";

#[test]
fn without_cgroups_the_machine_is_the_limit() {
    let root = root(&[]);
    assert_eq!(probe(&root).limit(), 8192 * MIB);
    assert_eq!(probe(&root).usage(Scope::Cgroup).unwrap(), 100 * MIB);
}

#[test]
fn the_tightest_limit_of_nested_v2_groups_counts() {
    let root = root(&[
        ("proc/self/cgroup", "0::/kubepods.slice/pod1/ctr\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/kubepods.slice/memory.max", "max\n"),
        ("sys/fs/cgroup/kubepods.slice/pod1/memory.max", "536870912\n"),
        ("sys/fs/cgroup/kubepods.slice/pod1/ctr/memory.max", "1073741824\n"),
        ("sys/fs/cgroup/kubepods.slice/pod1/ctr/memory.current", "400000000\n"),
        (
            "sys/fs/cgroup/kubepods.slice/pod1/ctr/memory.stat",
            "anon 200000000\nfile 120000000\ninactive_file 100000000\nactive_file 20000000\nslab_reclaimable 30000000\n",
        ),
    ]);
    let probe = probe(&root);
    assert_eq!(probe.cgroup_limit(), Some(512 * MIB));
    assert_eq!(probe.usage(Scope::Cgroup).unwrap(), 250_000_000, "without what can be reclaimed");
    assert_eq!(probe.usage(Scope::Process).unwrap(), 100 * MIB);
    fs::write(root.path().join("sys/fs/cgroup/kubepods.slice/pod1/ctr/memory.high"), "1048576").unwrap();
    assert_eq!(probe.limit(), MIB, "a limit that changes in place is noticed");
}

#[test]
fn max_everywhere_means_the_machine_and_this_process_alone() {
    let root = root(&[
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", V2_MOUNT),
        ("sys/fs/cgroup/memory.max", "max\n"),
        ("sys/fs/cgroup/memory.current", "900000000\n"),
        ("sys/fs/cgroup/memory.stat", "inactive_file 5\n"),
    ]);
    assert_eq!(probe(&root).cgroup_limit(), None);
    assert_eq!(probe(&root).limit(), 8192 * MIB);
    assert_eq!(probe(&root).usage(Scope::Cgroup).unwrap(), 100 * MIB, "others in the group are no concern");
    fs::write(root.path().join("sys/fs/cgroup/memory.max"), "1073741824\n").unwrap();
    assert_eq!(probe(&root).usage(Scope::Cgroup).unwrap(), 899_999_995);
    fs::write(root.path().join("sys/fs/cgroup/memory.current"), "1\n").unwrap();
    assert_eq!(probe(&root).usage(Scope::Cgroup).unwrap(), 100 * MIB, "never less than the process itself");
}

#[test]
fn v1_reads_its_levels_and_the_hierarchical_limit() {
    let unlimited = "9223372036854771712\n";
    let mut files = vec![
        ("proc/self/cgroup", V1_CGROUP),
        ("proc/self/mountinfo", V1_MOUNTS),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "734003200\n"),
        ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", unlimited),
        ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "300000000\n"),
        (
            "sys/fs/cgroup/memory/a/b/memory.stat",
            "cache 1\ntotal_inactive_file 50000000\ntotal_active_file 50000000\n\
             hierarchical_memory_limit 9223372036854771712\n",
        ),
    ];
    let root_of_levels = root(&files);
    assert_eq!(probe(&root_of_levels).cgroup_limit(), Some(700 * MIB));
    assert_eq!(probe(&root_of_levels).usage(Scope::Cgroup).unwrap(), 200_000_000);
    files.push(("sys/fs/cgroup/memory/a/b/memory.stat", "hierarchical_memory_limit 104857600\n"));
    assert_eq!(probe(&root(&files)).cgroup_limit(), Some(100 * MIB));
}

#[test]
fn a_container_that_sees_only_its_own_group_reads_the_mount_point() {
    let root = root(&[
        ("proc/self/cgroup", "4:memory:/docker/0123\n"),
        (
            "proc/self/mountinfo",
            "35 31 0:32 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        ),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n"),
    ]);
    assert_eq!(probe(&root).limit(), 100 * MIB);
}

#[test]
fn hostile_files_are_no_cgroup_and_a_missing_total_is_an_error() {
    let root = root(&[
        ("proc/self/cgroup", "0::/../../..\n:\n\n1:memory\n"),
        ("proc/self/mountinfo", "nonsense\n - \n1 2 3 / /m\\04 x - cgroup2\n"),
    ]);
    assert_eq!(probe(&root).limit(), 8192 * MIB);
    fs::write(root.path().join("proc/meminfo"), "MemTotal: many kB\n").unwrap();
    assert!(matches!(MemoryProbe::detect(root.path()), Err(MemoryError::Missing { .. })));
    fs::remove_file(root.path().join("proc/meminfo")).unwrap();
    assert!(matches!(MemoryProbe::detect(root.path()), Err(MemoryError::Read { .. })));
}

#[test]
fn limits_follow_the_collectors_rules() {
    let limits = |config: MemoryLimiterConfig| {
        let limits = config.limits(1000 * MIB);
        (limits.soft / MIB, limits.hard / MIB, limits.scope)
    };
    let default = MemoryLimiterConfig::default();
    let mib = MemoryLimiterConfig { limit_mib: 500, limit_percentage: 10, ..default.clone() };
    assert_eq!(limits(mib.clone()), (400, 500, Scope::Process));
    assert_eq!(limits(MemoryLimiterConfig { spike_limit_mib: 50, ..mib }), (450, 500, Scope::Process));
    let percent = MemoryLimiterConfig { limit_percentage: 80, ..default };
    assert_eq!(limits(percent.clone()), (640, 800, Scope::Cgroup));
    assert_eq!(
        limits(MemoryLimiterConfig { spike_limit_percentage: 30, ..percent }),
        (500, 800, Scope::Cgroup)
    );
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let good = MemoryLimiterConfig { limit_mib: 100, ..MemoryLimiterConfig::default() };
    assert_eq!(good.validate(), Ok(()));
    let cases = [
        ("limit_mib", MemoryLimiterConfig::default()),
        (
            "check_interval",
            MemoryLimiterConfig { check_interval: config::Duration::default(), ..good.clone() },
        ),
        ("spike_limit_mib", MemoryLimiterConfig { spike_limit_mib: 100, ..good.clone() }),
        ("limit_percentage", MemoryLimiterConfig { limit_percentage: 101, ..good.clone() }),
        (
            "spike_limit_percentage",
            MemoryLimiterConfig { limit_percentage: 50, spike_limit_percentage: 50, ..good.clone() },
        ),
        (
            "min_gc_interval_when_hard_limited",
            MemoryLimiterConfig {
                min_gc_interval_when_hard_limited: config::Duration::from_secs(11),
                ..good
            },
        ),
    ];
    for (field, config) in cases {
        assert_eq!(config.validate().unwrap_err().field, field);
    }
}

#[test]
fn pressure_rises_at_the_limit_and_falls_a_little_below() {
    let limits = MemoryLimits { soft: 1000, hard: 2000, scope: Scope::Process };
    let mut pressure = Pressure::Normal;
    let steps = [
        (1000, Pressure::Normal),
        (1001, Pressure::Soft),
        (960, Pressure::Soft),
        (950, Pressure::Normal),
        (960, Pressure::Normal),
        (2001, Pressure::Hard),
        (1901, Pressure::Hard),
        (1900, Pressure::Soft),
        (1950, Pressure::Soft),
        (0, Pressure::Normal),
    ];
    for (usage, expected) in steps {
        pressure = decide(usage, &limits, pressure);
        assert_eq!(pressure, expected, "at {usage}");
    }
}

#[test]
fn the_machine_that_runs_this_test_can_be_read() {
    let probe = MemoryProbe::detect(Path::new("/")).unwrap();
    assert!(probe.limit() > 0 && probe.limit() <= probe.total());
    let usage = probe.usage(Scope::Process).unwrap();
    assert!(usage > 0 && usage < probe.total());
}

#[test]
fn the_memory_limiter_that_was_built_last_counts_while_it_is_there() {
    let limiters = MemoryLimiters::default();
    assert!(limiters.current().is_none());
    let limit = |limit_mib| Arc::new(MemoryLimiterConfig { limit_mib, ..MemoryLimiterConfig::default() });
    let (first, second) = (limit(1), limit(2));
    limiters.add(&first);
    limiters.add(&second);
    assert_eq!(limiters.current().unwrap().limit_mib, 2);
    drop(second);
    assert_eq!(limiters.current().unwrap().limit_mib, 1);
    drop(first);
    assert!(limiters.current().is_none());
}
