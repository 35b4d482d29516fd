//! What operators and machines ask of a service: is it alive, does it want traffic, what has it counted.
//! Who acts on the answers is the supervisor's, the gateway's and Prometheus' business.

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cais_cache::{Cache, Mode};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Does the service want traffic? Clones share the answer.
#[derive(Debug, Clone)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
    cache: Cache,
}

impl Readiness {
    /// Of a service that uses `cache`.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self {
            draining: Arc::default(),
            cache,
        }
    }

    /// From now on the service wants no more requests.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Why it wants no traffic; `None` when it does.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        if self.draining.load(Ordering::SeqCst) {
            return Some("draining: this task is about to stop".to_owned());
        }
        match self.cache.mode() {
            Mode::Required => self.cache.health().reason(),
            Mode::BestEffort => None,
        }
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes(readiness: Readiness, metrics: Metrics) -> Router {
    let ready = Router::new()
        .route("/readyz", get(readyz))
        .with_state(readiness);
    let counted = Router::new()
        .route("/metrics", get(show_metrics))
        .with_state(metrics);
    Router::new()
        .route(
            "/healthz",
            get(async || plain(StatusCode::OK, "ok\n".to_owned())),
        )
        .merge(ready)
        .merge(counted)
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    match readiness.reason() {
        None => plain(StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {reason}\n"),
        ),
    }
}

async fn show_metrics(State(metrics): State<Metrics>) -> Response {
    match metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text).into_response()
        }
        Err(error) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("metrics cannot be written: {error}\n"),
        ),
    }
}

fn plain(status: StatusCode, text: String) -> Response {
    (
        status,
        [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
        ],
        text,
    )
        .into_response()
}
