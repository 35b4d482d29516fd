//! The supervisor's hold on the gateway process: starts it, keeps copies of its listening sockets so
//! that a successor refuses nobody, and says what it should serve.

use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use cais_gateway::client::GatewayClient;
use cais_gateway::protocol::{FromGateway, PROTOCOL_VERSION, ToGateway};
use cais_gateway::table::RouteTable;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the gateway's reader tells the supervisor's loop.
#[derive(Debug)]
pub(crate) enum GatewayNews {
    /// A message.
    Said(FromGateway),
    /// The connection ended: the process is gone. The number tells which connection, so that the end
    /// of an old one is not mistaken for the end of the present one.
    Gone(u64),
}

/// A live gateway, or none yet.
pub(crate) struct Gateway {
    paths: Paths,
    cores: usize,
    sockets: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    /// What the present gateway listens on already: a socket that it got twice would be accepted from twice, and
    /// every successor would take over both.
    handed: BTreeSet<SocketAddr>,
    link: Option<GatewayClient>,
    pid: Option<u32>,
    connection: u64,
    connected_at: Option<tokio::time::Instant>,
    young_deaths: u32,
    news: mpsc::UnboundedSender<GatewayNews>,
}

/// An address that could not be had.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) address: SocketAddr,
    pub(crate) error: cais_gateway::listen::BindError,
}

impl Gateway {
    pub(crate) fn new(paths: Paths, news: mpsc::UnboundedSender<GatewayNews>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            paths,
            cores,
            sockets: BTreeMap::new(),
            handed: BTreeSet::new(),
            link: None,
            pid: None,
            connection: 0,
            connected_at: None,
            young_deaths: 0,
            news,
        }
    }

    /// The gateway's process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Takes over a gateway that an earlier supervisor left, if one lives: its sockets are copied.
    pub(crate) async fn adopt(&mut self) -> bool {
        match self.connect().await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "no gateway to adopt");
                false
            }
        }
    }

    /// Connects to the running gateway, or starts one and hands it the sockets that are held.
    pub(crate) async fn ensure(&mut self) -> Outcome {
        if self.link.is_some() {
            return Ok(());
        }
        if self.connect().await.is_ok() {
            return Ok(());
        }
        self.spawn()?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            match self.connect().await {
                Ok(()) => break,
                Err(error) if tokio::time::Instant::now() >= deadline => {
                    return Err(Failure::new(
                        Exit::Error,
                        format!("the gateway did not start: {error}"),
                    )
                    .help(format!("see `{}`", self.paths.supervisor_log().display())));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        let held: Vec<SocketAddr> = self.sockets.keys().copied().collect();
        self.hand_over(&held).await
    }

    fn spawn(&self) -> Outcome {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.paths.supervisor_log());
        let stderr = log.map_or_else(|_| Stdio::null(), Stdio::from);
        // /proc/self/exe: the same program even when its file was replaced since.
        std::process::Command::new("/proc/self/exe")
            .arg0("cais")
            .arg("gateway")
            .arg("--socket")
            .arg(self.paths.gateway_socket())
            .arg("--cores")
            .arg(self.cores.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map(|mut child| {
                // Reaped in the background: the gateway is not this process's to wait for.
                std::thread::spawn(move || child.wait());
            })
            .map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("the gateway could not be started: {error}"),
                )
            })
    }

    async fn connect(&mut self) -> Result<(), String> {
        let (link, mut from) = GatewayClient::connect(&self.paths.gateway_socket())
            .await
            .map_err(|error| error.to_string())?;
        link.send(
            ToGateway::Hello {
                protocol: PROTOCOL_VERSION,
            },
            vec![],
        )
        .await
        .map_err(|error| error.to_string())?;
        let (listening, pid, cores) = match wait_for(&mut from, |message| match message {
            FromGateway::Hello {
                listening,
                pid,
                cores,
                ..
            } => Some((listening.clone(), *pid, *cores)),
            _ => None,
        })
        .await
        {
            Some((hello, _)) => hello,
            None => return Err("it did not answer".to_owned()),
        };
        if !listening.is_empty() && self.sockets.is_empty() {
            self.take_over(&link, &mut from, listening.len() * cores as usize)
                .await?;
        }
        self.handed = listening.into_iter().collect();
        self.connection += 1;
        self.connected_at = Some(tokio::time::Instant::now());
        let (connection, news) = (self.connection, self.news.clone());
        tokio::spawn(async move {
            while let Some((message, _)) = from.recv().await {
                if news.send(GatewayNews::Said(message)).is_err() {
                    return;
                }
            }
            let _ = news.send(GatewayNews::Gone(connection));
        });
        self.link = Some(link);
        self.pid = Some(pid);
        Ok(())
    }

    /// Copies every listening socket of a gateway that an earlier supervisor left; they come in as many
    /// frames as they need.
    async fn take_over(
        &mut self,
        link: &GatewayClient,
        from: &mut mpsc::UnboundedReceiver<(FromGateway, Vec<OwnedFd>)>,
        count: usize,
    ) -> Result<(), String> {
        link.send(ToGateway::HandOver, vec![])
            .await
            .map_err(|error| error.to_string())?;
        let mut taken = 0;
        while taken < count {
            let Some((addresses, sockets)) = wait_for(from, |message| match message {
                FromGateway::Sockets { sockets } => Some(sockets.clone()),
                _ => None,
            })
            .await
            else {
                return Err("it did not hand over its sockets".to_owned());
            };
            taken += addresses.len().max(1);
            for (address, socket) in addresses.into_iter().zip(sockets) {
                self.sockets.entry(address).or_default().push(socket);
            }
        }
        Ok(())
    }

    /// Notes the end of a connection. `Some`: it was the present one, and another gateway is due after
    /// this pause: none at first, growing while gateways die young.
    pub(crate) fn lost(&mut self, connection: u64) -> Option<Duration> {
        if connection != self.connection {
            return None;
        }
        self.link = None;
        self.pid = None;
        let died_young = self
            .connected_at
            .is_some_and(|at| at.elapsed() < Duration::from_secs(5));
        self.young_deaths = if died_young {
            (self.young_deaths + 1).min(6)
        } else {
            0
        };
        Some(match self.young_deaths {
            0 | 1 => Duration::ZERO,
            deaths => Duration::from_millis(100 << deaths),
        })
    }

    /// Binds what is not bound yet. On failure everything that this call bound is closed again.
    pub(crate) fn bind(&mut self, wanted: &BTreeSet<SocketAddr>) -> Result<Vec<SocketAddr>, Taken> {
        let mut fresh: BTreeMap<SocketAddr, Vec<OwnedFd>> = BTreeMap::new();
        for address in wanted
            .iter()
            .filter(|address| !self.sockets.contains_key(address))
        {
            let sockets =
                cais_gateway::listen::bind(*address, self.cores).map_err(|error| Taken {
                    address: *address,
                    error,
                })?;
            fresh.insert(*address, sockets);
        }
        let addresses = fresh.keys().copied().collect();
        self.sockets.extend(fresh);
        Ok(addresses)
    }

    /// Gives the gateway these sockets, as far as it has them not yet.
    pub(crate) async fn hand_over(&mut self, addresses: &[SocketAddr]) -> Outcome {
        let Some(link) = &self.link else {
            return Ok(());
        };
        let mut of = Vec::new();
        let mut sockets = Vec::new();
        let new = |address: &&SocketAddr| !self.handed.contains(*address);
        for address in addresses.iter().filter(new) {
            for socket in self.sockets.get(address).into_iter().flatten() {
                let copy = socket.try_clone().map_err(|error| {
                    Failure::new(
                        Exit::Error,
                        format!("cannot copy a listening socket: {error}"),
                    )
                })?;
                of.push(*address);
                sockets.push(copy);
            }
        }
        if sockets.is_empty() {
            return Ok(());
        }
        let given: BTreeSet<SocketAddr> = of.iter().copied().collect();
        link.send(ToGateway::Listen { sockets: of }, sockets)
            .await
            .map_err(|error| {
                Failure::new(Exit::Error, format!("the gateway took no sockets: {error}"))
            })?;
        self.handed.extend(given);
        Ok(())
    }

    /// Closes every address that is not wanted any more.
    pub(crate) async fn keep_only(&mut self, wanted: &BTreeSet<SocketAddr>) {
        let gone: Vec<SocketAddr> = self
            .sockets
            .keys()
            .filter(|a| !wanted.contains(a))
            .copied()
            .collect();
        if gone.is_empty() {
            return;
        }
        self.sockets.retain(|address, _| wanted.contains(address));
        self.handed.retain(|address| wanted.contains(address));
        if let Some(link) = &self.link {
            let _ = link
                .send(ToGateway::Unlisten { addresses: gone }, vec![])
                .await;
        }
    }

    /// Sends a table. A gateway that is gone gets it when it is back.
    pub(crate) async fn publish(&self, table: RouteTable) {
        if let Some(link) = &self.link
            && let Err(error) = link.send(ToGateway::Table(table), vec![]).await
        {
            tracing::warn!(%error, "the gateway took no table");
        }
    }

    /// Ends the gateway.
    pub(crate) async fn shut_down(&mut self, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        if let Some(link) = self.link.take() {
            let _ = link.send(ToGateway::Shutdown { grace_ms }, vec![]).await;
        }
        self.sockets.clear();
    }
}

/// Reads messages until `pick` takes one; gives up after 5 s or at the end.
async fn wait_for<T>(
    from: &mut mpsc::UnboundedReceiver<(FromGateway, Vec<OwnedFd>)>,
    pick: impl Fn(&FromGateway) -> Option<T>,
) -> Option<(T, Vec<OwnedFd>)> {
    tokio::time::timeout(Duration::from_secs(5), async {
        let mut sockets = Vec::new();
        while let Some((message, fds)) = from.recv().await {
            sockets.extend(fds);
            if let Some(picked) = pick(&message) {
                return Some((picked, sockets));
            }
        }
        None
    })
    .await
    .ok()
    .flatten()
}
