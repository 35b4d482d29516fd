//! The engine from outside: stories of single rollouts and tasks, random sequences, and every
//! sequence of a small world.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure")]

mod exhaustive;
mod rollouts;
mod sequences;
mod stack;
mod support;
mod tasks;
