//! Tasks made of raw TCP.

use super::find;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A task: accepts connections and gives each to a function.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// Every byte that arrived through [`read_request`].
    pub(crate) seen: Arc<Mutex<Vec<u8>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection of an [`Upstream`].
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) number: usize,
    seen: Arc<Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
    rest: Vec<u8>,
}

impl Upstream {
    pub(crate) async fn with<F, A>(serve: F) -> Self
    where
        F: Fn(Peer) -> A + Send + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let (sees, counts, asked) = (
            Arc::clone(&seen),
            Arc::clone(&connections),
            Arc::clone(&requests),
        );
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = counts.fetch_add(1, Ordering::SeqCst);
                let (seen, requests) = (Arc::clone(&sees), Arc::clone(&asked));
                open.spawn(serve(Peer {
                    stream,
                    number,
                    seen,
                    requests,
                    rest: Vec::new(),
                }));
            }
        });
        Self {
            address,
            seen,
            connections,
            requests,
            task,
        }
    }

    /// Gives the same answer to every request and keeps the connection.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::with(move |mut peer| {
            let answer = Arc::clone(&answer);
            async move {
                while peer.read_request().await.is_some() {
                    if peer.stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Peer {
    /// Head and body of the next request; `None` when the peer closes first.
    pub(crate) async fn read_request(&mut self) -> Option<String> {
        let head_end = loop {
            if let Some(at) = find(&self.rest, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.rest[..head_end]).to_ascii_lowercase();
        let body_end = if head.contains("transfer-encoding: chunked") {
            loop {
                if let Some(at) = find(&self.rest[head_end..], b"0\r\n\r\n") {
                    break head_end + at + 5;
                }
                self.fill().await?;
            }
        } else {
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next());
            let end = head_end + length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
            while self.rest.len() < end {
                self.fill().await?;
            }
            end
        };
        self.requests.fetch_add(1, Ordering::SeqCst);
        let request: Vec<u8> = self.rest.drain(..body_end).collect();
        Some(String::from_utf8_lossy(&request).into_owned())
    }

    /// The head of the next request alone.
    pub(crate) async fn read_head(&mut self) -> Option<String> {
        while find(&self.rest, b"\r\n\r\n").is_none() {
            self.fill().await?;
        }
        let end = find(&self.rest, b"\r\n\r\n").unwrap() + 4;
        self.requests.fetch_add(1, Ordering::SeqCst);
        let head: Vec<u8> = self.rest.drain(..end).collect();
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// Reads on, whatever comes; how many bytes are kept now.
    pub(crate) async fn fill(&mut self) -> Option<usize> {
        let mut bytes = [0; 16 * 1024];
        let read = self
            .stream
            .read(&mut bytes)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        self.seen.lock().unwrap().extend_from_slice(&bytes[..read]);
        self.rest.extend_from_slice(&bytes[..read]);
        Some(self.rest.len())
    }

    /// What was read and not taken.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }
}

/// A plain answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
