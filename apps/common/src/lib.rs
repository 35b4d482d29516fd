//! What a well-behaved service shares: configuration, cache, health, metrics, log lines and a graceful
//! stop. What a service answers is left to the service.

mod answer;
mod config;
mod log;
mod metrics;
mod ops;
mod probe;
mod serve;
mod service;

pub use answer::Answer;
pub use config::{CacheSettings, Config, ConfigError};
pub use ops::Readiness;
pub use serve::{ServeError, run, serve};
pub use service::Service;
