//! AWS itself: who calls, what runs in ECS, how a deployment ends, what its tasks wrote.
//!
//! Two halves. What decides ([`watch`], [`outcome`], [`stream`], [`definition`]) is functions of values and is compiled
//! always. What talks (`sdk`) is behind the feature of that name, because the SDK takes minutes to compile; it
//! translates the SDK's shapes into ours and holds no policy.

pub mod definition;
pub mod deployment;
pub mod follow;
pub mod outcome;
pub mod pace;
#[cfg(feature = "sdk")]
pub mod sdk;
pub mod service;
pub mod stream;
pub mod task;
pub mod watch;
