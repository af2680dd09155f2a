//! What messages of each class say: programs, resources, storage, hardware, scheduling.
//!
//! The spelling is explained in the file beside this one.

use super::Strength::{Against, Certain, Hint, Likely, Strong};
use super::Terms;
use crate::logs::classify::Class::{
    CrashPanic, DataCorruption, DeadlockLock, DeploymentChange, Hardware, ResourceCpuThrottle, ResourceDisk,
    ResourceLimit, ResourceMemory, Restart, SchedulingEviction, StorageIo,
};

// Many to a line: rustfmt would give each word a line of its own.
#[rustfmt::skip]
pub(super) const TERMS: &[Terms] = &[
    (ResourceMemory, Certain, &[
        "out of memory", "cannot allocate memory", "could not allocate memory", "failed to allocate memory",
        "unable to allocate", "heap space", "heap limit", "memory pressure", "memory resource limit",
        "memory exhausted", "memory size .. exhausted", "insufficient memory", "not enough memory", "memory error",
        "memory limit exceeded", "exceeded .. memory limit", "memory cgroup", "gc overhead limit",
        "page allocation failure", "low memory", "maxmemory", "maximum memory", "used memory .. maximum",
        "memory alarm", "metaspace",
    ]),
    (ResourceMemory, Strong, &[
        "memory leak", "memory limit", "gc overhead", "high memory", "memory .. high watermark",
        "memory usage .. above", "memory .. exceeded", "overhead .. garbage collection", "swap .. full",
        "allocation failed",
    ]),
    (ResourceMemory, Likely, &[
        "garbage collection", "overhead spent", "reclaim .. memory", "swapping", "memory high", "data too large",
    ]),
    (ResourceMemory, Hint, &["memory", "heap", "swap"]),
    (ResourceMemory, Against, &[
        "memory read error", "memory address", "in memory", "possibly out of memory or process",
    ]),
    (ResourceDisk, Certain, &[
        "no space left", "disk full", "disk is full", "disk pressure", "disk quota exceeded", "out of disk",
        "file system full", "filesystem full", "filesystem is full", "file system is full", "insufficient disk",
        "not enough disk", "low disk space", "low on disk", "disk space low", "disk resource limit", "out of inodes",
        "no free inodes", "volume is full", "out of space", "not enough space", "insufficient space",
        "disk watermark", "disk usage .. above", "disk usage .. exceed*", "disk .. almost full",
        "disk space exceeded", "inodes .. exhausted",
    ]),
    (ResourceDisk, Strong, &[
        "nearfull", "near full", "space exceeded", "disk .. full", "volume .. full", "disk .. watermark",
        "ephemeral storage", "disk .. running out",
    ]),
    (ResourceDisk, Likely, &["disk space", "free space"]),
    (ResourceDisk, Hint, &["disk usage"]),
    (ResourceCpuThrottle, Certain, &[
        "cpu throttl*", "cpu .. throttled", "throttled periods", "cfs quota", "soft lockup", "cpu starvation",
        "cpu saturat*", "high cpu", "cpu pressure", "thread starvation", "thread pool starvation", "rcu .. stall*",
        "clock throttled", "cpu usage .. above", "throttled due to cpu", "cpu .. overload*",
    ]),
    (ResourceCpuThrottle, Strong, &[
        "starvation", "event loop .. blocked", "event loop lag", "event loop delay", "cpu .. stuck for",
        "load average", "thermal throttl*", "clock leap detected", "cpu limit",
    ]),
    (ResourceCpuThrottle, Likely, &["cpu usage", "stall*", "overloaded"]),
    (ResourceLimit, Certain, &[
        "too many open files", "too many connections", "too many clients", "too many processes", "too many threads",
        "file descriptor limit", "maximum number of clients", "maximum connections", "maximum number of connections",
        "pool exhausted", "pool .. exhausted", "pool is exhausted", "connection is not available",
        "create .. native thread", "unable to create .. thread", "ulimit", "rejected execution", "queue full",
        "queue is full", "queue .. is full", "table full", "connections are not enough", "remaining connection slots",
        "no buffer space available", "file maximum limit", "maximum children", "process limit", "thread limit",
        "pids limit", "connection limit", "out of file descriptors", "file descriptors exhausted", "rlimit",
        "buffer is full", "resource temporarily unavailable", "backlog .. full", "connection from the pool",
    ]),
    (ResourceLimit, Strong, &[
        "limit reached", "limit .. reached", "reached .. limit", "process resource limits", "slow consumer",
        "from the pool", "cannot fork", "unable to fork", "maximum map count", "capacity exceeded", "at capacity",
        "limits were exceeded", "too many links", "queue overflow", "listen overflow*", "reached .. maximum",
        "maximum .. reached",
    ]),
    (ResourceLimit, Likely, &[
        "queue capacity", "exhausted", "resource limit*", "stack overflow", "limit exceeded", "limits exceeded",
        "too many",
    ]),
    (ResourceLimit, Against, &[
        "memory resource limit", "disk resource limit", "memory .. exhausted", "heap limit", "too many requests",
        "resource exhausted", "nameserver limits", "rate limit*", "too many retries", "retries .. exceeded",
        "memory limit", "too many redirects", "heap limit reached", "reached heap limit", "reached .. target",
        "lock wait", "limit exceeded exception", "nameserver .. limits", "too many # error", "too many certificates",
    ]),
    (CrashPanic, Certain, &[
        "panic", "panicked", "panicking", "kernel panic", "segmentation fault", "core dumped", "core dump", "crashed",
        "crash loop*", "uncaught exception", "unhandled exception", "unhandled promise rejection",
        "unhandled rejection", "exception in thread", "terminated by signal", "exited on signal", "killed by signal",
        "crashed by signal", "signal abort", "nil pointer dereference", "overflowed its stack",
        "null reference exception", "concurrent map", "general protection fault", "illegal instruction", "bus error",
        "double free", "stack smashing", "terminate called", "exited unexpectedly", "unexpectedly exited",
        "died unexpectedly", "kernel bug", "unable to handle kernel", "kernel oops", "killed process",
        "fatal error has been detected", "abnormal termination", "abnormally terminated", "main process exited",
        "goroutine # running", "traceback most recent call", "signal floating point exception", "signal bus error",
        "process .. crashed",
    ]),
    (CrashPanic, Strong, &[
        "crash", "fatal error", "fatal exception", "null pointer", "stack overflow", "assertion failed",
        "assertion failure", "runtime error", "got signal", "signal kill", "sent signal kill",
        "back off restarting failed", "out of memory killed", "start request repeated", "failed with result", "oops",
        "hs error pid", "main thread .. exception", "has been killed", "was killed", "fassert", "aborting",
        "exited abnormally", "process died", "worker died",
    ]),
    (CrashPanic, Likely, &[
        "index out of range", "process exited", "exited with", "terminated", "aborted", "dumped", "container process",
    ]),
    (CrashPanic, Hint, &["killed", "killing", "exited", "died"]),
    (CrashPanic, Against, &[
        "aborted connection", "connection aborted", "transaction .. aborted", "rollout aborted",
        "authentication .. terminated", "connection .. terminated", "heap out of memory killed",
    ]),
    (Restart, Certain, &[
        "will be restarted", "restart counter", "scheduled restart", "back off restarting", "crash loop*",
        "booting worker", "restarted", "startup complete", "not properly shut down", "automatic recovery",
        "ready to accept connections", "ready for connections", "rebooted", "rebooting", "started .. in # seconds",
        "application started", "server started", "node started", "respawn*", "has started", "cold start",
    ]),
    (Restart, Strong, &[
        "restarting", "restarts", "^started", "^starting", "is starting", "listening on port", "server listening",
        "stopping container", "reboot", "service started", "start request repeated", "^stopping", "^stopped",
        "shutdown complete", "boot completed", "received .. signal terminate", "start up complete",
        "killing container",
    ]),
    (Restart, Likely, &[
        "restart", "started", "starting up", "shutting down", "listening on", "^listening", "shutdown", "booting",
        "exiting", "liveness probe",
    ]),
    (Restart, Hint, &["starting", "start"]),
    (Restart, Against, &[
        "restarting transaction", "start completed", "database system is starting up", "and restart",
        "please restart", "failed to start", "unable to start", "shards started", "is shutting down",
        "request repeated", "before response started", "response started", "shutdown broker", "job started",
        "background .. started",
    ]),
    (DataCorruption, Certain, &[
        "corrupt", "corrupted", "corruption", "corrupt index", "checksum mismatch", "checksum error",
        "checksum failed", "checksum failure", "bad checksum", "invalid checksum", "checksum .. but expected",
        "checksum .. expected", "crc mismatch", "crc error", "bad crc", "computed crc", "digest mismatch",
        "digest .. does not match", "hash mismatch", "invalid page", "page verification failed",
        "structure needs cleaning", "integrity check failed", "torn page", "bad superblock", "bad magic", "data loss",
        "silent data", "bit rot",
    ]),
    (DataCorruption, Strong, &[
        "bad file format", "deleted inode referenced", "filesystem error", "ext4 filesystem error",
        "does not match the manifest", "integrity error", "inconsistent .. object*", "malformed .. image",
        "inconsistent data",
    ]),
    (DataCorruption, Likely, &["integrity", "inconsistent", "repair required", "checksum", "fsck"]),
    (DataCorruption, Against, &["integrity constraint", "checksum ok", "checksum verified"]),
    (StorageIo, Certain, &[
        "i o error", "io error", "input output error", "remote io error", "read only file system",
        "filesystem read only", "remounting filesystem", "buffer i o", "blk update request", "failed mount",
        "mount failed", "failed to mount", "failed to attach .. volume", "attach or mount", "mount volume",
        "failed to unmount", "unable to mount", "could not mount", "stale file handle", "disk is busy",
        "failed command", "fsync .. taking", "could not fsync", "fsync failed", "fsync error", "slow fsync",
        "slow fdatasync", "disk failure", "disk failed", "disk error", "bad sector*", "unreadable sector*",
        "bad block*", "nfs .. not responding", "volume .. failed to attach", "failed attach volume",
        "multi attach error", "disk io", "slow disk",
    ]),
    (StorageIo, Strong, &[
        "fsync", "fdatasync", "filesystem error", "log directories .. failed", "scsi .. error", "nvme .. timeout",
        "write error", "read error", "jbd2", "xfs .. error", "device or resource busy", "slow ops",
        "block device error", "raid .. degraded", "volume .. failed",
    ]),
    (StorageIo, Likely, &[
        "io exception", "unmount*", "could not write", "could not read file", "failed to write", "failed to flush",
    ]),
    (StorageIo, Against, &[
        "memory read error", "checksum .. read", "space left", "io exception no space", "reading communication",
    ]),
    (Hardware, Certain, &[
        "hardware error", "machine check", "edac", "temperature above threshold", "over temperature", "overheat*",
        "fallen off the bus", "hardware failure", "faulty hardware", "unreadable .. sectors", "pending sector*",
        "reallocated sector*", "uncorrectable", "power supply", "fan failure", "fan .. failure", "fan .. fail*",
        "smart .. fail*", "self check", "pcie bus error", "predictive failure", "upper critical", "lower critical",
        "non recoverable", "ecc error*", "parity error*", "memory read error", "failed command",
    ]),
    (Hardware, Strong, &[
        "mce", "ecc", "dimm", "xid", "chassis", "correctable error*", "voltage", "psu", "raid .. degraded",
        "drive .. failed", "drive failure", "disk failure", "bad sector*", "hardware problem", "core temperature",
        "thermal",
    ]),
    (Hardware, Likely, &["temperature", "battery", "fan", "sensor", "firmware", "gpu"]),
    (Hardware, Against, &["malfunctioning hardware", "checksum failed hardware problem"]),
    (SchedulingEviction, Certain, &[
        "failed scheduling", "eviction manager", "evicted", "evicting", "preempted", "preempting", "preemption",
        "nodes are available", "untolerated taint", "unschedulable", "taint manager", "could not schedule",
        "cannot schedule", "failed to schedule", "unable to schedule", "cannot be scheduled", "insufficient cpu",
        "insufficient gpu", "marking for deletion", "cordon*", "pod disruption budget", "node pressure",
        "no nodes match",
    ]),
    (SchedulingEviction, Strong, &[
        "eviction", "preempt", "evict", "taint", "tolerat*", "node selector", "node affinity", "draining node",
        "drained node", "insufficient memory .. node*", "pods is forbidden exceeded quota",
        "forbidden exceeded quota", "pod* .. pending",
    ]),
    (SchedulingEviction, Likely, &["evictions", "draining", "insufficient resources", "disrupting"]),
    (SchedulingEviction, Against, &["cache evict*", "evicted from cache", "evicted .. cache", "lru evict*"]),
    (DeadlockLock, Certain, &[
        "deadlock*", "lock timeout", "lock wait", "waiting for .. lock", "waits for .. lock", "could not obtain lock",
        "cannot acquire lock", "could not acquire .. lock", "unable to acquire .. lock", "failed to acquire .. lock",
        "acquiring .. lock", "obtain .. lock", "database is locked", "table is locked", "blocked for more than",
        "hung task", "lock contention", "livelock",
    ]),
    (DeadlockLock, Strong, &[
        "exclusive lock", "share lock", "is locked", "lock .. already held", "already held by", "lock held",
        "lock conflict", "spinlock", "lock info", "already locked",
    ]),
    (DeadlockLock, Likely, &["mutex", "lock .. expired", "blocked by process"]),
    (DeadlockLock, Hint, &["lock", "locks", "blocked"]),
    (DeadlockLock, Against, &["account .. is locked", "user .. is locked", "soft lockup"]),
    (DeploymentChange, Certain, &[
        "scaled up", "scaled down", "scaling replica set", "rolled back", "rolling back .. deployment", "rollout*",
        "image pull back off", "error image pull", "pulling image", "pulled image", "failed to pull image",
        "feature flag*", "apply complete", "automated sync", "deployed", "deploying", "database migration*",
        "applying .. migration*", "applied .. migration*", "has been upgraded", "upgraded .. to", "upgrading",
        "add update listener", "config reloaded", "config .. reloaded", "reloading config", "config changed",
        "config .. updated", "pull image",
    ]),
    (DeploymentChange, Strong, &[
        "reconfiguring", "reloading", "rolling update", "sync operation", "new version", "replicas .. from # to #",
        "upgraded", "canary", "migrating", "migrations", "manifest unknown", "release .. installed",
        "updated to version", "reload complete", "back off pulling",
    ]),
    (DeploymentChange, Likely, &[
        "reloaded", "deployment", "deploy", "rollback", "release", "migration", "build version", "scaling", "upgrade",
        "revision", "image tag",
    ]),
    (DeploymentChange, Hint, &["version", "sync"]),
    (DeploymentChange, Against, &[
        "transaction .. rollback", "rolled back transaction", "transaction .. rolled back",
    ]),
];
