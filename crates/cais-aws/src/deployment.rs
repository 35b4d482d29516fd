//! What ECS says of a service deployment, in types of our own: read by what decides, filled in by the SDK's side.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;

/// A service deployment's state, under ECS's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Asked for, not begun.
    Pending,
    /// Tasks of the new revision are being started.
    InProgress,
    /// The new revision runs. The only success.
    Successful,
    /// Somebody asked ECS to end it.
    StopRequested,
    /// Ended before it was done, without a rollback: by hand, or because a newer deployment took its place.
    Stopped,
    /// A rollback was asked for.
    RollbackRequested,
    /// The revision from before is being brought back.
    RollbackInProgress,
    /// The revision from before runs again.
    RollbackSuccessful,
    /// The revision from before could not be brought back.
    RollbackFailed,
    /// A state that this version of cais has not heard of.
    Other(String),
}

impl Status {
    /// From the name in the API.
    pub fn parse(name: &str) -> Self {
        match name {
            "PENDING" => Status::Pending,
            "IN_PROGRESS" => Status::InProgress,
            "SUCCESSFUL" => Status::Successful,
            "STOP_REQUESTED" => Status::StopRequested,
            "STOPPED" => Status::Stopped,
            "ROLLBACK_REQUESTED" => Status::RollbackRequested,
            "ROLLBACK_IN_PROGRESS" => Status::RollbackInProgress,
            "ROLLBACK_SUCCESSFUL" => Status::RollbackSuccessful,
            "ROLLBACK_FAILED" => Status::RollbackFailed,
            other => Status::Other(other.to_owned()),
        }
    }

    /// The name in the API.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Pending => "PENDING",
            Status::InProgress => "IN_PROGRESS",
            Status::Successful => "SUCCESSFUL",
            Status::StopRequested => "STOP_REQUESTED",
            Status::Stopped => "STOPPED",
            Status::RollbackRequested => "ROLLBACK_REQUESTED",
            Status::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Status::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Status::RollbackFailed => "ROLLBACK_FAILED",
            Status::Other(name) => name,
        }
    }

    /// ECS will not leave this state.
    pub fn is_final(&self) -> bool {
        match self {
            Status::Successful
            | Status::Stopped
            | Status::RollbackSuccessful
            | Status::RollbackFailed => true,
            Status::Pending
            | Status::InProgress
            | Status::StopRequested
            | Status::RollbackRequested
            | Status::RollbackInProgress
            | Status::Other(_) => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One service deployment as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deployment {
    /// Its ARN.
    pub arn: String,
    /// The service's ARN.
    pub service: String,
    /// Where it stands.
    pub status: Status,
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// The service revision it brings.
    pub revision: Option<String>,
    /// Tasks of that revision.
    pub target: Tasks,
    /// Tasks of the revisions it replaces.
    pub replaced: Tasks,
    /// The circuit breaker, where the service has one.
    pub breaker: Option<Breaker>,
    /// Alarms that fired while it ran.
    pub alarms: Vec<String>,
    /// The rollback, once there is one.
    pub rollback: Option<Rollback>,
    /// Where a blue/green, linear or canary deployment stands.
    pub stage: Option<String>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// How many tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tasks {
    /// Wanted.
    pub requested: u32,
    /// Running.
    pub running: u32,
    /// On their way.
    pub pending: u32,
}

/// The deployment circuit breaker of one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// It gave the deployment up.
    pub triggered: bool,
    /// Tasks that failed.
    pub failures: u32,
    /// Failures that trigger it.
    pub threshold: u32,
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// The service revision that is brought back.
    pub revision: Option<String>,
}

/// A task that ended, or is unwell, while its service was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoppedTask {
    /// The service's name.
    pub service: String,
    /// The task's id: the last part of its ARN.
    pub task: String,
    /// The task definition it ran, as `family:revision`.
    pub definition: String,
    /// ECS's code for the end, as `EssentialContainerExited`.
    pub code: Option<String>,
    /// ECS's sentence about it.
    pub reason: Option<String>,
    /// What each container came to.
    pub containers: Vec<StoppedContainer>,
    /// What the load balancer says of it.
    pub target: Option<String>,
    /// The last lines of its log.
    pub lines: Vec<String>,
}

/// A container of a task that ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoppedContainer {
    /// Its name in the task definition.
    pub name: String,
    /// Its exit code, where it ever ran.
    pub exit_code: Option<i32>,
    /// ECS's sentence, as `OutOfMemoryError: …`.
    pub reason: Option<String>,
    /// What its health check said last.
    pub health: Option<String>,
}

/// The last part of an ARN's resource: a service's, task's or deployment's own name.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_api_is_known_by_its_name() {
        const FINAL: [&str; 4] = [
            "SUCCESSFUL",
            "STOPPED",
            "ROLLBACK_SUCCESSFUL",
            "ROLLBACK_FAILED",
        ];
        const GOES_ON: [&str; 5] = [
            "PENDING",
            "IN_PROGRESS",
            "STOP_REQUESTED",
            "ROLLBACK_REQUESTED",
            "ROLLBACK_IN_PROGRESS",
        ];
        for (names, is_final) in [(&FINAL[..], true), (&GOES_ON[..], false)] {
            for name in names {
                let status = Status::parse(name);
                assert_eq!(status.as_str(), *name);
                assert!(!matches!(status, Status::Other(_)), "{name}");
                assert_eq!(status.is_final(), is_final, "{name}");
            }
        }
        assert!(!Status::parse("SOMETHING_NEW").is_final());
    }

    #[test]
    fn an_arn_is_shown_by_its_last_part() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/app/web/kx3a";
        assert_eq!(short(arn), "kx3a");
        assert_eq!(short("plain"), "plain");
    }
}
