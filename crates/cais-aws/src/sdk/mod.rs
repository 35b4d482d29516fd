//! The half that talks: one file for each thing that is asked of AWS. It translates and holds no policy.

mod definitions;
pub mod ecs;
pub mod error;
pub mod exec;
pub mod lock;
pub mod logs;
pub mod poller;
pub mod registry;
pub mod roles;
pub mod scaling;
pub mod secrets;
pub mod session;
mod signed;
pub mod targets;
pub mod tasks;

pub use error::{Error, Kind};
pub use session::{Connect, Identity, Session};
