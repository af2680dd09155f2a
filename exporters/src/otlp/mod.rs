#![doc = include_str!("README.md")]

mod config;
#[cfg(test)]
mod tests;

use ::config::Section;
use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{BuildError, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Stability};
use pdata::{Batch, Signal, SignalSet};
use prost::Message;
use transport::describe;
use transport::grpc::{Client, Code, Status};

pub use self::config::Config;
use crate::outgoing::{Rejections, Response, request, telemetry};

/// Builds `otlp` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "otlp",
    aliases: &["otlp_grpc"],
    stability: Stability::Beta,
    signals: SignalSet::ALL,
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::default,
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    let config: Config = section.parse()?;
    let client = Client::new(&config).map_err(|error| BuildError::other(describe(&error)))?;
    Ok(Box::new(Otlp { client, rejections: Rejections::new(context) }))
}

/// Sends OTLP over gRPC.
struct Otlp {
    client: Client,
    rejections: Rejections,
}

#[async_trait]
impl Exporter for Otlp {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let batch = telemetry(batch);
        let signal = batch.signal();
        let answer = self.client.call(method(signal), &request(&batch)).await;
        let answer = answer.map_err(|status| failure(&status))?;
        // The batch was taken; an answer that cannot be read changes nothing about that.
        match Response::decode(answer) {
            Ok(response) => self.rejections.note(signal, &response),
            Err(error) => tracing::warn!(%signal, error = describe(&error), "cannot read an answer"),
        }
        Ok(())
    }
}

const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs | Signal::Events => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// Whether trying again may help, by OTLP's table of codes.
fn failure(status: &Status) -> ExportError {
    let retryable = match status.code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Overload that passes is announced with a time to wait; without one a limit is meant that stays.
        Code::ResourceExhausted => status.retry_after.is_some(),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => false,
    };
    let reason = status.to_string();
    if retryable {
        ExportError::Retryable { reason, after: status.retry_after }
    } else {
        ExportError::Permanent { reason }
    }
}
