//! Keeps a receiver running: one that fails or panics is built anew after a while.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use component::{BuildError, Context, Ingress, Receiver, RunError, Shutdown};
use config::Section;
use futures::FutureExt;
use tracing::{error, info};

use crate::panic_text;
use crate::plan::Create;

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// A receiver that ran this long before it failed starts over with the first wait.
const STABLE_AFTER: Duration = Duration::from_secs(120);

/// How a receiver is built.
pub(crate) struct Blueprint {
    pub(crate) section: Section,
    pub(crate) create: Create<dyn Receiver>,
    pub(crate) context: Context,
}

impl Blueprint {
    /// Builds and starts one.
    pub(crate) async fn build(&self) -> Result<Box<dyn Receiver>, BuildError> {
        let mut receiver = (self.create)(&self.section, &self.context)?;
        receiver.start().await?;
        Ok(receiver)
    }
}

/// Runs `receiver` and its successors until `shutdown` is requested.
pub(crate) async fn run(
    receiver: Box<dyn Receiver>,
    blueprint: Blueprint,
    ingress: Ingress,
    shutdown: Shutdown,
) {
    let Context { health, telemetry, key, .. } = &blueprint.context;
    let name = key.id.to_string();
    let panics =
        telemetry.counter("otelcol_component_panics", "Panics that were caught.", &[("component", &name)]);
    let mut next = Some(receiver);
    let mut back_off = FIRST_BACK_OFF;
    while !shutdown.is_requested() {
        let receiver = match next.take() {
            Some(receiver) => receiver,
            None => match AssertUnwindSafe(blueprint.build()).catch_unwind().await.unwrap_or_else(|panic| {
                panics.add(1);
                Err(BuildError::other(format!("panicked: {}", panic_text(panic.as_ref()))))
            }) {
                Ok(receiver) => {
                    health.restarted();
                    info!(receiver = name, "restarted");
                    receiver
                }
                Err(error) => {
                    health.recovering(format!("cannot start again: {error}"));
                    wait(&mut back_off, &shutdown).await;
                    continue;
                }
            },
        };
        health.ok();
        let started = tokio::time::Instant::now();
        let ended = AssertUnwindSafe(receiver.run(ingress.clone(), shutdown.clone())).catch_unwind().await;
        let reason = match ended {
            Ok(Ok(())) => break,
            Ok(Err(error)) => describe(&error),
            Err(panic) => {
                panics.add(1);
                format!("panicked: {}", panic_text(panic.as_ref()))
            }
        };
        error!(receiver = name, reason, "a receiver failed");
        health.recovering(reason);
        if started.elapsed() >= STABLE_AFTER {
            back_off = FIRST_BACK_OFF;
        }
        wait(&mut back_off, &shutdown).await;
    }
    health.stopped();
}

async fn wait(back_off: &mut Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(*back_off) => {}
        () = shutdown.requested() => {}
    }
    *back_off = (*back_off * 2).min(LONGEST_BACK_OFF);
}

/// An error with its causes.
pub(crate) fn describe(error: &RunError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
