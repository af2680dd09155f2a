#![doc = include_str!("README.md")]

mod answer;
mod config;
#[cfg(test)]
mod tests;

use ::config::{Duration, Section};
use async_trait::async_trait;
use bytes::Bytes;
use component::delivery::DeliverySettings;
use component::{BuildError, Clock, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Stability};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use pdata::{Batch, Signal, SignalSet};
use transport::compression::Compression;

pub use self::config::{Config, Encoding};
use crate::http_outcome;
use crate::outgoing::{Rejections, request, telemetry};

/// Builds `otlphttp` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "otlphttp",
    aliases: &["otlp_http"],
    stability: Stability::Beta,
    signals: SignalSet::ALL,
    config: ConfigSpec::of::<Config>(),
    delivery: || DeliverySettings { timeout: Duration::from_secs(30), ..DeliverySettings::default() },
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    let config: Config = section.parse()?;
    let client = http_outcome::client(&config.client())?;
    Ok(Box::new(OtlpHttp {
        urls: Signal::ALL.map(|signal| config.url(signal)),
        encoding: config.encoding,
        compression: config.compression,
        client,
        clock: context.clock.clone(),
        rejections: Rejections::new(context),
    }))
}

/// Sends OTLP over HTTP.
struct OtlpHttp {
    urls: [Option<String>; 4],
    encoding: Encoding,
    compression: Compression,
    client: reqwest::Client,
    clock: Clock,
    rejections: Rejections,
}

#[async_trait]
impl Exporter for OtlpHttp {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let batch = telemetry(batch);
        let signal = batch.signal();
        let url = self.urls[signal.index()]
            .as_ref()
            .ok_or_else(|| ExportError::permanent(format!("no endpoint is configured for {signal}")))?;
        let body = self.compression.encode(&self.body(&batch));
        let body = body.map_err(|error| ExportError::permanent(format!("cannot compress: {error}")))?;
        let mut request = self.client.post(url).header(CONTENT_TYPE, self.encoding.media_type()).body(body);
        if let Some(name) = self.compression.header() {
            request = request.header(CONTENT_ENCODING, name);
        }
        let response = request.send().await.map_err(http_outcome::of_failure)?;
        let response = answer::read(response, signal, &self.clock).await?;
        self.rejections.note(signal, &response);
        Ok(())
    }
}

impl OtlpHttp {
    fn body(&self, batch: &Batch) -> Bytes {
        match self.encoding {
            Encoding::Proto => request(batch),
            Encoding::Json => {
                let mut text = Vec::new();
                pdata::json::to_json(batch, &mut text);
                text.into()
            }
        }
    }
}
