//! What messages of each class say: availability, network, access.
//!
//! Terms are in the spelling of [`crate::logs::words`]. `*` at the end of a term stands for any end of a word, ` .. ` for
//! up to six words, `^` for the start of the message, `#` for a number or another variable part.

use super::Strength::{Against, Certain, Hint, Likely, Strong};
use super::Terms;
use crate::logs::classify::Class::{
    AuthDenied, ConfigError, Connectivity, DependencyUnavailable, Dns, NetworkLink, RateLimitQuota, Security,
    Timeout, TlsCert,
};

// Many to a line: rustfmt would give each word a line of its own.
#[rustfmt::skip]
pub(super) const TERMS: &[Terms] = &[
    (Connectivity, Certain, &[
        "connection refused", "connection reset*", "reset by peer", "no route to host", "host unreachable",
        "network is unreachable", "broken pipe", "failed to connect", "could not connect", "cannot connect",
        "unable to connect", "error connecting", "error while dialing", "failed to dial", "connection lost",
        "lost connection", "connection .. lost", "connection .. refused", "connection .. could not be established",
        "could not establish .. connection", "failed to establish .. connection", "unable to establish .. connection",
        "prematurely closed connection", "closed the connection unexpectedly", "unexpectedly closed",
        "socket hang up", "connect exception", "host is down", "server has gone away", "actively refused",
        "connection failure", "connection failed", "connection attempt failed", "error reading communication packets",
    ]),
    (Connectivity, Strong, &[
        "connection error", "connect error", "unexpected eof", "connection aborted", "aborted connection",
        "remote host closed", "server closed .. connection", "peer closed .. connection", "connection .. terminated",
        "cannot open channel", "transport endpoint is not connected", "connection .. dropped", "econnrefused",
        "lost tcp", "no connection could be made", "failed to reach", "could not reach", "cannot reach",
        "connection .. broken", "connection unexpectedly", "retrying connect",
    ]),
    (Connectivity, Likely, &[
        "connection closed", "closed connection", "closing .. connection", "disconnected", "dial tcp", "unreachable",
        "transport failure", "address already in use", "connection .. failed", "not connected", "reconnecting",
        "attempting reconnect", "connection reset", "socket exception", "socket error", "remote peer",
    ]),
    (Timeout, Certain, &[
        "timed out", "timeout exceeded", "timeout .. exceeded", "deadline exceeded", "timeout exception",
        "timeout error", "statement timeout", "lock timeout", "request timeout", "read timeout", "worker timeout",
        "i o timeout", "io timeout", "gateway timeout", "took too long", "taking too long", "time limit exceeded",
        "maximum execution time", "execution expired", "open timeout", "socket timeout", "connect timeout",
        "heartbeat timeout", "operation timeout", "timeout while", "timeout waiting", "timeout expired",
        "health check timeout", "exceeded .. timeout",
    ]),
    (Timeout, Strong, &[
        "missed heartbeat*", "did not respond", "no response within", "no response from", "not responding",
        "unresponsive", "session .. expired", "slow query", "slow request*", "has passed since",
        "execution time exceeded", "exceeded .. time", "canceled .. timeout", "wait timeout", "time out",
    ]),
    (Timeout, Likely, &["timeout", "timeouts", "too slow", "took longer", "takes too long", "longer than expected"]),
    (Timeout, Hint, &["slow", "expired"]),
    (Timeout, Against, &[
        "timeout #", "timeout 0", "timeout seconds", "timeout ms", "default timeout", "idle timeout #", "set timeout",
        "timeout set", "timeout config",
    ]),
    (Dns, Certain, &[
        "name or service not known", "no such host", "name resolution", "unknown host", "host name not found",
        "dns resolution", "dns lookup .. failed", "dns .. failed", "resolve host*", "host not found",
        "domain does not exist", "dns server failure", "nodename nor servname", "name not resolved", "dns error",
        "dns query failed", "hostname .. not found", "getaddrinfo .. failed",
    ]),
    (Dns, Strong, &[
        "could not resolve", "failed to resolve", "unable to resolve", "cannot resolve", "nameserver*", "getaddrinfo",
        "resolving host*", "lookup .. on # no such", "dns .. timeout",
    ]),
    (Dns, Likely, &["dns", "resolver", "lookup .. failed", "zone transfer"]),
    (Dns, Against, &[
        "resolve placeholder", "resolve reference", "resolve dependenc*", "resolve conflict*", "resolve image",
        "break in attempt",
    ]),
    (TlsCert, Certain, &[
        "certificate verify failed", "certificate has expired", "certificate expired", "certificate .. expired",
        "expired certificate", "certificate .. not yet valid", "certificate is not valid", "self signed certificate",
        "unknown authority", "x509", "bad certificate", "handshake failure", "handshake failed",
        "handshake exception", "tls handshake", "ssl handshake", "pkix path", "unable to verify .. certificate",
        "certificate verification failed", "local issuer certificate", "tls error", "ssl error", "ssl routines",
        "untrusted certificate", "certificate .. not trusted", "certificate .. revoked", "invalid .. certificate",
        "certificate .. invalid", "certificate .. failed", "certificate .. not ready", "certificate unknown",
    ]),
    (TlsCert, Strong, &[
        "certificate .. error", "unsupported protocol version", "certificate .. mismatch", "no common cipher*",
        "certificate request", "issuing certificate", "renewing certificate", "renewed certificate",
        "certificate .. will expire", "certificate .. expires", "signed certificate", "certificate* .. issued",
    ]),
    (TlsCert, Likely, &["certificate", "certificates", "handshake", "issuer"]),
    (TlsCert, Hint, &["tls", "ssl", "acme"]),
    (AuthDenied, Certain, &[
        "permission denied", "access denied", "access is denied", "authentication failed", "authentication failure",
        "failed authentication", "failed password", "not authorized", "unauthorized", "unauthenticated",
        "invalid credentials", "bad credentials", "invalid username", "invalid password", "login refused",
        "login failed", "failed login", "login incorrect", "authentication required", "token expired",
        "token has expired", "token .. is expired", "expired token", "jwt expired", "invalid token",
        "token is invalid", "missing bearer token", "insufficient privilege*", "insufficient permission*",
        "operation not permitted", "authentication attempts exceeded", "failed to authenticate",
        "unable to authenticate", "could not authenticate", "authentication error", "incorrect password",
        "wrong password", "denied access", "permission refused", "access forbidden", "not permitted to",
        "signature .. does not match", "unauthorized operation",
    ]),
    (AuthDenied, Strong, &[
        "no pg hba config entry", "invalid user", "account .. locked", "user is disabled", "not allowed to",
        "does not have .. permission*", "is forbidden user", "authentication .. failed", "wrongpass", "noauth",
        "rbac", "access token", "forbidden", "avc denied", "apparmor denied", "denied", "invalid api key",
    ]),
    (AuthDenied, Hint, &["not allowed", "privilege*", "authentication", "credentials", "authorization", "login"]),
    (AuthDenied, Against, &["command not allowed", "exceeded quota", "dns .. denied"]),
    (DependencyUnavailable, Certain, &[
        "service unavailable", "no live upstream*", "no healthy upstream*", "no server available",
        "no server is available", "may not be available", "broker not available", "cluster is down", "clusterdown",
        "dependency failed", "bad gateway", "leader not available", "no leader", "no cluster leader", "no master",
        "not discovered or elected", "not enough replicas", "no brokers available", "circuit breaker .. open",
        "cannot achieve consistency", "upstream .. unavailable", "backend .. unavailable", "no available server*",
        "no nodes available", "no healthy",
    ]),
    (DependencyUnavailable, Strong, &[
        "while connecting to upstream", "upstream timed out", "upstream connect error", "unavailable", "lost leader",
        "not primary", "is down", "database system is starting up", "is starting up", "node not ready",
        "not available", "code unavailable", "health check failed", "healthcheck failed", "not reachable",
        "is shutting down", "marked .. down", "marked .. unhealthy", "loading .. dataset", "no quorum", "lost quorum",
        "quorum lost", "without a leader", "upstream .. error", "gateway timeout",
    ]),
    (DependencyUnavailable, Likely, &[
        "unreachable", "not ready", "circuit breaker", "is critical", "unhealthy", "quorum", "outage",
    ]),
    (DependencyUnavailable, Hint, &["upstream", "backend", "replicas", "leader"]),
    (DependencyUnavailable, Against, &[
        "link is down", "network is down", "connection is not available", "resource temporarily unavailable",
        "nodes are available", "interface .. is down", "temporarily unavailable .. retry",
    ]),
    (RateLimitQuota, Certain, &[
        "rate limit*", "rate exceeded", "too many requests", "limiting requests", "request quota", "api quota",
        "quota violation", "requests per second .. exceeded", "throttling exception", "request* .. throttled",
        "throttled .. request*", "exceeded .. current quota", "api rate", "usage limit",
    ]),
    (RateLimitQuota, Strong, &[
        "quota exceeded", "exceeded quota", "quota .. exceeded", "exceeded .. quota", "resource exhausted",
        "limit exceeded exception", "throttled", "throttling", "too many certificates", "backpressure", "slow down",
    ]),
    (RateLimitQuota, Likely, &["quota", "quotas"]),
    (RateLimitQuota, Hint, &["backing off", "limit exceeded"]),
    (RateLimitQuota, Against, &[
        "disk quota", "cpu .. throttled", "clock throttled", "cfs quota", "quota mode", "throttled periods",
        "throttled .. periods", "cpu throttl*", "quota usage",
    ]),
    (NetworkLink, Certain, &[
        "link is down", "link is up", "link down", "link up", "lost carrier", "gained carrier", "no carrier",
        "carrier lost", "packet loss", "packets dropped", "packets lost", "network partition*", "network is down",
        "link flap*", "link status", "netdev watchdog", "partitioned network", "interface .. changed state",
        "line protocol",
    ]),
    (NetworkLink, Strong, &[
        "carrier", "mtu", "packet drop*", "dropped packet*", "dropping packet*", "interface .. down",
        "martian source", "own address as source", "changed state to", "hold time expired", "duplex",
        "duplicate address", "neighbor .. down", "adjacency", "split brain", "port .. down",
    ]),
    (NetworkLink, Likely, &["bgp", "ospf", "retransmi*", "vlan", "bond*", "network interface", "arp"]),
    (NetworkLink, Against, &["conntrack .. dropping packet*", "tcp connection"]),
    (ConfigError, Certain, &[
        "invalid config*", "config error*", "bad config*", "config is invalid", "config .. contains errors",
        "config .. invalid", "error .. in config", "unknown directive", "unknown keyword", "unknown variable",
        "unknown key*", "unknown option", "unknown flag", "unknown field*", "unknown parameter", "unknown argument",
        "unrecognized option", "unrecognized argument*", "unrecognized parameter", "unsupported argument",
        "missing required", "improperly configured", "misconfigur*", "failed to configure",
        "could not resolve placeholder", "create container config error", "configmap .. not found",
        "config map .. not found", "is not set", "must be set", "failed to load config", "failed to parse config",
        "failed to read config", "config parse error", "config .. rejected", "invalid yaml", "invalid toml",
        "not configured", "required .. not set",
    ]),
    (ConfigError, Strong, &[
        "secret .. not found", "environment variable", "error during parsing", "error parsing", "cannot be enforced",
        "not specified", "must not be empty", "must be specified", "invalid setting", "invalid value for",
        "invalid option", "duplicate .. definition", "executable file not found", "cannot unmarshal",
        "config validation", "syntax error in", "unexpected key", "config syntax", "host not found in upstream",
        "setting .. invalid", "bootstrap check",
    ]),
    (ConfigError, Likely, &[
        "failed to parse", "parse error", "invalid argument", "invalid value", "not set", "no such file or directory",
        "deprecated", "address already in use", "yaml",
    ]),
    (ConfigError, Hint, &["setting", "etc"]),
    (Security, Certain, &[
        "security attack", "break in attempt", "intrusion", "syn flood*", "brute force", "sql injection", "malware",
        "avc denied", "apparmor denied", "privilege escalation", "port scan*", "path traversal",
        "directory traversal", "exploit*", "denial of service", "ddos",
    ]),
    (Security, Strong, &[
        "attack*", "vulnerabilit*", "cve", "injection", "invalid user", "selinux", "apparmor", "ban #", "banned",
        "suspicious", "unauthorized access", "tamper*", "forged", "security violation", "policy violation",
        "maximum authentication attempts", "untrusted", "non trusted", "csrf", "xss",
    ]),
    (Security, Likely, &["seccomp", "audit type", "intrud*"]),
    (Security, Against, &["untrusted certificate", "not trusted", "fault injection", "dependency injection"]),
];
