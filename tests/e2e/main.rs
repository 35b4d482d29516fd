//! End to end: the binary as a user runs it, with real processes and sockets. What a task, a gateway
//! or the engine does by itself is tested beside its code.
#![expect(clippy::unwrap_used, reason = "a test")]

mod bad_input;
mod both_worlds;
mod check;
mod config;
mod dependencies;
mod docker_bad_input;
mod docker_faults;
mod docker_fields;
mod docker_images;
mod docker_stack;
mod faults;
mod files;
mod images;
mod infra;
mod init;
mod rollouts;
mod stack;
mod support;
mod watch;
