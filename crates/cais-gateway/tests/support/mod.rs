//! A gateway in threads of this process, driven as a supervisor drives it, with raw TCP on both ends.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

use cais_gateway::client::{FromGatewayReceiver, GatewayClient};
use cais_gateway::listen;
use cais_gateway::protocol::{FromGateway, PROTOCOL_VERSION, RequestRecord, ToGateway};
use cais_gateway::run::{GatewayError, GatewayOptions, run};
use cais_gateway::table::{HttpRoute, Pool, RouteTable, Serves, Target, Timeouts};
use cais_model::name::ServiceName;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Gateway {
    pub(crate) client: GatewayClient,
    pub(crate) heard: FromGatewayReceiver,
    pub(crate) socket: PathBuf,
    pub(crate) cores: usize,
    /// Records heard while something else was waited for.
    pub(crate) records: Vec<RequestRecord>,
    /// In-flight reports heard likewise: task, requests, upgraded.
    pub(crate) in_flight: Vec<(u64, u64, u64)>,
    pub(crate) version: u64,
    _folder: tempfile::TempDir,
    thread: Option<std::thread::JoinHandle<Result<(), GatewayError>>>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with_cores(2).await
    }

    pub(crate) async fn with_cores(cores: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gateway.sock");
        let options = GatewayOptions {
            control_socket: socket.clone(),
            cores,
        };
        let thread = std::thread::spawn(move || run(options));
        let (client, heard) = loop {
            match GatewayClient::connect(&socket).await {
                Ok(connected) => break connected,
                Err(error) => {
                    assert!(!thread.is_finished(), "the gateway ended at once: {error}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        Self {
            client,
            heard,
            socket,
            cores,
            records: Vec::new(),
            in_flight: Vec::new(),
            version: 0,
            _folder: folder,
            thread: Some(thread),
        }
    }

    /// A gateway that serves `/` from these targets on one address.
    pub(crate) async fn serving(targets: Vec<Target>) -> (Self, SocketAddr) {
        let mut gateway = Self::start().await;
        let address = gateway.listen().await;
        gateway.apply(table(address, targets)).await;
        (gateway, address)
    }

    pub(crate) async fn send(&self, message: ToGateway) {
        self.client.send(message, Vec::new()).await.unwrap();
    }

    /// Hands over new listeners of one address.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let sockets = listen::bind("127.0.0.1:0".parse().unwrap(), self.cores).unwrap();
        let address = local_address(&sockets[0]);
        let message = ToGateway::Listen {
            sockets: vec![address; sockets.len()],
        };
        self.client.send(message, sockets).await.unwrap();
        address
    }

    /// Sends a table under the next version and waits until it is served.
    pub(crate) async fn apply(&mut self, mut table: RouteTable) {
        self.version += 1;
        table.version = self.version;
        let version = self.version;
        self.send(ToGateway::Table(table)).await;
        self.hear(
            |frame| matches!(frame, FromGateway::Applied { version: found } if *found == version),
        )
        .await;
    }

    /// The next frame that fits; records and reports on the way are kept.
    pub(crate) async fn hear(
        &mut self,
        fits: impl Fn(&FromGateway) -> bool,
    ) -> (FromGateway, Vec<OwnedFd>) {
        loop {
            let heard = timeout(PATIENCE, self.heard.recv())
                .await
                .expect("the gateway is silent");
            let (frame, sockets) = heard.expect("the gateway has gone");
            match &frame {
                FromGateway::Records { records, .. } => {
                    self.records.extend(records.iter().cloned());
                }
                FromGateway::InFlight {
                    task,
                    requests,
                    upgraded,
                } => {
                    self.in_flight.push((*task, *requests, *upgraded));
                }
                _ => {}
            }
            if fits(&frame) {
                return (frame, sockets);
            }
        }
    }

    /// Waits for a report that a draining task has exactly so much open.
    pub(crate) async fn hear_in_flight(&mut self, task: u64, requests: u64, upgraded: u64) {
        if !self.in_flight.contains(&(task, requests, upgraded)) {
            let expected = FromGateway::InFlight {
                task,
                requests,
                upgraded,
            };
            self.hear(|frame| *frame == expected).await;
        }
        self.in_flight.clear();
    }

    /// The records of so many finished requests, all of them since the last call.
    pub(crate) async fn finished(&mut self, count: usize) -> Vec<RequestRecord> {
        while self.records.len() < count {
            self.hear(|frame| matches!(frame, FromGateway::Records { .. }))
                .await;
        }
        std::mem::take(&mut self.records)
    }

    pub(crate) async fn hello(&mut self) -> FromGateway {
        self.send(ToGateway::Hello {
            protocol: PROTOCOL_VERSION,
        })
        .await;
        self.hear(|frame| matches!(frame, FromGateway::Hello { .. }))
            .await
            .0
    }

    /// Lets the supervisor's side die and come back.
    pub(crate) async fn reconnect(&mut self) {
        let (client, heard) = GatewayClient::connect(&self.socket).await.unwrap();
        self.client = client;
        self.heard = heard;
    }

    pub(crate) async fn shut_down(mut self, grace: Duration) {
        self.send(ToGateway::Shutdown {
            grace_ms: grace.as_millis() as u64,
        })
        .await;
        self.join().await;
    }

    pub(crate) async fn join(&mut self) {
        let thread = self.thread.take().unwrap();
        tokio::task::spawn_blocking(|| thread.join().unwrap().unwrap())
            .await
            .unwrap();
    }
}

pub(crate) fn local_address(socket: &OwnedFd) -> SocketAddr {
    std::net::TcpListener::from(socket.try_clone().unwrap())
        .local_addr()
        .unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(crate) fn target(task: u64, address: SocketAddr) -> Target {
    Target {
        task,
        revision: 1,
        addresses: [(80, address)].into(),
        draining: false,
        weight: 100,
    }
}

pub(crate) fn draining(mut target: Target) -> Target {
    target.draining = true;
    target
}

pub(crate) fn route(host: Option<&str>, path: &str, name: &str) -> HttpRoute {
    HttpRoute {
        host: host.map(str::to_owned),
        path: path.to_owned(),
        service: service(name),
        port: 80,
    }
}

/// `/` to the service `web` with these targets.
pub(crate) fn table(address: SocketAddr, targets: Vec<Target>) -> RouteTable {
    table_with(address, targets, Timeouts::default())
}

pub(crate) fn table_with(
    address: SocketAddr,
    targets: Vec<Target>,
    timeouts: Timeouts,
) -> RouteTable {
    RouteTable {
        version: 0,
        listeners: [(
            address,
            Serves::Http {
                routes: vec![route(None, "/", "web")],
            },
        )]
        .into(),
        pools: [(service("web"), Pool { targets, timeouts })].into(),
    }
}

pub(crate) fn tcp_table(address: SocketAddr, targets: Vec<Target>) -> RouteTable {
    RouteTable {
        version: 0,
        listeners: [(
            address,
            Serves::Tcp {
                service: service("web"),
                port: 80,
            },
        )]
        .into(),
        pools: [(
            service("web"),
            Pool {
                targets,
                timeouts: Timeouts::default(),
            },
        )]
        .into(),
    }
}

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

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// A plain answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A client's connection, raw.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    rest: Vec<u8>,
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            rest: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A gateway that has refused may close before all is sent.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        self.answer().await.expect("an answer")
    }

    async fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes))
            .await
            .expect("the gateway does not answer");
        let read = read.ok().filter(|read| *read > 0)?;
        self.rest.extend_from_slice(&bytes[..read]);
        Some(())
    }

    pub(crate) async fn head(&mut self) -> Option<Answer> {
        while find(&self.rest, b"\r\n\r\n").is_none() {
            self.fill().await?;
        }
        let end = find(&self.rest, b"\r\n\r\n").unwrap() + 4;
        let head: Vec<u8> = self.rest.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer {
            status,
            head,
            body: Vec::new(),
        })
    }

    /// The next final answer; `None` when the connection ends before its end.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let mut answer = self.head().await?;
        while (100..200).contains(&answer.status) && answer.status != 101 {
            answer = self.head().await?;
        }
        if method == "HEAD" || matches!(answer.status, 101 | 204 | 304) {
            return Some(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                while find(&self.rest, b"\r\n").is_none() {
                    self.fill().await?;
                }
                let line = find(&self.rest, b"\r\n").unwrap();
                let size =
                    usize::from_str_radix(std::str::from_utf8(&self.rest[..line]).unwrap(), 16)
                        .unwrap();
                if size == 0 {
                    while find(&self.rest, b"\r\n\r\n").is_none() {
                        self.fill().await?;
                    }
                    let end = find(&self.rest, b"\r\n\r\n").unwrap() + 4;
                    let trailers: Vec<u8> = self.rest.drain(..end).collect();
                    answer
                        .head
                        .push_str(&String::from_utf8_lossy(&trailers[line + 2..]));
                    return Some(answer);
                }
                while self.rest.len() < line + 2 + size + 2 {
                    self.fill().await?;
                }
                answer
                    .body
                    .extend_from_slice(&self.rest[line + 2..line + 2 + size]);
                self.rest.drain(..line + 2 + size + 2);
            }
        }
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.rest.len() < length {
                self.fill().await?;
            }
            answer.body = self.rest.drain(..length).collect();
            return Some(answer);
        }
        while self.fill().await.is_some() {}
        answer.body = std::mem::take(&mut self.rest);
        Some(answer)
    }

    /// All that comes until the connection ends.
    pub(crate) async fn remainder(&mut self) -> String {
        while self.fill().await.is_some() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }

    /// Bytes of a tunnel, exactly so many.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.rest.len() < count {
            self.fill().await.expect("more bytes");
        }
        self.rest.drain(..count).collect()
    }
}

/// One request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Answer> {
    let mut raw = Raw::connect(address).await;
    raw.send(bytes).await;
    raw.answer().await
}
