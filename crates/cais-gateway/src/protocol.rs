//! What the supervisor and the gateway say to each other: frames of JSON over a Unix socket, each a
//! 4-byte big-endian length and that many bytes; listening sockets travel beside a frame (SCM_RIGHTS).

use crate::table::RouteTable;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Changes when the two sides would misunderstand each other.
pub const PROTOCOL_VERSION: u32 = 1;

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToGateway {
    /// Who are you? Answered by [`FromGateway::Hello`].
    Hello {
        /// The supervisor's [`PROTOCOL_VERSION`].
        protocol: u32,
    },
    /// Listen here too: the sockets travel with the frame, in this order. The gateway never binds by itself.
    /// Connections wait in the sockets' queues until the first table.
    Listen {
        /// Local address of each socket that follows; several of one address are one a core (SO_REUSEPORT).
        sockets: Vec<SocketAddr>,
    },
    /// Stop listening on these addresses and close their sockets.
    Unlisten {
        /// Which.
        addresses: Vec<SocketAddr>,
    },
    /// Give me a copy of every listening socket (to a successor supervisor). Answered by [`FromGateway::Sockets`].
    HandOver,
    /// The table to serve from now on. Answered by [`FromGateway::Applied`] once every core has it.
    Table(RouteTable),
    /// Finish what is in flight, for at most so long, then exit 0. Listening sockets are closed at once.
    Shutdown {
        /// Milliseconds.
        grace_ms: u64,
    },
}

/// From the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromGateway {
    /// I am.
    Hello {
        /// The gateway's [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Its process.
        pid: u32,
        /// Threads, and so sockets for each address, that it serves with.
        cores: u32,
        /// Addresses it listens on.
        listening: Vec<SocketAddr>,
        /// Version of the table it serves.
        table: u64,
    },
    /// Copies of the listening sockets travel with this frame, in this order.
    Sockets {
        /// Local address of each.
        sockets: Vec<SocketAddr>,
    },
    /// Every core serves this table: what it does not pick is not picked by anybody any more.
    Applied {
        /// [`RouteTable::version`].
        version: u64,
    },
    /// A draining target's count changed; sent at once when it reaches zero.
    InFlight {
        /// The task.
        task: u64,
        /// Requests and TCP connections still open on it.
        requests: u64,
        /// Of them, upgraded (WebSocket) connections and TCP forwards.
        upgraded: u64,
    },
    /// Finished requests, in batches (at least once a second while there are any).
    Records {
        /// Oldest first.
        records: Vec<RequestRecord>,
        /// How many were dropped because the supervisor was away or slow.
        dropped: u64,
    },
}

/// One finished request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Milliseconds since the Unix epoch at which its head was read.
    pub at_ms: u64,
    /// `None` when no route matched.
    pub service: Option<String>,
    /// The task that answered; `None` when the gateway did.
    pub task: Option<u64>,
    /// Its revision.
    pub revision: Option<u32>,
    /// Method.
    pub method: String,
    /// Path without the query (queries carry secrets).
    pub path: String,
    /// Status sent to the client; 499 when the client left first.
    pub status: u16,
    /// Why the gateway answered by itself, retried or gave up; `None` for an ordinary answer.
    pub detail: Option<String>,
    /// From the request's head to the end of the answer, microseconds.
    pub duration_us: u64,
    /// From sending the request upstream to its head, microseconds.
    pub upstream_us: Option<u64>,
    /// Body bytes towards the client.
    pub bytes_out: u64,
    /// Attempts on other targets before this answer.
    pub retries: u32,
}
