//! A shared HTTP response cache by RFC 9111 as a tower layer: [`CacheLayer`] asks the [`Cache`] before
//! the service behind it, and [`policy`] decides what may be stored and reused. Which routes it covers
//! and how long an answer without a lifetime lives is left to whoever adds the layer.
//!
//! The way of a request: `policy::on_request` → [`store`] lookup → `flight` (one computation a key) →
//! the service → `policy::on_response` → store. Time comes from a [`Clock`], so that tests own it.

pub mod cache;
mod clock;
mod computation;
pub mod directives;
pub mod entry;
mod flight;
mod health;
mod key;
mod layer;
mod message;
pub mod policy;
mod stats;
pub mod status;
pub mod store;

pub use cache::{Cache, Mode};
pub use clock::Clock;
pub use health::CacheHealth;
pub use key::KeyHost;
pub use layer::{CacheLayer, CacheService, ResponseBody};
pub use stats::Stats;
pub use store::redis::RedisOptions;
pub use store::{Store, StoreError};
