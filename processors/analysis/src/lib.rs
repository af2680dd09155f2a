//! Detection, correlation and root cause: pure algorithms without I/O, clock or runtime.
