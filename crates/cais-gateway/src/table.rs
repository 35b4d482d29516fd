//! The routing table: everything the gateway knows of the stack. The supervisor builds it whole and
//! sends it; the gateway keeps serving the last one it got.

use cais_model::name::ServiceName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
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
    #[serde(deserialize_with = "ports")]
    pub addresses: BTreeMap<u16, SocketAddr>,
    /// Serving targets are picked; draining ones are not, and what is in flight on them is reported.
    pub draining: bool,
    /// Relative share of new requests, 1 to 256; 100 unless a strategy shifts weight.
    pub weight: u16,
}

/// Ports are JSON keys, so text; within an internally tagged message serde hands them over as text and does
/// not turn them into numbers by itself.
fn ports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u16, SocketAddr>, D::Error> {
    let named = BTreeMap::<String, SocketAddr>::deserialize(deserializer)?;
    let port = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format_args!("`{text}` is not a port")))
    };
    named
        .into_iter()
        .map(|(text, address)| Ok((port(text)?, address)))
        .collect()
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
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToGateway;

    #[test]
    fn a_whole_table_survives_the_wire() {
        let web = ServiceName::parse("web").unwrap();
        let route = HttpRoute {
            host: Some("a.test".into()),
            path: "/".into(),
            service: web.clone(),
            port: 80,
        };
        let target = Target {
            task: 7,
            revision: 2,
            addresses: [
                (80, "127.0.0.1:4000".parse().unwrap()),
                (9000, "[::1]:4001".parse().unwrap()),
            ]
            .into(),
            draining: true,
            weight: 5,
        };
        let message = ToGateway::Table(RouteTable {
            version: 3,
            listeners: [
                (
                    "127.0.0.1:8080".parse().unwrap(),
                    Serves::Http {
                        routes: vec![route],
                    },
                ),
                (
                    "[::]:6379".parse().unwrap(),
                    Serves::Tcp {
                        service: web.clone(),
                        port: 9000,
                    },
                ),
            ]
            .into(),
            pools: [(
                web,
                Pool {
                    targets: vec![target],
                    timeouts: Timeouts::default(),
                },
            )]
            .into(),
        });
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<ToGateway>(&text).unwrap(), message);
        let wrong = text.replace("\"9000\":", "\"90000\":");
        assert!(
            serde_json::from_str::<ToGateway>(&wrong)
                .unwrap_err()
                .to_string()
                .contains("`90000` is not a port")
        );
    }
}
