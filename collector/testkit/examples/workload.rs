//! Writes a workload as OTLP/JSON lines to standard output, for measurements:
//! `cargo run --release -p testkit --example workload -- SEED SERVICES REQUESTS STEPS`.

use std::io::{BufWriter, Write};

use testkit::{Step, Workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = || numbers.next().ok_or("four numbers are needed: SEED SERVICES REQUESTS STEPS");
    let (seed, services, requests, steps) = (next()??, next()??, next()??, next()??);
    let workload = Workload { seed: seed as u64, services, requests, ..Workload::default() };
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
