//! The one control loop: something happens → `step` → commit → perform. Decisions are the engine's;
//! this module only carries: events in, actions out, every step on disk before it is acted on.

pub(crate) mod address;
mod apply;
pub(crate) mod artifact;
mod bind;
pub(crate) mod clock;
pub(crate) mod containers;
pub(crate) mod definition;
pub(crate) mod fingerprint;
mod gateway;
mod holder;
pub(crate) mod mounts;
mod perform;
mod probe;
mod published;
mod recall;
mod recover;
mod request;
pub(crate) mod resolve;
pub(crate) mod revise;
mod rollback;
mod serve;
mod snapshot;
mod table;
mod wait;

pub(crate) use apply::skipped;
pub(crate) use wait::ended;

use crate::control::{Reply, ServiceResult, Stamped};
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use crate::runtime::docker::Engine;
use crate::runtime::process::{Signal, TaskEvent};
use crate::runtime::{Addresses, Runtime, TaskHandle};
use crate::store::{Journal, JournalError};
use cais_engine::event::{Event, TaskId};
use cais_engine::state::State;
use cais_engine::time::Moment;
use cais_gateway::table::Serves;
use cais_model::name::ServiceName;
use cais_model::stack::Stack;
use clock::Clock;
use gateway::{Gateway, GatewayNews};
use probe::Probes;
use resolve::Surroundings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A supervisor that was asked for nothing within this time leaves.
const IDLE: Duration = Duration::from_secs(15);

/// How long after a failed commit the step is tried again.
const JOURNAL_RETRY: Duration = Duration::from_secs(1);

/// What the command line gives a new supervisor on standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Boot {
    pub(crate) project: String,
    pub(crate) directory: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) runtime: PathBuf,
    /// The caller's environment: revisions are resolved with it. It stays in memory.
    pub(crate) variables: BTreeMap<String, String>,
}

/// What it answers on standard output, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Booted {
    /// The control socket accepts.
    Ready { pid: u32 },
    /// Another supervisor has the project.
    Taken,
    /// It cannot work.
    Failed {
        exit: Exit,
        message: String,
        help: Option<String>,
    },
}

/// What wakes the loop besides its timer.
enum Input {
    Event(Box<Event>),
    Request(Box<crate::control::Request>, Replies),
    Started(TaskId, Result<Begun, String>),
    ReviveGateway,
}

/// Where answers to one request go; sending to a caller that left is no error.
#[derive(Debug, Clone)]
struct Replies(mpsc::UnboundedSender<Reply>);

impl Replies {
    fn send(&self, reply: Reply) {
        let _ = self.0.send(reply);
    }

    fn fail(&self, failure: &Failure) {
        self.send(Reply::Failed {
            exit: failure.exit,
            message: failure.message.clone(),
            help: failure.help.clone(),
        });
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// A request that is answered later.
struct Waiter {
    awaited: wait::Awaited,
    deadline: Option<Moment>,
    replies: Replies,
}

/// A task that was started.
struct Begun {
    handle: TaskHandle,
    /// Where it is reached, where that was not known beforehand.
    addresses: Option<Addresses>,
    definition: Arc<definition::Definition>,
}

struct LiveTask {
    handle: TaskHandle,
    manner: Arc<Manner>,
}

/// How a task is asked and how it is stopped.
#[derive(Debug)]
struct Manner {
    probes: Probes,
    stop_signal: Signal,
    stop_grace: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndWhenStarted {
    Stop,
    Kill,
}

struct Supervisor {
    boot: Boot,
    paths: Paths,
    journal: Journal,
    clock: Clock,
    state: State,
    /// The stack as last applied or recovered.
    stack: Option<Stack>,
    around: Surroundings,
    skipped: BTreeMap<ServiceName, String>,
    definitions: BTreeMap<(ServiceName, u32), Arc<definition::Definition>>,
    listeners: BTreeMap<SocketAddr, Serves>,
    gateway: Gateway,
    table_version: u64,
    published: Option<cais_gateway::table::RouteTable>,
    /// Tasks taken out of the table, and the version that did it.
    unrouting: BTreeMap<TaskId, u64>,
    /// Of them, those that every core has let go of.
    unrouted: BTreeSet<TaskId>,
    tasks: BTreeMap<TaskId, LiveTask>,
    starting: BTreeSet<TaskId>,
    end_when_started: BTreeMap<TaskId, EndWhenStarted>,
    /// Ports of tasks that are processes, as the journal has them.
    ports: BTreeMap<u64, BTreeMap<u16, u16>>,
    /// Where each task is reached.
    places: BTreeMap<u64, Addresses>,
    /// The runtime that every task of the stack is in.
    runtime: Runtime,
    /// The engine, where that is Docker.
    engine: Option<Engine>,
    /// Containers that are being removed.
    removals: JoinSet<()>,
    waiters: Vec<Waiter>,
    followers: Vec<Replies>,
    downs: Vec<Replies>,
    /// Events whose step could not be committed.
    unwritten: VecDeque<Event>,
    journal_fault: Option<String>,
    inbox: mpsc::UnboundedSender<Input>,
    task_events: mpsc::UnboundedSender<(TaskId, TaskEvent)>,
    finished: bool,
}

/// Runs a supervisor to its end. `ready` is told once, when requests are accepted.
pub(crate) async fn run(boot: Boot, ready: impl FnOnce(&Booted)) -> Outcome {
    let paths = Paths {
        state: boot.state.clone(),
        runtime: boot.runtime.clone(),
    };
    paths.create()?;
    // Held to the end: one supervisor a project.
    let Some(_lock) = recover::lock(&paths)? else {
        ready(&Booted::Taken);
        return Ok(());
    };
    let result = supervise(boot, paths.clone(), ready).await;
    if result.is_err() {
        // What a dead supervisor's tasks listen on stays: only an empty folder goes.
        let _ = std::fs::remove_file(paths.control_socket());
        let _ = std::fs::remove_dir(&paths.runtime);
    }
    result
}

/// The life of the one supervisor of a project.
async fn supervise(boot: Boot, paths: Paths, ready: impl FnOnce(&Booted)) -> Outcome {
    let journal = Journal::open(&paths.journal()).map_err(journal_failure)?;
    let clock = Clock::of(&journal).map_err(journal_failure)?;
    journal
        .set_fact("directory", &boot.directory.display().to_string())
        .map_err(journal_failure)?;
    journal
        .set_fact("project", &boot.project)
        .map_err(journal_failure)?;
    let state = journal.state().map_err(journal_failure)?;
    let ports = journal.task_ports().map_err(journal_failure)?;
    let listener = serve::bind(&paths)?;

    let (inbox, mut inputs) = mpsc::unbounded_channel();
    let (task_events, mut from_tasks) = mpsc::unbounded_channel();
    let (news, mut from_gateway) = mpsc::unbounded_channel();
    let mut supervisor = Supervisor {
        gateway: Gateway::new(paths.clone(), news),
        boot,
        paths,
        journal,
        clock,
        state,
        stack: None,
        around: Surroundings::default(),
        skipped: BTreeMap::new(),
        definitions: BTreeMap::new(),
        listeners: BTreeMap::new(),
        table_version: 0,
        published: None,
        unrouting: BTreeMap::new(),
        unrouted: BTreeSet::new(),
        tasks: BTreeMap::new(),
        starting: BTreeSet::new(),
        end_when_started: BTreeMap::new(),
        places: ports
            .iter()
            .map(|(task, ports)| (*task, perform::loopback(ports)))
            .collect(),
        ports,
        runtime: Runtime::default(),
        engine: None,
        removals: JoinSet::new(),
        waiters: Vec::new(),
        followers: Vec::new(),
        downs: Vec::new(),
        unwritten: VecDeque::new(),
        journal_fault: None,
        inbox: inbox.clone(),
        task_events,
        finished: false,
    };
    supervisor.recover().await?;
    serve::spawn(listener, inbox);
    ready(&Booted::Ready {
        pid: std::process::id(),
    });

    let idle_since = tokio::time::Instant::now();
    while !supervisor.finished {
        let sleep = supervisor.sleep();
        let idle = supervisor.is_empty();
        tokio::select! {
            Some(input) = inputs.recv() => supervisor.take(input).await,
            Some((task, event)) = from_tasks.recv() => supervisor.task_said(task, event).await,
            Some(news) = from_gateway.recv() => supervisor.gateway_said(news).await,
            () = tokio::time::sleep(sleep) => supervisor.tick().await,
            () = tokio::time::sleep_until(idle_since + IDLE), if idle => supervisor.leave().await,
        }
    }
    Ok(())
}

impl Supervisor {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn is_empty(&self) -> bool {
        cais_engine::state::views(&self.state).is_empty()
            && self.tasks.is_empty()
            && self.starting.is_empty()
    }

    /// How long nothing needs doing.
    fn sleep(&self) -> Duration {
        if !self.unwritten.is_empty() || self.journal_fault.is_some() {
            return JOURNAL_RETRY;
        }
        let deadlines = self.waiters.iter().filter_map(|waiter| waiter.deadline);
        let wake = cais_engine::state::next_wake(&self.state)
            .into_iter()
            .chain(deadlines)
            .min();
        wake.map_or(Duration::from_secs(60), |moment| moment - self.now())
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.feed(*event).await,
            Input::Request(request, replies) => self.request(*request, replies).await,
            Input::Started(task, result) => self.task_started(task, result).await,
            Input::ReviveGateway => self.revive_gateway().await,
        }
    }

    async fn revive_gateway(&mut self) {
        if self.finished {
            return;
        }
        if let Err(failure) = self.gateway.ensure().await {
            tracing::error!(%failure, "no gateway");
        }
        self.unrouted.clear();
        self.publish(true).await;
    }

    async fn tick(&mut self) {
        while let Some(event) = self.unwritten.pop_front() {
            let waiting = self.unwritten.len();
            self.feed(event).await;
            if self.unwritten.len() > waiting {
                return;
            }
        }
        self.feed(Event::Tick).await;
    }

    /// One step, retried later when the journal cannot be written. Ticks and answers of probes are
    /// not kept: time passes again, and the engine asks again.
    async fn feed(&mut self, event: Event) {
        if let Err(error) = self.try_feed(event.clone()).await {
            let failure = journal_failure(error);
            tracing::error!(%failure, "the journal cannot be written; the step waits");
            self.journal_fault = Some(failure.message);
            if !is_routine(&event) {
                self.unwritten.push_back(event);
            }
        }
    }

    /// One step: decide, commit, perform. When the commit fails nothing has happened.
    async fn try_feed(&mut self, event: Event) -> Result<(), JournalError> {
        let now = self.now();
        let routine = is_routine(&event);
        let mut next = self.state.clone();
        let outcome = cais_engine::state::step(&mut next, event, now);
        let acts = outcome
            .actions
            .iter()
            .any(|action| !matches!(action, cais_engine::event::Action::Probe { .. }));
        let at_ms = clock::epoch_ms();
        let notices: Vec<Stamped> = outcome
            .notices
            .into_iter()
            .map(|notice| Stamped { at_ms, notice })
            .collect();
        // A probe that changed nothing is not worth a write: after a crash it is asked again.
        if !routine || acts || !notices.is_empty() {
            match self.journal.commit(&next, &notices, now) {
                Ok(()) => self.journal_fault = None,
                // A full disk keeps nobody from stopping what may have filled it. Should this supervisor be
                // killed before the end, the next one finds the rest of the tasks and what was wanted before.
                Err(error) if !self.downs.is_empty() => {
                    self.journal_fault = Some(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        self.state = next;
        for stamped in notices {
            tracing::info!(notice = ?stamped.notice);
            self.tell(&Reply::Notice(stamped));
        }
        for action in outcome.actions {
            self.perform(action).await;
        }
        self.publish(false).await;
        self.answer_waiters();
        Ok(())
    }

    /// Everybody who listens hears it.
    fn tell(&mut self, reply: &Reply) {
        self.followers.retain(|follower| !follower.is_closed());
        for listener in self
            .followers
            .iter()
            .chain(self.waiters.iter().map(|w| &w.replies))
            .chain(&self.downs)
        {
            listener.send(reply.clone());
        }
    }

    fn answer_waiters(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        use crate::control::Verdict;
        let now = self.now();
        let views = cais_engine::state::views(&self.state);
        self.waiters.retain(|waiter| {
            let mut results: Vec<ServiceResult> = waiter.awaited.verdicts(&views);
            let pending = results
                .iter()
                .any(|result| result.verdict == Verdict::Pending);
            let late = waiter.deadline.is_some_and(|deadline| now >= deadline);
            // One failure does not cut the others short: they are answered together.
            if pending && !late {
                return !waiter.replies.is_closed();
            }
            for result in results
                .iter_mut()
                .filter(|result| result.verdict == Verdict::Pending)
            {
                result.verdict = Verdict::TimedOut;
            }
            waiter.replies.send(Reply::Done { services: results });
            false
        });
    }

    fn wait(
        &mut self,
        services: BTreeSet<ServiceName>,
        wait: crate::control::Wait,
        since: Moment,
        replies: Replies,
    ) {
        let deadline = wait.timeout_ms.map(|ms| since + Duration::from_millis(ms));
        let views = cais_engine::state::views(&self.state);
        self.waiters.push(Waiter {
            awaited: wait::Awaited::new(services, wait.until, since, &views),
            deadline,
            replies,
        });
        self.answer_waiters();
    }

    async fn gateway_said(&mut self, news: GatewayNews) {
        use cais_gateway::protocol::FromGateway;
        match news {
            GatewayNews::Said(FromGateway::Applied { version }) => {
                let done: Vec<TaskId> = self
                    .unrouting
                    .iter()
                    .filter(|(task, since)| **since <= version && !self.unrouted.contains(task))
                    .map(|(task, _)| *task)
                    .collect();
                for task in done {
                    self.unrouted.insert(task);
                    self.feed(Event::Unrouted { task }).await;
                }
            }
            GatewayNews::Said(FromGateway::InFlight {
                task, requests: 0, ..
            }) => {
                let task = TaskId(task);
                // A count of zero means something only once no core picks the task any more.
                if self.unrouted.remove(&task) {
                    self.unrouting.remove(&task);
                    self.feed(Event::Drained { task }).await;
                }
            }
            GatewayNews::Said(_) => {}
            GatewayNews::Gone(connection) => {
                if let Some(pause) = self.gateway.lost(connection)
                    && !self.finished
                {
                    tracing::warn!(?pause, "the gateway is gone; another takes its sockets");
                    let inbox = self.inbox.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(pause).await;
                        let _ = inbox.send(Input::ReviveGateway);
                    });
                }
            }
        }
    }
}

/// Events that come again by themselves.
fn is_routine(event: &Event) -> bool {
    matches!(event, Event::Probed { .. } | Event::Tick)
}

/// A journal's refusal as the command line shows it.
pub(crate) fn journal_failure(error: JournalError) -> Failure {
    use std::error::Error;
    let cause = error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    Failure::new(Exit::Error, format!("{error}{cause}")).help(error.help())
}
