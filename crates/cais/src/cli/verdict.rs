//! Follows a request to its answer and says what it came to: the reason, the failing task's last
//! lines, the exit code, what to type next.

use super::output;
use super::progress::Display;
use super::project::Project;
use crate::control::{Conversation, Reply, ServiceResult, Verdict};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::room;
use cais_engine::notice::{NoticeKind, TaskHealth, TaskPhase};
use cais_model::name::ServiceName;
use std::collections::BTreeMap;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a request came to.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) services: Vec<ServiceResult>,
    /// The newest task of each service that went wrong.
    failing: BTreeMap<ServiceName, u64>,
}

/// Shows what happens until the request is answered.
pub(crate) async fn follow(
    mut conversation: Conversation,
    display: &mut Display,
) -> Outcome<Answer> {
    let mut answer = Answer::default();
    loop {
        match conversation.next().await? {
            Some(Reply::Done { services }) => {
                answer.services = services;
                return Ok(answer);
            }
            Some(Reply::Remark { text }) => display.remark(&text),
            Some(Reply::Notice(stamped)) => {
                display.notice(&stamped);
                if let Some(task) = went_wrong(&stamped.notice.kind) {
                    answer.failing.insert(stamped.notice.service.clone(), task);
                }
            }
            Some(_) => {}
            None => {
                return Err(
                    Failure::new(Exit::Error, "the supervisor ended before it answered")
                        .help("type the command again: it goes on where it was"),
                );
            }
        }
    }
}

/// Ctrl-C, or what a service manager or a closed terminal sends in its place. What came while nobody waited is told to
/// whoever waits next, so that a second Ctrl-C right after the first is not lost.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interrupts {
    /// From now on these signals end nothing by themselves.
    pub(crate) fn new() -> Outcome<Self> {
        let on = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Exit::Error, format!("cannot listen to signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// A task that ended before anybody asked it to, or is unhealthy.
fn went_wrong(kind: &NoticeKind) -> Option<u64> {
    match kind {
        NoticeKind::Task {
            task,
            phase,
            health,
            ..
        } if *health == TaskHealth::Unhealthy || *phase == TaskPhase::Stopped => Some(task.0),
        _ => None,
    }
}

/// The worst verdict as a failure; the failing tasks' last lines are printed first.
pub(crate) fn judge(project: &Project, answer: &Answer) -> Outcome {
    use Verdict::{Failed, RolledBack, Superseded, TimedOut};
    let of = |verdict: Verdict| answer.services.iter().filter(move |r| r.verdict == verdict);
    for result in of(Failed).chain(of(RolledBack)) {
        if let Some(task) = answer.failing.get(&result.service) {
            output::print_last_lines(project, &result.service, *task);
        }
    }
    let sentence = |what: &str, verdict: Verdict| {
        of(verdict)
            .map(|result| format!("`{}` {what}: {}", result.service, result.reason))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let logs = |verdict: Verdict| {
        let names = of(verdict)
            .map(|result| result.service.as_str())
            .collect::<Vec<_>>();
        format!(
            "more of its log: `cais logs {0}`; its story: `cais status {0}`",
            names.join(" ")
        )
    };
    let (exit, verdict, what) = if of(Failed).next().is_some() {
        (Exit::Error, Failed, "failed")
    } else if of(RolledBack).next().is_some() {
        (Exit::RolledBack, RolledBack, "was rolled back")
    } else if of(TimedOut).next().is_some() {
        let help = "it goes on in the background: `cais status`";
        let message = sentence("was not ready in time", TimedOut);
        return Err(Failure::new(Exit::TimedOut, message).help(help));
    } else if of(Superseded).next().is_some() {
        let help = "see what runs now: `cais status`";
        return Err(Failure::new(Exit::Error, sentence("was superseded", Superseded)).help(help));
    } else {
        return Ok(());
    };
    let message = sentence(what, verdict);
    let help = room(&message).map_or_else(|| logs(verdict), str::to_owned);
    Err(Failure::new(exit, message).help(help))
}
