//! Writes a workload as OTLP/JSON lines to standard output, for measurements:
//! `cargo run --release -p testkit --example workload -- SEED SERVICES REQUESTS STEPS`. In the middle one service becomes slow
//! and fails for three minutes.

use std::io::{BufWriter, Write};
use std::time::Duration;

use testkit::{Fault, Step, Workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = || numbers.next().ok_or("four numbers are needed: SEED SERVICES REQUESTS STEPS");
    let (seed, services, requests, steps) = (next()??, next()??, next()??, next()??);
    let workload = Workload { seed: seed as u64, services, requests, ..Workload::default() };
    let from = workload.step * u32::try_from(steps)? / 2;
    let until = from + Duration::from_secs(180);
    let fault = Fault { service: services / 2, from, until, slowdown: 15.0, failures: 0.3 };
    let workload = Workload { faults: vec![fault], ..workload };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for batch in workload.steps().take(steps).flat_map(Step::into_batches) {
        line.clear();
        pdata::json::to_json(&batch, &mut line);
        line.push(b'\n');
        out.write_all(&line)?;
    }
    out.flush()?;
    Ok(())
}
