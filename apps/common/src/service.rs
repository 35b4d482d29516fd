//! A service's routes put together: its own behind the cache, those of the operators beside it, one
//! request log and one count around all.

use crate::log::REQUEST_ID;
use crate::metrics::Metrics;
use crate::ops::{self, Readiness};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use cais_cache::{Cache, CacheLayer, KeyHost};
use http::StatusCode;
use std::time::{Duration, Instant};

const NOTHING_HERE: &str = "there is nothing at this path; / lists what there is\n";

/// A small web service whose answers are cached.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) name: &'static str,
    ttl: Duration,
    routes: Router,
    listing: String,
}

impl Service {
    /// `name` is the service's; its answers live for `ttl`.
    #[must_use]
    pub fn new(name: &'static str, ttl: Duration) -> Self {
        Self {
            name,
            ttl,
            routes: Router::new(),
            listing: String::new(),
        }
    }

    /// Adds a route whose answers are cached. `about` is its line in the listing at `/`.
    #[must_use]
    pub fn route(mut self, path: &'static str, about: &str, handler: MethodRouter) -> Self {
        self.routes = self.routes.route(path, handler);
        self.listing.push_str(&format!("{path}  {about}\n"));
        self
    }

    /// Everything the service answers.
    pub fn router(self, cache: Cache, readiness: Readiness) -> Router {
        // The service says the same whatever host it is asked by.
        let layer = CacheLayer::new(cache.clone(), self.name)
            .default_ttl(self.ttl)
            .key_host(KeyHost::Ignored);
        let metrics = Metrics::new(cache);
        let listing = format!(
            "{}: answers are cached for {} s\n\n{}/healthz  alive?\n/readyz  wants traffic?\n/metrics  counts\n",
            self.name,
            self.ttl.as_secs(),
            self.listing
        );
        self.routes
            .route_layer(layer)
            .route("/", get(async || listing))
            .fallback(async || (StatusCode::NOT_FOUND, NOTHING_HERE))
            .method_not_allowed_fallback(async || {
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this path answers GET and HEAD only\n",
                )
            })
            .layer(from_fn_with_state(metrics.clone(), observe))
            .merge(ops::routes(readiness, metrics))
    }
}

/// Counts and logs one request.
async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok());
    let id = id.filter(|id| id.len() <= 128).map(str::to_owned);
    REQUEST_ID
        .scope(id, async move {
            let route = request.extensions().get::<MatchedPath>().cloned();
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let response = next.run(request).await;
            let took = began.elapsed();
            let status = response.status().as_u16();
            metrics.count(
                route.as_ref().map_or("unknown", MatchedPath::as_str),
                status,
                took,
            );
            let cache = response
                .headers()
                .get("cache-status")
                .and_then(|value| value.to_str().ok());
            let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tracing::info!(status, duration_us, cache, "{method} {path}");
            response
        })
        .await
}
