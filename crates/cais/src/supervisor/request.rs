//! What each request of the command line means to the loop.

use super::{Replies, Supervisor, journal_failure};
use crate::control::{Apply, PROTOCOL_VERSION, Reply, Request, Until, Wait};
use crate::exit::{Exit, Failure};
use cais_engine::event::Event;
use cais_model::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the gateway may finish what it has at `down`, when every task is already gone.
const GATEWAY_GRACE: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) async fn request(&mut self, request: Request, replies: Replies) {
        // Without its engine a stack neither starts nor stops a container: better said at once than waited for.
        if changes(&request)
            && !self.is_empty()
            && let Some(engine) = &self.engine
            && let Some(failure) = engine.fault().await
        {
            return replies.fail(&failure);
        }
        match request {
            Request::Hello => replies.send(Reply::Hello {
                protocol: PROTOCOL_VERSION,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                directory: self.boot.directory.clone(),
                project: self.boot.project.clone(),
            }),
            Request::Status => replies.send(Reply::Status(Box::new(self.snapshot()))),
            Request::Follow => self.followers.push(replies),
            Request::Apply(apply) => self.take_apply(*apply, replies).await,
            Request::Down { now } => self.down(now, replies).await,
            Request::Stop { services } => {
                let wait = Wait {
                    until: Until::Stopped,
                    timeout_ms: None,
                };
                self.command(services, wait, replies, |services| Event::Stop { services })
                    .await;
            }
            Request::Start { services, wait } => {
                self.command(services, wait, replies, |services| Event::Start {
                    services,
                })
                .await;
            }
            Request::Restart { services, wait } => {
                self.command(services, wait, replies, |services| Event::Restart {
                    services,
                })
                .await;
            }
            Request::Cancel { services } => {
                let wait = Wait {
                    until: Until::Accepted,
                    timeout_ms: None,
                };
                self.command(services, wait, replies, |services| Event::Cancel {
                    services,
                })
                .await;
            }
            Request::Scale { services, wait } => self.scale(services, wait, replies).await,
            Request::Rollback {
                service,
                revision,
                wait,
            } => {
                self.roll_back(service, revision, wait, replies).await;
            }
        }
    }

    async fn take_apply(&mut self, apply: Apply, replies: Replies) {
        let since = self.now();
        // Listen from the first notice on; the verdict comes when all of it is under way.
        self.followers.push(replies.clone());
        let result = self.apply(&apply, &replies).await;
        self.followers.pop();
        match result {
            Err(failure) => {
                replies.fail(&failure);
                if self.is_empty() {
                    self.leave().await;
                }
            }
            Ok(()) => {
                let mut awaited = self.known();
                awaited.retain(|name| apply.services.is_empty() || apply.services.contains(name));
                self.wait(awaited, apply.wait, since, replies);
            }
        }
    }

    /// Names of the services that the engine knows.
    pub(super) fn known(&self) -> BTreeSet<ServiceName> {
        cais_engine::state::views(&self.state)
            .into_iter()
            .map(|view| view.service)
            .collect()
    }

    /// A command over some services, or all of them: the names are checked before anything happens.
    async fn command(
        &mut self,
        services: BTreeSet<ServiceName>,
        wait: Wait,
        replies: Replies,
        event: impl FnOnce(BTreeSet<ServiceName>) -> Event,
    ) {
        let known = self.known();
        if let Some(failure) = unknown_service(&services, &known, &self.skipped) {
            return replies.fail(&failure);
        }
        let awaited = if services.is_empty() {
            known
        } else {
            services.clone()
        };
        self.change(vec![event(services)], awaited, wait, replies)
            .await;
    }

    async fn scale(&mut self, services: BTreeMap<ServiceName, u32>, wait: Wait, replies: Replies) {
        let names: BTreeSet<ServiceName> = services.keys().cloned().collect();
        if let Some(failure) = unknown_service(&names, &self.known(), &self.skipped) {
            return replies.fail(&failure);
        }
        let events = services
            .into_iter()
            .map(|(service, desired)| Event::Scale { service, desired })
            .collect();
        self.change(events, names, wait, replies).await;
    }

    /// Feeds events and answers when what they began is done.
    pub(super) async fn change(
        &mut self,
        events: Vec<Event>,
        awaited: BTreeSet<ServiceName>,
        wait: Wait,
        replies: Replies,
    ) {
        let since = self.now();
        self.followers.push(replies.clone());
        let mut result = Ok(());
        for event in events {
            result = self.try_feed(event).await;
            if result.is_err() {
                break;
            }
        }
        self.followers.pop();
        match result {
            Ok(()) => self.wait(awaited, wait, since, replies),
            Err(error) => replies.fail(&journal_failure(error)),
        }
    }

    async fn down(&mut self, now: bool, replies: Replies) {
        self.downs.push(replies);
        if self.is_empty() {
            return self.finish().await;
        }
        self.feed(Event::Down).await;
        if let (Some(fault), Some(replies)) = (&self.journal_fault, self.downs.last()) {
            let text = format!("what is stopped now is not recorded: {fault}");
            replies.send(Reply::Remark { text });
        }
        if now {
            for live in self.tasks.values() {
                live.handle.kill().await;
            }
        }
    }

    /// Everything is over: the gateway goes, sockets go, whoever waits is answered.
    pub(super) async fn finish(&mut self) {
        let gateway = self.gateway.pid();
        self.gateway.shut_down(GATEWAY_GRACE).await;
        if let Some(pid) = gateway {
            wait_for_exit(pid, GATEWAY_GRACE + Duration::from_secs(2)).await;
        }
        self.finish_containers().await;
        // Where the disk was full: tasks that are gone left room.
        if self.journal_fault.is_some() {
            let now = self.now();
            if let Err(error) = self.journal.commit(&self.state, &[], now) {
                tracing::error!(%error, "the end is not recorded");
            }
        }
        if let Err(error) = self.journal.trim() {
            tracing::warn!(%error, "old notices stay in the journal");
        }
        let _ = std::fs::remove_dir_all(&self.paths.runtime);
        for replies in self.downs.drain(..) {
            replies.send(Reply::Done {
                services: Vec::new(),
            });
        }
        self.finished = true;
        // The answers are written by other tasks of this runtime: let them.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Nobody asked for anything, or what was asked for could not be begun.
    pub(super) async fn leave(&mut self) {
        tracing::info!("nothing to supervise; leaving");
        self.finish().await;
    }
}

/// Does it start or stop tasks?
fn changes(request: &Request) -> bool {
    match request {
        Request::Hello | Request::Status | Request::Follow | Request::Cancel { .. } => false,
        Request::Apply(_)
        | Request::Down { .. }
        | Request::Stop { .. }
        | Request::Start { .. }
        | Request::Restart { .. }
        | Request::Scale { .. }
        | Request::Rollback { .. } => true,
    }
}

pub(super) fn unknown_service(
    asked: &BTreeSet<ServiceName>,
    known: &BTreeSet<ServiceName>,
    skipped: &BTreeMap<ServiceName, String>,
) -> Option<Failure> {
    let name = asked.iter().find(|name| !known.contains(*name))?;
    if let Some(text) = skipped.get(name) {
        return Some(Failure::new(Exit::Error, text.clone()));
    }
    let list = known
        .iter()
        .map(ServiceName::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Some(
        Failure::new(Exit::Usage, format!("no service `{name}` is running")).help(format!(
            "running are: {}",
            if list.is_empty() { "none" } else { &list }
        )),
    )
}

/// Waits until a process that is not ours to reap is gone.
async fn wait_for_exit(pid: u32, limit: Duration) {
    let deadline = tokio::time::Instant::now() + limit;
    let stat = format!("/proc/{pid}/stat");
    while tokio::time::Instant::now() < deadline {
        // A zombie has finished, whoever reaps it.
        match std::fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z ") => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            _ => return,
        }
    }
}
