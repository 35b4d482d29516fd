//! The tower layer: puts a cache before a service. A request's way through it is `computation`'s.

use crate::cache::Cache;
use crate::computation::answer;
use crate::key::KeyHost;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

/// Body of a response that went through the cache.
pub type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Puts a [`Cache`] before a service.
#[derive(Debug, Clone)]
pub struct CacheLayer(Arc<Settings>);

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) cache: Cache,
    pub(crate) prefix: String,
    pub(crate) host: KeyHost,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) max_body_bytes: usize,
}

impl CacheLayer {
    /// Keys begin with `prefix`, which keeps services that share a store apart.
    #[must_use]
    pub fn new(cache: Cache, prefix: &str) -> Self {
        Self(Arc::new(Settings {
            cache,
            prefix: format!("{prefix}:"),
            host: KeyHost::Part,
            default_ttl: None,
            max_body_bytes: 1 << 20,
        }))
    }

    /// Lifetime of a cacheable response that names none itself. Such a response leaves with
    /// `Cache-Control: max-age`, so that caches further on agree. Default: it is not stored.
    #[must_use]
    pub fn default_ttl(self, ttl: Duration) -> Self {
        self.with(|settings| settings.default_ttl = Some(ttl))
    }

    /// Larger bodies are passed on as they come, and not stored. Default 1 MiB.
    #[must_use]
    pub fn max_body_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_body_bytes = bytes)
    }

    /// Is the host part of the key? Default [`KeyHost::Part`].
    #[must_use]
    pub fn key_host(self, host: KeyHost) -> Self {
        self.with(|settings| settings.host = host)
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.0);
        change(&mut settings);
        Self(Arc::new(settings))
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService {
            settings: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service with a [`Cache`] before it.
#[derive(Debug, Clone)]
pub struct CacheService<S> {
    settings: Arc<Settings>,
    inner: S,
}

impl<S, B, D> Service<Request<B>> for CacheService<S>
where
    S: Service<Request<B>, Response = Response<D>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    D: Body<Data = Bytes> + Send + Unpin + 'static,
    D::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone stays behind; the one that was polled ready goes with the request.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let settings = Arc::clone(&self.settings);
        Box::pin(async move { answer(&settings, inner, request).await })
    }
}
