#![doc = include_str!("README.md")]

mod config;
mod grpc;
mod http;
mod status;
#[cfg(test)]
mod tests;

use ::config::Section;
use async_trait::async_trait;
use bytes::Bytes;
use component::{
    BuildError, ConfigSpec, Context, Ingress, Nack, Permit, Receiver, ReceiverFactory, Refusal, RunError, Shutdown,
    Stability,
};
use pdata::{Batch, DecodeError, Logs, Metrics, Signal, SignalSet, Traces};
use transport::http::Server;
use transport::{TransportError, describe};

pub use self::config::{Config, HttpConfig, Protocols};

/// Builds `otlp` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "otlp",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    config: ConfigSpec::of::<Config>(),
    create,
};

fn create(section: &Section, _: &Context) -> Result<Box<dyn Receiver>, BuildError> {
    Ok(Box::new(Otlp::new(section.parse()?)))
}

/// Takes in OTLP over gRPC and HTTP.
struct Otlp {
    config: Config,
    grpc: Option<Server>,
    http: Option<Server>,
}

impl Otlp {
    const fn new(config: Config) -> Self {
        Self { config, grpc: None, http: None }
    }
}

#[async_trait]
impl Receiver for Otlp {
    async fn start(&mut self) -> Result<(), RunError> {
        if let Some(grpc) = &self.config.protocols.grpc {
            self.grpc = Some(grpc.bind().await.map_err(not_started)?);
        }
        if let Some(http) = &self.config.protocols.http {
            self.http = Some(Server::bind(&http.server()).await.map_err(not_started)?);
        }
        Ok(())
    }

    async fn run(self: Box<Self>, ingress: Ingress, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { config: Config { protocols }, grpc, http } = *self;
        let grpc = async {
            if let (Some(server), Some(settings)) = (grpc, &protocols.grpc) {
                let handler = grpc::Handler::new(ingress.clone(), settings.max_message());
                server.serve(move |request| handler.clone().handle(request), shutdown.requested()).await;
            }
        };
        let http = async {
            if let (Some(server), Some(settings)) = (http, protocols.http) {
                let handler = http::Handler::new(ingress.clone(), settings);
                server.serve(move |request| handler.clone().handle(request), shutdown.requested()).await;
            }
        };
        tokio::join!(grpc, http);
        Ok(())
    }
}

fn not_started(error: TransportError) -> RunError {
    match error {
        TransportError::Bind { address, source } => RunError::Bind { address, source },
        other => RunError::Other(describe(&other)),
    }
}

/// What is charged for a request whose size is not known yet.
const USUAL_REQUEST: usize = 64 << 10;

/// Why a request was not taken in.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    Nack(#[from] Nack),
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Nack(Nack::retry_after(refusal.retry_after, refusal.to_string()))
    }
}

/// Decodes a message and waits until it is delivered.
async fn deliver(ingress: &Ingress, signal: Signal, body: Bytes, mut permit: Permit) -> Result<(), Rejection> {
    permit.resize(body.len());
    match decode(signal, body) {
        // An empty request is legal and there is nothing to deliver.
        Ok(batch) if batch.is_empty() => Ok(()),
        Ok(batch) => Ok(ingress.deliver(batch, Some(permit)).await?),
        Err(error) => {
            ingress.count_failed(signal, 1);
            Err(error.into())
        }
    }
}

fn decode(signal: Signal, body: Bytes) -> Result<Batch, DecodeError> {
    Ok(match signal {
        Signal::Metrics => Metrics::from_bytes(body)?.into(),
        Signal::Logs => Logs::from_bytes(body)?.into(),
        // Nothing routes events here.
        Signal::Traces | Signal::Events => Traces::from_bytes(body)?.into(),
    })
}
