//! When a request that waits may be answered, and with which verdict. Pure: reads views, decides nothing.

use crate::control::{ServiceResult, Until, Verdict};
use cais_engine::event::{ExitStatus, RevisionNumber};
use cais_engine::notice::{RolloutState, TaskPhase};
use cais_engine::time::Moment;
use cais_engine::view::{RolloutView, ServiceView};
use cais_model::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

/// What a request waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    /// Its services, with the revision that each one's rollout went to when the request was taken.
    pub(crate) services: BTreeMap<ServiceName, Option<RevisionNumber>>,
    /// Until when.
    pub(crate) until: Until,
    /// When the request was taken: rollouts that ended before are not its doing.
    pub(crate) since: Moment,
}

impl Awaited {
    /// The services as they stand right after the request was taken.
    pub(crate) fn new(
        services: BTreeSet<ServiceName>,
        until: Until,
        since: Moment,
        views: &[ServiceView],
    ) -> Self {
        let to = |name: &ServiceName| {
            let view = views.iter().find(|view| &view.service == name)?;
            Some(view.rollout.as_ref()?.to)
        };
        let services = services
            .into_iter()
            .map(|name| {
                let to = to(&name);
                (name, to)
            })
            .collect();
        Self {
            services,
            until,
            since,
        }
    }

    /// Each service's verdict as things stand now.
    pub(crate) fn verdicts(&self, views: &[ServiceView]) -> Vec<ServiceResult> {
        self.services
            .iter()
            .map(|(name, to)| {
                let view = views.iter().find(|view| &view.service == name);
                let (verdict, reason) = match view {
                    None => (Verdict::Ok, "removed".to_owned()),
                    Some(view) => self.verdict(view, *to),
                };
                let rollout = view
                    .and_then(|view| view.rollout.as_ref())
                    .filter(|r| self.is_ours(r));
                ServiceResult {
                    service: name.clone(),
                    verdict,
                    reason,
                    revision: view.map(|view| view.target.0),
                    to: rollout.map(|rollout| rollout.to.0),
                    rollout_ms: rollout.and_then(|rollout| {
                        let span = rollout.ended_at? - rollout.started_at;
                        u64::try_from(span.as_millis()).ok()
                    }),
                }
            })
            .collect()
    }

    fn is_ours(&self, rollout: &RolloutView) -> bool {
        rollout.ended_at.is_none_or(|end| end >= self.since)
    }

    fn verdict(&self, view: &ServiceView, to: Option<RevisionNumber>) -> (Verdict, String) {
        let rollout = view.rollout.as_ref();
        let reason = rollout
            .map(|rollout| rollout.reason.clone())
            .unwrap_or_default();
        match self.until {
            Until::Accepted => return (Verdict::Ok, reason),
            Until::Stopped => {
                let left = view
                    .tasks
                    .iter()
                    .any(|task| task.phase != TaskPhase::Stopped);
                return (if left { Verdict::Pending } else { Verdict::Ok }, reason);
            }
            Until::Started | Until::Settled => {}
        }
        if let (Some(to), Some(rollout)) = (to, rollout)
            && rollout.to != to
        {
            return (
                Verdict::Superseded,
                format!("revision {} took over", rollout.to),
            );
        }
        if view.stopped {
            return (Verdict::Ok, reason);
        }
        match &view.completed {
            Some(ExitStatus::Code(0)) => return (Verdict::Ok, "ran to its end".to_owned()),
            Some(status) => return (Verdict::Failed, format!("ended with {}", ended(*status))),
            None => {}
        }
        let enough = healthy(view) >= view.desired;
        match rollout.map(|rollout| (rollout.state, self.is_ours(rollout))) {
            Some((RolloutState::Failed | RolloutState::RollbackFailed, ours))
                if ours || !enough =>
            {
                (Verdict::Failed, reason)
            }
            Some((RolloutState::RollbackSuccessful, true)) => (Verdict::RolledBack, reason),
            None | Some((RolloutState::Completed, _) | (_, false)) if enough => {
                (Verdict::Ok, reason)
            }
            _ if self.until == Until::Started && started(view) >= view.desired => {
                (Verdict::Ok, reason)
            }
            _ => (Verdict::Pending, view.waiting.clone().unwrap_or(reason)),
        }
    }
}

fn started(view: &ServiceView) -> u32 {
    count(view, |phase| {
        matches!(phase, TaskPhase::Activating | TaskPhase::Running)
    })
}

fn healthy(view: &ServiceView) -> u32 {
    count(view, |phase| phase == TaskPhase::Running)
}

fn count(view: &ServiceView, wanted: impl Fn(TaskPhase) -> bool) -> u32 {
    let count = view
        .tasks
        .iter()
        .filter(|task| task.revision == view.target && wanted(task.phase))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// "exit code 1", "signal 9".
pub(crate) fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
        ExitStatus::OutOfMemory => "out of memory".to_owned(),
        ExitStatus::Unknown => "an unknown exit code".to_owned(),
    }
}
