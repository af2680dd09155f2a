#![doc = include_str!("README.md")]

mod config;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use component::{
    BuildError, Clock, ConfigSpec, Context, Extension, ExtensionFactory, Handles, Health, HealthReporter,
    RunError, Shutdown, Stability,
};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use pdata::Timestamp;
use transport::TransportError;
use transport::http::Server;

pub use self::config::{CheckPipeline, ComponentHealth, Config, ResponseBody};
use self::status::Statuses;

/// Builds `health_check` extensions.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    type_name: "health_check",
    aliases: &["healthcheck", "health_check_v2", "healthcheckv2"],
    stability: Stability::Beta,
    config: ConfigSpec::of::<Config>(),
    is_storage: false,
    create: |section, context| {
        let config: Config = section.parse()?;
        Ok::<_, BuildError>(Box::new(HealthCheck::new(config, context)))
    },
};

/// Says over HTTP how the process is.
#[derive(Debug)]
pub struct HealthCheck {
    answers: Answers,
    health: HealthReporter,
    server: Option<Server>,
}

impl HealthCheck {
    /// An extension that binds its address when it starts.
    pub fn new(config: Config, context: &Context) -> Self {
        let answers = Answers {
            config,
            clock: context.clock.clone(),
            handles: context.handles.clone(),
            since: context.clock.now(),
        };
        Self { answers, health: context.health.clone(), server: None }
    }

    async fn bind(&mut self) -> Result<Server, RunError> {
        match self.server.take() {
            Some(server) => Ok(server),
            None => Server::bind(&self.answers.config.server()).await.map_err(|error| match error {
                TransportError::Bind { address, source } => RunError::Bind { address, source },
                error => RunError::Other(transport::describe(&error)),
            }),
        }
    }
}

#[async_trait]
impl Extension for HealthCheck {
    async fn start(&mut self) -> Result<(), RunError> {
        let server = self.bind().await?;
        self.server = Some(server);
        Ok(())
    }

    async fn run(mut self: Box<Self>, shutdown: Shutdown) -> Result<(), RunError> {
        let server = self.bind().await?;
        self.health.ok();
        let answers = Arc::new(self.answers);
        let handler = move |request: Request<_>| {
            let answers = Arc::clone(&answers);
            async move { answers.to(&request) }
        };
        server.serve(handler, async move { shutdown.requested().await }).await;
        Ok(())
    }
}

/// Answers requests from the components' statuses.
struct Answers {
    config: Config,
    clock: Clock,
    handles: Handles,
    since: Timestamp,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Answers {
    fn statuses(&self) -> Statuses {
        self.handles.get::<Health>().map(|health| health.snapshot()).unwrap_or_default()
    }

    fn to<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if !["/status", "/livez", "/readyz"].contains(&path) && !self.is_check(path) {
            return answer(StatusCode::NOT_FOUND, TEXT, "there is nothing here\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let settings = &self.config.component_health;
        let statuses = self.statuses();
        let healthy = status::all_healthy(&statuses, settings);
        match path {
            // What the user chose comes before what we chose.
            path if path == self.config.path => self.check(healthy),
            // Whoever can answer is alive; to restart it would help nobody.
            "/livez" => answer(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" if healthy => answer(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => answer(status::code(false), TEXT, status::unhealthy_lines(&statuses, settings)),
            "/status" => {
                let times = (self.since, self.clock.now());
                let document =
                    status::document(&statuses, settings, times, is_verbose(request.uri().query()));
                answer(status::code(healthy), JSON, document.to_string())
            }
            _ => self.check(healthy),
        }
    }

    /// Whether the check is asked for. As in the collector, a path that ends in `/` stands for everything below it.
    fn is_check(&self, path: &str) -> bool {
        let own = self.config.path.as_str();
        path == own || (own.ends_with('/') && path.starts_with(own))
    }

    fn check(&self, healthy: bool) -> Response<Full<Bytes>> {
        match &self.config.response_body {
            Some(body) => {
                let body = if healthy { &body.healthy } else { &body.unhealthy };
                answer(status::code(healthy), TEXT, body.clone())
            }
            None => {
                let body = status::check_body(healthy, self.since, self.clock.now());
                answer(status::code(healthy), JSON, body.to_string())
            }
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn answer(code: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a query asks for every component: `verbose`, `verbose=true` or `verbose=1`.
fn is_verbose(query: Option<&str>) -> bool {
    query.is_some_and(|query| {
        query.split('&').any(|pair| matches!(pair, "verbose" | "verbose=" | "verbose=true" | "verbose=1"))
    })
}
