#![doc = include_str!("README.md")]

mod body;
mod config;
mod grpc;
mod http;
mod intake;
mod response;
#[cfg(test)]
mod tests;

use ::config::Section;
use async_trait::async_trait;
use component::{
    BuildError, ConfigSpec, Context, Ingress, Receiver, ReceiverFactory, RunError, Shutdown, Stability,
};
use pdata::SignalSet;
use transport::http::Server;
use transport::{TransportError, describe};

pub use self::config::{Config, HttpConfig, Protocols};

/// Builds `otlp` receivers.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    type_name: "otlp",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::ALL,
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
