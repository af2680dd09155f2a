//! The `watchfire` binary: reads the command line and hands it to the command.
//!
//! Exit codes: 0 when all is well, 2 when the configuration or the command line is wrong, 1 for everything else.

mod allocator;
mod cli;
mod components;
mod demo;
mod eval;
mod logs;
mod plot;
mod replay;
mod run;
mod sink;
mod telemetry;
mod watch;
mod words;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    allocator::configure();
    let cli = cli::Cli::parse();
    match cli::execute(&cli, &components::REGISTRY) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
