//! An open-loop load client and a test app that misbehaves on request: what rollouts are proved with.
//!
//! The client sends on schedule whatever the answers do, and counts latency from the scheduled
//! moment, so that a server that stalls cannot slow the questions down and hide its stall
//! ("coordinated omission"). Every request is followed to its end and every body is checked.

pub mod app;
mod exchange;
pub mod kind;
pub mod outcome;
pub mod payload;
pub mod report;
pub mod rollouts;
pub mod run;
mod wire;
