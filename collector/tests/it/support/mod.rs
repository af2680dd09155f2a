//! What end-to-end tests need: the real binary as a process, other programs, senders and sinks around it, and free addresses.

mod load;
mod peers;
mod process;
mod program;
mod sink;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) use load::{Answer, Load, Protocol, Sender, next};
pub(crate) use peers::peer;
pub(crate) use process::Collector;
pub(crate) use program::{PATIENCE, Program, until, until_or};
pub(crate) use sink::Sink;

/// A `host:port` that nobody else uses: every call, in every process, has a loopback address of its own.
pub(crate) fn free_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = format!("127.{}.{high}.{}", NEXT.fetch_add(1, Ordering::Relaxed).max(1), low.max(1));
    let listener = TcpListener::bind((host.as_str(), 0)).expect("a free port");
    listener.local_addr().expect("an address").to_string()
}
