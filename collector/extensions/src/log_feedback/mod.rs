#![doc = include_str!("README.md")]

mod config;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use analysis::logs::classify::FeedbackEntry;
use async_trait::async_trait;
use bytes::Bytes;
use component::{
    BuildError, ConfigSpec, Context, Extension, ExtensionFactory, HealthReporter, RunError, Shutdown,
    Stability,
};
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use serde_json::{Value, json};
use transport::TransportError;
use transport::http::Server;

pub use self::config::Config;
use self::store::{Store, StoreError};

/// Builds `log_feedback` extensions.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    type_name: "log_feedback",
    aliases: &[],
    stability: Stability::Alpha,
    config: ConfigSpec::of::<Config>(),
    is_storage: false,
    create: |section, context| {
        let config: Config = section.parse()?;
        Ok::<_, BuildError>(Box::new(LogFeedback::new(config, context)))
    },
};

/// Where feedback is.
const PATH: &str = "/v1/log/feedback";

/// An entry is a template and some names.
const MAX_BODY: usize = 64 << 10;

/// Takes feedback about log templates over HTTP.
#[derive(Debug)]
pub struct LogFeedback {
    config: Config,
    health: HealthReporter,
    bound: Option<(Server, Arc<Api>)>,
}

impl LogFeedback {
    /// An extension that opens its file and binds its address when it starts.
    pub fn new(config: Config, context: &Context) -> Self {
        Self { config, health: context.health.clone(), bound: None }
    }

    async fn bind(&mut self) -> Result<(Server, Arc<Api>), RunError> {
        if let Some(bound) = self.bound.take() {
            return Ok(bound);
        }
        let store = Store::open(&self.config.file).map_err(|error| RunError::Other(error.to_string()))?;
        let server = Server::bind(&self.config.server()).await.map_err(|error| match error {
            TransportError::Bind { address, source } => RunError::Bind { address, source },
            error => RunError::Other(transport::describe(&error)),
        })?;
        Ok((server, Arc::new(Api { store, token: self.config.token.reveal().to_owned() })))
    }
}

#[async_trait]
impl Extension for LogFeedback {
    async fn start(&mut self) -> Result<(), RunError> {
        self.bound = Some(self.bind().await?);
        Ok(())
    }

    async fn run(mut self: Box<Self>, shutdown: Shutdown) -> Result<(), RunError> {
        let (server, api) = self.bind().await?;
        self.health.ok();
        let handler = move |request: Request<_>| {
            let api = Arc::clone(&api);
            async move { api.answer(request).await }
        };
        server.serve(handler, async move { shutdown.requested().await }).await;
        Ok(())
    }
}

/// Answers requests.
struct Api {
    store: Store,
    token: String,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("store", &self.store).finish_non_exhaustive()
    }
}

/// A status and what to say.
type Answer = (StatusCode, Value);

impl Api {
    async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (status, body) = if request.uri().path() != PATH {
            refused(StatusCode::NOT_FOUND, "there is nothing here")
        } else if !self.admits(request.headers().get(AUTHORIZATION)) {
            refused(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
        } else {
            self.act(request).await
        };
        let mut response = Response::new(Full::new(body.to_string().into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, PUT, DELETE"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }

    fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let sent = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer ")).unwrap_or_default();
        // Hashed, so that the time it takes says nothing about where they differ.
        self.token.is_empty() || blake3::hash(sent) == blake3::hash(self.token.as_bytes())
    }

    async fn act<B>(self: Arc<Self>, request: Request<B>) -> Answer
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (method, query) = (request.method().clone(), request.uri().query().unwrap_or("").to_owned());
        let body = match method {
            Method::PUT => match Limited::new(request.into_body(), MAX_BODY).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    return refused(StatusCode::PAYLOAD_TOO_LARGE, "an entry has at most 64 KiB");
                }
                Err(_) => return refused(StatusCode::BAD_REQUEST, "the body ended early"),
            },
            _ => Bytes::new(),
        };
        let worked = tokio::task::spawn_blocking(move || self.work(&method, &query, &body)).await;
        worked.unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong"))
    }

    /// Waits for the disk.
    fn work(&self, method: &Method, query: &str, body: &[u8]) -> Answer {
        let done = match *method {
            Method::GET => self.store.list().map(|entries| (StatusCode::OK, json!({"feedback": entries}))),
            Method::PUT => match serde_json::from_slice::<FeedbackEntry>(body) {
                Ok(entry) => self
                    .store
                    .put(entry.clone())
                    .map(|is_new| (if is_new { StatusCode::CREATED } else { StatusCode::OK }, json!(entry))),
                Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            Method::DELETE => match template(query) {
                Some(template) => self.store.remove(&template).map(|was_there| match was_there {
                    true => (StatusCode::OK, json!({})),
                    false => refused(StatusCode::NOT_FOUND, "nothing was said about this template"),
                }),
                None => {
                    return refused(StatusCode::BAD_REQUEST, "needs `?template=` or `?template_id=`");
                }
            },
            _ => return refused(StatusCode::METHOD_NOT_ALLOWED, "only GET, PUT and DELETE"),
        };
        done.unwrap_or_else(|error| {
            let status = match &error {
                StoreError::Entry(_) => StatusCode::BAD_REQUEST,
                StoreError::Malformed { .. } => StatusCode::CONFLICT,
                StoreError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
                StoreError::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            if status.is_server_error() {
                tracing::error!(%error, "feedback cannot be kept");
            }
            refused(status, &error.to_string())
        })
    }
}

fn refused(status: StatusCode, why: &str) -> Answer {
    (status, json!({"error": why}))
}

/// Which template a query is about.
fn template(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(key, _)| matches!(key.as_ref(), "template" | "template_id"))
        .map(|(_, value)| value.into_owned())
}
