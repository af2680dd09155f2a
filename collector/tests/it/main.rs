//! End-to-end tests: the real binary and real peers.
