//! A running gateway and its supervisor's end.

use super::{PATIENCE, table};
use cais_gateway::client::{FromGatewayReceiver, GatewayClient};
use cais_gateway::listen;
use cais_gateway::protocol::{FromGateway, PROTOCOL_VERSION, RequestRecord, ToGateway};
use cais_gateway::run::{GatewayError, GatewayOptions, run};
use cais_gateway::table::{RouteTable, Target};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

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
