//! One request of each kind, from its first byte to the check of its last.

mod get;
mod post;
mod stream;
mod websocket;

use crate::kind::{Kind, Shape};
use crate::outcome::{Fault, Reason, Who};
use crate::wire::{Head, Wire};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// An idle connection older than this is not used again: the other side may be about to close it.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// What all requests of a run share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Before every path, without a slash at its end.
    pub(crate) prefix: String,
    pub(crate) shape: Shape,
    /// How much longer than planned a request may take.
    pub(crate) patience: Duration,
    pub(crate) idle: Mutex<Vec<(Wire, Instant)>>,
}

/// A request under way: its kind's function fills in what becomes known.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) client: Arc<Client>,
    pub(crate) number: u64,
    pub(crate) head: Option<Instant>,
    pub(crate) who: Option<Who>,
}

impl Attempt {
    /// Sends it and follows it to its end.
    pub(crate) async fn run(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Get => get::kept(self).await,
            Kind::Close => get::alone(self).await,
            Kind::Post => post::slowly(self).await,
            Kind::Stream => stream::streamed(self).await,
            Kind::Ws => websocket::session(self).await,
            Kind::Download => stream::download(self).await,
        }
    }

    fn deadline(&self, planned: Duration) -> Instant {
        Instant::now() + planned + self.client.patience
    }

    /// A request line and the fields that every request has.
    fn ask(&self, method: &str, path_and_query: &str) -> String {
        format!(
            "{method} {}{path_and_query} HTTP/1.1\r\nhost: {}\r\nx-request-id: load-{}\r\n",
            self.client.prefix, self.client.address, self.number
        )
    }

    /// The head of a 200; any other status is a failure.
    async fn answered(&mut self, wire: &mut Wire) -> Result<Head, Fault> {
        let head = wire.head().await?;
        self.known(&head);
        if head.status == 200 {
            return Ok(head);
        }
        Err(wire.fault(Reason::Status(head.status)))
    }

    fn known(&mut self, head: &Head) {
        self.head = Some(Instant::now());
        // The gateway's own answers name nobody.
        if !head.who.task.is_empty() {
            self.who = Some(head.who.clone());
        }
    }
}

impl Client {
    /// An idle connection, the newest first, or a new one.
    async fn connection(&self, deadline: Instant) -> Result<Wire, Fault> {
        loop {
            let idle = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let Some((mut wire, since)) = idle else {
                return Wire::open(self.address, deadline).await;
            };
            if since.elapsed() < IDLE_FOR && wire.renew(deadline) {
                return Ok(wire);
            }
        }
    }

    fn keep(&self, wire: Wire) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((wire, Instant::now()));
    }
}
