//! When a request that waits may be answered, and with which verdict. Pure: reads views, decides nothing.

use crate::control::{ServiceResult, Until, Verdict};
use cais_engine::event::ExitStatus;
use cais_engine::notice::{RolloutState, TaskPhase};
use cais_engine::view::ServiceView;
use cais_model::name::ServiceName;
use std::collections::BTreeSet;

/// Each awaited service's verdict as things stand now.
pub(crate) fn verdicts(
    services: &BTreeSet<ServiceName>,
    until: Until,
    views: &[ServiceView],
) -> Vec<ServiceResult> {
    services
        .iter()
        .map(|name| {
            let (verdict, reason) = match views.iter().find(|view| &view.service == name) {
                None => (Verdict::Ok, "removed".to_owned()),
                Some(view) => verdict(view, until),
            };
            ServiceResult {
                service: name.clone(),
                verdict,
                reason,
            }
        })
        .collect()
}

fn verdict(view: &ServiceView, until: Until) -> (Verdict, String) {
    let reason = view
        .rollout
        .as_ref()
        .map(|rollout| rollout.reason.clone())
        .unwrap_or_default();
    if view.stopped || until == Until::Accepted {
        return (Verdict::Ok, reason);
    }
    match &view.completed {
        Some(ExitStatus::Code(0)) => return (Verdict::Ok, "ran to its end".to_owned()),
        Some(status) => return (Verdict::Failed, format!("ended with {}", ended(*status))),
        None => {}
    }
    match view.rollout.as_ref().map(|rollout| rollout.state) {
        Some(RolloutState::Failed | RolloutState::RollbackFailed) => (Verdict::Failed, reason),
        Some(RolloutState::RollbackSuccessful) => (Verdict::RolledBack, reason),
        Some(RolloutState::Completed) | None if healthy(view) >= view.desired => {
            (Verdict::Ok, reason)
        }
        _ if until == Until::Started && started(view) >= view.desired => (Verdict::Ok, reason),
        _ => (Verdict::Pending, view.waiting.clone().unwrap_or(reason)),
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
        ExitStatus::Unknown => "an unknown exit code".to_owned(),
    }
}
