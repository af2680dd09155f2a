//! Sends what the shop's services have gathered: OTLP over gRPC, as an SDK would.

use anyhow::Context as _;
use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use pdata::Batch;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};

/// A connection to a receiver of OTLP.
pub(super) struct Client {
    grpc: Grpc<Channel>,
}

impl Client {
    /// Connects to `address`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(super) async fn connect(address: std::net::SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).context("not an address")?;
        let channel = endpoint.connect().await.with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { grpc: Grpc::new(channel) })
    }

    /// Sends a batch and waits until the pipeline has acknowledged it.
    ///
    /// # Errors
    /// If it was not taken.
    pub(super) async fn send(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let (method, bytes) = match batch {
            Batch::Traces(traces) => {
                ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", traces.bytes())
            }
            Batch::Metrics(metrics) => {
                ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", metrics.bytes())
            }
            Batch::Logs(logs) => ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", logs.bytes()),
            // Services do not send what only a pipeline finds.
            Batch::Events(_) => return Ok(()),
        };
        self.grpc.ready().await.context("the connection was lost")?;
        let request = tonic::Request::new(bytes.clone());
        let sent = self.grpc.unary(request, PathAndQuery::from_static(method), Raw).await;
        sent.map(drop).with_context(|| format!("the pipeline did not take {}", batch.signal()))
    }
}

/// Passes messages on as bytes: they are encoded already, and the answer holds nothing that the shop wants to know.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        message.advance(message.remaining());
        Ok(Some(()))
    }
}
