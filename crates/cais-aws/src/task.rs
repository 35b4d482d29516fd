//! What ECS says of a task, in types of our own.

use crate::deployment::StoppedContainer;
use jiff::Timestamp;
use serde::Serialize;

/// One task as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Task {
    /// The last part of its ARN.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The ARN of its task definition.
    pub definition: String,
    /// PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED.
    pub status: String,
    /// HEALTHY or UNHEALTHY, where its containers have health checks.
    pub health: Option<String>,
    /// ECS's code for its end.
    pub stop_code: Option<String>,
    /// ECS's sentence about its end.
    pub stopped_reason: Option<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// Its address in the VPC.
    pub address: Option<String>,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// When it ran.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub stopped: Option<Timestamp>,
}

impl Task {
    /// Did it end by itself or by a failure, rather than because the service asked it to leave?
    pub fn ended_unasked(&self) -> bool {
        match self.stop_code.as_deref() {
            // Scaling in, a deployment that replaces it, a person.
            Some("ServiceSchedulerInitiated") => self
                .stopped_reason
                .as_deref()
                .is_some_and(|reason| reason.contains("health") || reason.contains("failed")),
            Some("UserInitiated" | "SpotInterruption") => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_made_room_is_no_failure() {
        let cases = [
            (
                Some("EssentialContainerExited"),
                "Essential container in task exited",
                true,
            ),
            (
                Some("TaskFailedToStart"),
                "CannotPullContainerError: …",
                true,
            ),
            (
                Some("ServiceSchedulerInitiated"),
                "Scaling activity initiated by (deployment ecs-svc/1)",
                false,
            ),
            (
                Some("ServiceSchedulerInitiated"),
                "Task failed ELB health checks in (target-group …)",
                true,
            ),
            (
                Some("ServiceSchedulerInitiated"),
                "Task failed container health checks",
                true,
            ),
            (Some("UserInitiated"), "Task stopped by user", false),
            (None, "", true),
        ];
        for (code, reason, expected) in cases {
            let task = Task {
                stop_code: code.map(str::to_owned),
                stopped_reason: Some(reason.to_owned()),
                ..Task::default()
            };
            assert_eq!(task.ended_unasked(), expected, "{code:?} {reason}");
        }
    }
}
