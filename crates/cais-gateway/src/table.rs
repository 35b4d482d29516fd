//! The routing table: everything the gateway knows of the stack. The supervisor builds it whole and
//! sends it; the gateway keeps serving the last one it got.

use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A whole table. The gateway swaps tables, it never edits one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct RouteTable {
    /// Grows with every table that the supervisor sends; acknowledged per core.
    pub version: u64,
    /// What each listening address serves. A listener of the gateway that is not among them answers 503 (HTTP) or closes (TCP).
    pub listeners: BTreeMap<SocketAddr, Serves>,
    /// Where requests for a service go.
    pub pools: BTreeMap<ServiceName, Pool>,
}

/// What a listening address serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    /// HTTP/1.1 and HTTP/2 by prior knowledge, routed.
    Http {
        /// Tried in order of precision: host before any host, longer paths before shorter ones.
        routes: Vec<HttpRoute>,
    },
    /// Bytes to one port of one service.
    Tcp {
        /// Which.
        service: ServiceName,
        /// The container port that is meant.
        port: u16,
    },
}

/// One route of an HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRoute {
    /// Lower case, without port; `None` is any.
    pub host: Option<String>,
    /// Prefix on whole segments: `/clock` takes `/clock` and `/clock/time`, not `/clockwork`.
    pub path: String,
    /// Where matching requests go.
    pub service: ServiceName,
    /// The container port that is meant.
    pub port: u16,
}

/// The tasks of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Pool {
    /// Its targets, serving and draining.
    pub targets: Vec<Target>,
    /// Time limits towards them.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// A task that takes traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The task's id (the engine's number).
    pub task: u64,
    /// Its revision, for records.
    pub revision: u32,
    /// Container port to the address where the task serves it.
    pub addresses: BTreeMap<u16, SocketAddr>,
    /// Serving targets are picked; draining ones are not, and what is in flight on them is reported.
    pub draining: bool,
    /// Relative share of new requests, 1 to 256; 100 unless a strategy shifts weight.
    pub weight: u16,
}

/// Time limits towards a service's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timeouts {
    /// For a TCP connection to be established. Default 2 s.
    pub connect: Duration,
    /// From the request's last byte to the head of the answer. Default 60 s.
    pub answer: Duration,
    /// Between two pieces of a body. Default 60 s.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), answer: Duration::from_secs(60), idle: Duration::from_secs(60) }
    }
}
