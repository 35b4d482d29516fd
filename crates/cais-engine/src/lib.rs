//! Decisions: what to start, stop, probe and route. Pure: `step(state, event, now) -> actions`.
//!
//! The engine knows no process, no address and no variable: tasks are ids, time is an argument,
//! and whatever happens in the world arrives as an [`Event`](event::Event). It logs nothing; it
//! returns reasons, and the edge logs them.

pub mod event;
pub mod notice;
pub mod policy;
pub mod state;
pub mod time;
pub mod view;

mod breaker;
mod command;
mod depend;
mod drain;
mod health;
mod planner;
mod reconcile;
mod restart;
mod rollout;
mod step;
mod task;
mod throttle;
mod wake;
