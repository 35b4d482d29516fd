//! One core of the gateway: its listeners, its table, its connections; a thread with a runtime of its own
//! that shares nothing with the others but the targets' counts. The control thread tells it what to do.

use crate::balance::Candidate;
use crate::connection;
use crate::guard::Wire;
use crate::pool::Pools;
use crate::protocol::RequestRecord;
use crate::record::Records;
use crate::route::{Backend, Routing};
use crate::target::TargetState;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Records wait for each other so long before they go to the control thread.
const RECORDS_INTERVAL: Duration = Duration::from_millis(200);
/// How often idle connections to targets are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long accepting rests when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the control thread tells a core.
pub(crate) enum Command {
    Listen(SocketAddr, OwnedFd),
    Unlisten(SocketAddr),
    /// Serve from this table; the answer says that it is so.
    Swap(Arc<Routing>, oneshot::Sender<()>),
    /// Stop listening, finish what is open within the grace, end.
    Shutdown(Duration),
}

/// A core's finished requests, and how many were dropped before them.
pub(crate) type Batch = (VecDeque<RequestRecord>, u64);

/// What the tasks of one core share.
pub(crate) struct Core {
    table: RefCell<Arc<Routing>>,
    pub(crate) pools: Pools,
    pub(crate) records: Rc<Records>,
    random: RefCell<fastrand::Rng>,
    clock: Instant,
    stopping: Cell<bool>,
    connections: RefCell<HashMap<u64, Rc<Wire>>>,
    accepted: Cell<u64>,
    open: Cell<usize>,
    none_open: Notify,
}

impl Core {
    pub(crate) fn new(clock: Instant) -> Rc<Self> {
        Rc::new(Self {
            table: RefCell::default(),
            pools: Pools::default(),
            records: Rc::default(),
            random: RefCell::new(fastrand::Rng::new()),
            clock,
            stopping: Cell::new(false),
            connections: RefCell::default(),
            accepted: Cell::new(0),
            open: Cell::new(0),
            none_open: Notify::new(),
        })
    }

    /// The table of this moment. Whoever picks from it has to count the pick before the next await.
    pub(crate) fn table(&self) -> Arc<Routing> {
        Arc::clone(&self.table.borrow())
    }

    /// Replaces the table. Everything on a core runs on its one thread, and a pick (read the table, choose,
    /// count) has no await in it: so it happens wholly before this or wholly after. A pick before it has
    /// counted before the acknowledgement is sent, and the channel orders its count before the control
    /// thread's reading. A pick after it sees the new table. So when all cores have acknowledged, a target
    /// that the table does not offer can only lose requests, and its zero is final.
    pub(crate) fn swap(&self, table: Arc<Routing>) {
        self.pools.keep_only(&table.serving);
        *self.table.borrow_mut() = table;
    }

    /// The target may be picked, so that a connection to it is worth keeping.
    pub(crate) fn serves(&self, target: u64) -> bool {
        self.table.borrow().serving.contains(&target)
    }

    pub(crate) fn choose<'a>(&self, backend: &'a Backend, tried: &[u64]) -> Option<&'a Candidate> {
        backend
            .balancer
            .pick(tried, self.now_ms(), &mut self.random.borrow_mut())
    }

    pub(crate) fn target_failed(&self, target: &TargetState) {
        if let Some(pause) = target.standing.failed(self.now_ms()) {
            tracing::warn!(task = target.task, ?pause, "target ejected");
        }
    }

    /// Milliseconds since the gateway started.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.elapsed().as_millis() as u64
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Registers a connection for as long as the returned guard lives.
    fn opened(self: &Rc<Self>, wire: &Rc<Wire>) -> Opened {
        let id = self.accepted.get();
        self.accepted.set(id + 1);
        self.open.set(self.open.get() + 1);
        self.connections.borrow_mut().insert(id, Rc::clone(wire));
        if self.stopping() {
            wire.stop();
        }
        Opened {
            core: Rc::clone(self),
            id,
        }
    }

    fn stop(&self) {
        self.stopping.set(true);
        let wires: Vec<_> = self.connections.borrow().values().cloned().collect();
        for wire in wires {
            wire.stop();
        }
    }
}

struct Opened {
    core: Rc<Core>,
    id: u64,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.core.connections.borrow_mut().remove(&self.id);
        self.core.open.set(self.core.open.get() - 1);
        if self.core.open.get() == 0 {
            self.core.none_open.notify_one();
        }
    }
}

/// Runs a core on the current thread's local runtime until it is told to shut down.
pub(crate) async fn run(
    clock: Instant,
    mut commands: mpsc::UnboundedReceiver<Command>,
    batches: mpsc::UnboundedSender<Batch>,
) {
    let core = Core::new(clock);
    let sender = tokio::task::spawn_local(send_records(Rc::clone(&core.records), batches.clone()));
    let sweeper = tokio::task::spawn_local(sweep(Rc::clone(&core)));
    let mut listeners = Listeners::new();
    // Until the first table connections wait in their queues: a successor has its sockets a moment before it.
    let mut waiting = Some(Vec::new());
    let mut grace = Duration::ZERO;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen(address, socket) => match &mut waiting {
                Some(waiting) => waiting.push((address, socket)),
                None => listen(&core, &mut listeners, address, socket),
            },
            Command::Unlisten(address) => {
                waiting
                    .iter_mut()
                    .for_each(|waiting| waiting.retain(|(waits, _)| *waits != address));
                close(listeners.remove(&address).into_iter().flatten()).await;
            }
            Command::Swap(table, done) => {
                core.swap(table);
                for (address, socket) in waiting.take().into_iter().flatten() {
                    listen(&core, &mut listeners, address, socket);
                }
                // The control thread does not listen for it when it is about to end.
                let _ = done.send(());
            }
            Command::Shutdown(within) => {
                grace = within;
                break;
            }
        }
    }
    close(listeners.into_values().flatten()).await;
    core.stop();
    let drained = async {
        while core.open.get() > 0 {
            core.none_open.notified().await;
        }
    };
    if timeout(grace, drained).await.is_err() {
        tracing::warn!(
            open = core.open.get(),
            "connections cut at the end of the grace"
        );
    }
    sender.abort();
    sweeper.abort();
    let _ = batches.send(core.records.take());
}

/// Ends accepting and closes the sockets. Connections that wait in the queue of a socket of which another
/// process holds a copy wait on; nothing is reset here.
async fn close(listeners: impl Iterator<Item = JoinHandle<()>>) {
    for listener in listeners {
        listener.abort();
        let _ = listener.await;
    }
}

type Listeners = HashMap<SocketAddr, Vec<JoinHandle<()>>>;

fn listen(core: &Rc<Core>, listeners: &mut Listeners, address: SocketAddr, socket: OwnedFd) {
    let socket = std::net::TcpListener::from(socket);
    match socket
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(socket))
    {
        Ok(listener) => {
            let accepting = tokio::task::spawn_local(accept(Rc::clone(core), address, listener));
            listeners.entry(address).or_default().push(accepting);
        }
        Err(error) => tracing::error!(%address, %error, "a handed socket cannot be listened on"),
    }
}

async fn accept(core: Rc<Core>, address: SocketAddr, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let wire = Wire::new();
                let opened = core.opened(&wire);
                let core = Rc::clone(&core);
                // A panic in there ends that task, and so that connection, alone.
                tokio::task::spawn_local(async move {
                    let _opened = opened;
                    connection::serve(core, stream, address, peer, wire).await;
                });
            }
            Err(error) if is_about_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%address, %error, "accepting rests for a moment");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

async fn send_records(records: Rc<Records>, batches: mpsc::UnboundedSender<Batch>) {
    loop {
        records.some.notified().await;
        sleep(RECORDS_INTERVAL).await;
        if batches.send(records.take()).is_err() {
            return;
        }
    }
}

async fn sweep(core: Rc<Core>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        core.pools.sweep();
    }
}
