//! How a deployment ended, and which of several endings a command reports. Only SUCCESSFUL is success.

use crate::deployment::{Deployment, Status, short};
use serde::Serialize;

/// How one service's deployment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The new revision runs.
    Completed,
    /// ECS brought the revision from before back.
    RolledBack {
        /// What made it.
        cause: Cause,
        /// The same in ECS's words.
        reason: String,
    },
    /// ECS could not bring the revision from before back: which revision runs is not certain.
    RollbackFailed {
        /// In ECS's words.
        reason: String,
    },
    /// Ended by hand, without a rollback: tasks of both revisions may run.
    Stopped {
        /// In ECS's words.
        reason: String,
    },
    /// A newer deployment of the same service took its place.
    Superseded {
        /// The newer deployment's ARN.
        by: String,
    },
    /// Not over when waiting ended.
    TimedOut {
        /// Where it stood.
        status: String,
    },
    /// AWS no longer answers for it: what became of it is not known.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// What made ECS roll back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Too many of the new tasks failed.
    Breaker,
    /// These alarms fired.
    Alarms(Vec<String>),
    /// Somebody asked for it.
    Requested,
    /// ECS does not say.
    Unstated,
}

/// The ending of several, for the exit code; later ones weigh more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All completed.
    Completed,
    /// A newer deployment won.
    Superseded,
    /// Waiting ended first.
    TimedOut,
    /// Something was rolled back.
    RolledBack,
    /// Something is in no good state, or not known.
    Failed,
}

impl Outcome {
    /// The ending of a deployment in a final state; `None` while it goes on. `newer`: a deployment of the
    /// same service that was made after it.
    pub fn of(deployment: &Deployment, newer: Option<&str>) -> Option<Self> {
        let reason = || sentence(deployment);
        match &deployment.status {
            Status::Successful => Some(Outcome::Completed),
            Status::RollbackSuccessful => Some(Outcome::RolledBack {
                cause: cause(deployment),
                reason: reason(),
            }),
            Status::RollbackFailed => Some(Outcome::RollbackFailed { reason: reason() }),
            Status::Stopped => Some(match newer {
                Some(by) => Outcome::Superseded { by: by.to_owned() },
                None => Outcome::Stopped { reason: reason() },
            }),
            Status::Pending
            | Status::InProgress
            | Status::StopRequested
            | Status::RollbackRequested
            | Status::RollbackInProgress
            | Status::Other(_) => None,
        }
    }

    /// What weighs in an exit code.
    pub fn verdict(&self) -> Verdict {
        match self {
            Outcome::Completed => Verdict::Completed,
            Outcome::Superseded { .. } => Verdict::Superseded,
            Outcome::TimedOut { .. } => Verdict::TimedOut,
            Outcome::RolledBack { .. } => Verdict::RolledBack,
            Outcome::RollbackFailed { .. } | Outcome::Stopped { .. } | Outcome::Unknown { .. } => {
                Verdict::Failed
            }
        }
    }

    /// One word or two for a summary.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::RolledBack { .. } => "rolled back",
            Outcome::RollbackFailed { .. } => "rollback failed",
            Outcome::Stopped { .. } => "stopped",
            Outcome::Superseded { .. } => "superseded",
            Outcome::TimedOut { .. } => "not done in time",
            Outcome::Unknown { .. } => "unknown",
        }
    }

    /// Why it ended so; empty for a success.
    pub fn reason(&self) -> String {
        match self {
            Outcome::Completed => String::new(),
            Outcome::RolledBack { cause, reason } => match cause {
                Cause::Alarms(names) if !names.iter().all(|name| reason.contains(name)) => {
                    format!("{reason} (alarm {})", names.join(", "))
                }
                Cause::Breaker | Cause::Alarms(_) | Cause::Requested | Cause::Unstated => {
                    reason.clone()
                }
            },
            Outcome::RollbackFailed { reason } => {
                format!("{reason}; which revision runs is not certain")
            }
            Outcome::Stopped { reason } => {
                format!("{reason}; tasks of both revisions may run")
            }
            Outcome::Superseded { by } => {
                format!("a newer deployment, `{}`, took its place", short(by))
            }
            Outcome::TimedOut { status } => {
                format!("still {status}; it goes on without being watched")
            }
            Outcome::Unknown { reason } => reason.clone(),
        }
    }
}

/// The heaviest of several; completed when there is none.
pub fn verdict<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Verdict {
    outcomes
        .into_iter()
        .map(Outcome::verdict)
        .max()
        .unwrap_or(Verdict::Completed)
}

fn cause(deployment: &Deployment) -> Cause {
    if !deployment.alarms.is_empty() {
        return Cause::Alarms(deployment.alarms.clone());
    }
    if deployment.breaker.as_ref().is_some_and(|b| b.triggered) {
        return Cause::Breaker;
    }
    let text = sentence(deployment).to_lowercase();
    if text.contains("request") || text.contains("manual") {
        Cause::Requested
    } else {
        Cause::Unstated
    }
}

/// ECS's own reason: the rollback's, else the deployment's; never empty.
fn sentence(deployment: &Deployment) -> String {
    let rollback = deployment.rollback.as_ref();
    rollback
        .and_then(|rollback| rollback.reason.clone())
        .filter(|reason| !reason.is_empty())
        .or_else(|| deployment.reason.clone())
        .filter(|reason| !reason.is_empty())
        .unwrap_or_else(|| "ECS gives no reason".to_owned())
        .trim_end_matches('.')
        .to_owned()
}
