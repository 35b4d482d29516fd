//! A gateway in threads of this process, driven as a supervisor drives it, with raw TCP on both ends.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod gateway;
mod raw;
mod tables;
mod upstream;

pub(crate) use gateway::{Gateway, local_address};
pub(crate) use raw::{Answer, Raw, request};
use std::time::Duration;
pub(crate) use tables::{draining, route, service, table, table_with, target, tcp_table};
pub(crate) use upstream::{Upstream, ok};

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where the needle begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
