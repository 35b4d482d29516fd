//! Counts requests by route and status and how long they took, and prints them with the cache's counts
//! in Prometheus' text form.

use cais_cache::Cache;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Upper ends of the histogram's buckets, seconds.
const BUCKETS_S: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// The service's metrics. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

impl Metrics {
    pub(crate) fn new(cache: Cache) -> Self {
        let requests = Family::default();
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS_S));
        let mut registry = Registry::default();
        registry.register(
            "http_requests",
            "Requests answered, by route and status",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From a request's head to the head of its answer, by route",
            durations.clone(),
        );
        registry.register_collector(Box::new(CacheCounts(cache)));
        Self {
            registry: Arc::new(registry),
            requests,
            durations,
        }
    }

    /// Counts one answered request. `route` is the pattern that matched, never a path that a client made up.
    pub(crate) fn count(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.durations
            .get_or_create(&RouteLabels {
                route: route.clone(),
            })
            .observe(took.as_secs_f64());
        self.requests
            .get_or_create(&RequestLabels { route, status })
            .inc();
    }

    /// All of them as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Reads the cache's counts when somebody asks.
#[derive(Debug)]
struct CacheCounts(Cache);

impl Collector for CacheCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.0.stats();
        let counts = [
            ("cache_hits", "Requests answered from the cache", stats.hits),
            (
                "cache_misses",
                "Requests computed because nothing stored would do",
                stats.misses,
            ),
            (
                "cache_collapsed",
                "Misses that shared another request's computation",
                stats.collapsed,
            ),
            (
                "cache_bypasses",
                "Requests that went past the cache",
                stats.bypasses,
            ),
            (
                "cache_refused",
                "Requests refused because the cache is required and away",
                stats.refused,
            ),
            (
                "cache_store_errors",
                "Operations on the cache's store that failed",
                stats.store_errors,
            ),
        ];
        for (name, help, value) in counts {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let up = ConstGauge::new(i64::from(self.0.health().is_reachable()));
        let help = "1 while the cache's store can be reached";
        let metric = encoder.encode_descriptor("cache_store_up", help, None, up.metric_type())?;
        up.encode(metric)
    }
}
