//! The control thread: does what the supervisor's frames ask for, by telling the cores, and reports back.
//! Not on the path of any request.

use crate::core::{Batch, Command};
use crate::fdpass::MAX_DESCRIPTORS;
use crate::protocol::{FromGateway, PROTOCOL_VERSION, ToGateway};
use crate::route::Routing;
use crate::run::GatewayError;
use crate::supervisor::{Backlog, Event, Supervisor, accept};
use crate::table::RouteTable;
use crate::target::{Load, Targets};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The grace of a SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(10);

/// What the control thread needs to know of the cores.
pub(crate) struct Cores {
    pub(crate) commands: Vec<mpsc::UnboundedSender<Command>>,
    pub(crate) batches: mpsc::UnboundedReceiver<Batch>,
    /// The number of each core that has ended.
    pub(crate) ended: mpsc::UnboundedReceiver<usize>,
}

struct Control {
    commands: Vec<mpsc::UnboundedSender<Command>>,
    clock: Instant,
    targets: Targets,
    /// The table's version that every core serves.
    version: u64,
    /// A copy of each listening socket, in the order of cores.
    sockets: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    supervisor: Option<Supervisor>,
    supervisors: u64,
    backlog: Rc<Backlog>,
    events: mpsc::UnboundedSender<Event>,
}

/// Runs until Shutdown or SIGTERM, and the cores have ended.
///
/// # Errors
/// When SIGTERM cannot be waited for, or a core ends by itself.
pub(crate) async fn run(
    listener: UnixListener,
    mut cores: Cores,
    clock: Instant,
) -> Result<(), GatewayError> {
    let (events, mut inbox) = mpsc::unbounded_channel();
    let mut terminated = signal(SignalKind::terminate()).map_err(GatewayError::Signal)?;
    let accepting = tokio::task::spawn_local(accept(listener, events.clone()));
    let mut control = Control {
        commands: std::mem::take(&mut cores.commands),
        clock,
        targets: Targets::default(),
        version: 0,
        sockets: BTreeMap::new(),
        supervisor: None,
        supervisors: 0,
        backlog: Rc::default(),
        events,
    };
    let changed = control.targets.changed();
    let (mut running, mut told_to_end) = (control.commands.len(), false);
    let mut failed = None;
    while running > 0 {
        let grace = tokio::select! {
            Some(event) = inbox.recv() => control.handle(event).await,
            () = changed.notified() => { control.report(); None }
            Some(batch) = cores.batches.recv() => { control.backlog.add(batch); None }
            Some(core) = cores.ended.recv() => {
                running -= 1;
                if !told_to_end {
                    failed = Some(GatewayError::CoreEnded(core));
                }
                failed.is_some().then_some(Duration::ZERO)
            }
            _ = terminated.recv() => Some(TERM_GRACE),
        };
        if let Some(grace) = grace.filter(|_| !told_to_end) {
            told_to_end = true;
            control.shut_down(grace);
        }
    }
    accepting.abort();
    while let Ok(batch) = cores.batches.try_recv() {
        control.backlog.add(batch);
    }
    control.report();
    if let Some(supervisor) = control.supervisor.take() {
        supervisor.finish().await;
    }
    failed.map_or(Ok(()), Err)
}

impl Control {
    /// Returns the grace when the gateway is to end.
    async fn handle(&mut self, event: Event) -> Option<Duration> {
        match event {
            Event::Connected(stream) => {
                self.supervisors += 1;
                let backlog = Rc::clone(&self.backlog);
                // The old one's connection closes here: there is one supervisor.
                self.supervisor = Some(Supervisor::new(
                    self.supervisors,
                    stream,
                    backlog,
                    self.events.clone(),
                ));
                self.targets.forget_reports();
                None
            }
            Event::Gone(id) => {
                self.supervisor.take_if(|supervisor| supervisor.id == id);
                None
            }
            Event::Message(id, message, sockets) => {
                let current = self
                    .supervisor
                    .as_ref()
                    .is_some_and(|supervisor| supervisor.id == id);
                if current {
                    self.obey(message, sockets).await
                } else {
                    None
                }
            }
        }
    }

    async fn obey(&mut self, message: ToGateway, sockets: Vec<OwnedFd>) -> Option<Duration> {
        match message {
            ToGateway::Hello { protocol } => self.hello(protocol),
            ToGateway::Listen { sockets: addresses } => {
                self.listen(addresses.into_iter().zip(sockets));
            }
            ToGateway::Unlisten { addresses } => {
                for address in addresses {
                    self.unlisten(address);
                }
            }
            ToGateway::HandOver => self.hand_over(),
            ToGateway::Table(table) => self.apply(&table).await,
            ToGateway::Shutdown { grace_ms } => return Some(Duration::from_millis(grace_ms)),
        }
        None
    }

    fn send(&self, frame: FromGateway, sockets: Vec<OwnedFd>) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.send(frame, sockets);
        }
    }

    fn hello(&mut self, protocol: u32) {
        if protocol != PROTOCOL_VERSION {
            tracing::warn!(
                theirs = protocol,
                ours = PROTOCOL_VERSION,
                "the supervisor speaks another protocol"
            );
        }
        let hello = FromGateway::Hello {
            protocol: PROTOCOL_VERSION,
            pid: std::process::id(),
            cores: self.commands.len() as u32,
            listening: self.sockets.keys().copied().collect(),
            table: self.version,
        };
        self.send(hello, Vec::new());
        self.report();
    }

    fn listen(&mut self, sockets: impl Iterator<Item = (SocketAddr, OwnedFd)>) {
        for (address, socket) in sockets {
            let kept = self.sockets.entry(address).or_default();
            // Handed over a second time: accepting from it twice would keep a copy more of it for every
            // supervisor that comes.
            if kept.iter().any(|known| is_same(known, &socket)) {
                continue;
            }
            let Ok(copy) = socket.try_clone() else {
                tracing::error!(%address, "no descriptor is left for a listening socket");
                continue;
            };
            let core = kept.len() % self.commands.len();
            kept.push(copy);
            let _ = self.commands[core].send(Command::Listen(address, socket));
        }
    }

    fn unlisten(&mut self, address: SocketAddr) {
        self.sockets.remove(&address);
        for core in &self.commands {
            let _ = core.send(Command::Unlisten(address));
        }
    }

    /// Copies of all sockets, in as many frames as it takes; one frame at least.
    fn hand_over(&self) {
        let copies = self.sockets.iter().flat_map(|(address, sockets)| {
            sockets
                .iter()
                .filter_map(|socket| Some((*address, socket.try_clone().ok()?)))
        });
        let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
        for (address, socket) in copies {
            addresses.push(address);
            sockets.push(socket);
            if sockets.len() == MAX_DESCRIPTORS {
                let sockets = std::mem::take(&mut sockets);
                self.send(
                    FromGateway::Sockets {
                        sockets: std::mem::take(&mut addresses),
                    },
                    sockets,
                );
            }
        }
        self.send(FromGateway::Sockets { sockets: addresses }, sockets);
    }

    async fn apply(&mut self, table: &RouteTable) {
        let now_ms = self.clock.elapsed().as_millis() as u64;
        let routing = Arc::new(Routing::compile(table, &mut self.targets, now_ms));
        let acknowledged: Vec<_> = self
            .commands
            .iter()
            .filter_map(|core| {
                let (done, swapped) = oneshot::channel();
                core.send(Command::Swap(Arc::clone(&routing), done))
                    .ok()
                    .map(|()| swapped)
            })
            .collect();
        for swapped in acknowledged {
            // A core that ends meanwhile picks nothing any more.
            let _ = swapped.await;
        }
        self.version = routing.version;
        self.targets.settle(table);
        self.send(
            FromGateway::Applied {
                version: table.version,
            },
            Vec::new(),
        );
        self.report();
    }

    fn report(&mut self) {
        if self.supervisor.is_none() {
            return;
        }
        for (task, load) in self.targets.drained() {
            let Load { requests, upgraded } = load;
            self.send(
                FromGateway::InFlight {
                    task,
                    requests,
                    upgraded,
                },
                Vec::new(),
            );
        }
    }

    fn shut_down(&mut self, grace: Duration) {
        self.sockets.clear();
        for core in &self.commands {
            let _ = core.send(Command::Shutdown(grace));
        }
    }
}

/// Are these two descriptors of one socket?
fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let identity = |socket| rustix::fs::fstat(socket).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{FromGatewayReceiver, GatewayClient};
    use tokio::sync::mpsc::error::TryRecvError;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    async fn swap(core: &mut mpsc::UnboundedReceiver<Command>) -> oneshot::Sender<()> {
        match core.recv().await {
            Some(Command::Swap(_, done)) => done,
            _ => panic!("a table"),
        }
    }

    async fn hear(heard: &mut FromGatewayReceiver) -> FromGateway {
        heard.recv().await.unwrap().0
    }

    #[tokio::test]
    async fn a_table_is_applied_when_the_last_core_says_so_and_not_before() {
        LocalSet::new()
            .run_until(async {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("gateway.sock");
                let listener = UnixListener::bind(&path).unwrap();
                let (one, mut first) = mpsc::unbounded_channel();
                let (two, mut second) = mpsc::unbounded_channel();
                let (_batches, batches) = mpsc::unbounded_channel();
                let (end, ended) = mpsc::unbounded_channel();
                let cores = Cores {
                    commands: vec![one, two],
                    batches,
                    ended,
                };
                let running = spawn_local(run(listener, cores, Instant::now()));
                let (client, mut heard) = GatewayClient::connect(&path).await.unwrap();

                let table = RouteTable {
                    version: 7,
                    ..RouteTable::default()
                };
                client
                    .send(ToGateway::Table(table), Vec::new())
                    .await
                    .unwrap();
                swap(&mut first).await.send(()).unwrap();
                let last = swap(&mut second).await;
                for _ in 0..100 {
                    yield_now().await;
                }
                assert_eq!(heard.try_recv().unwrap_err(), TryRecvError::Empty);
                last.send(()).unwrap();
                assert_eq!(hear(&mut heard).await, FromGateway::Applied { version: 7 });

                // A core that ends by itself takes the gateway with it.
                end.send(1).unwrap();
                assert!(matches!(
                    first.recv().await,
                    Some(Command::Shutdown(Duration::ZERO))
                ));
                end.send(0).unwrap();
                assert!(matches!(
                    running.await.unwrap(),
                    Err(GatewayError::CoreEnded(1))
                ));
            })
            .await;
    }
}
