//! What ECS says of a service, in types of our own.

use jiff::Timestamp;
use serde::Serialize;

/// One service as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// ACTIVE or DRAINING.
    pub status: String,
    /// The ARN of the task definition it is asked to run.
    pub definition: String,
    /// Tasks that it wants.
    pub desired: u32,
    /// Tasks that run.
    pub running: u32,
    /// Tasks on their way.
    pub pending: u32,
    /// The ARN of its current deployment.
    pub current_deployment: Option<String>,
    /// The ARN of the service revision that it runs.
    pub current_revision: Option<String>,
    /// ARNs of the target groups that its tasks register with.
    pub target_groups: Vec<String>,
    /// Its tasks' subnets.
    pub subnets: Vec<String>,
    /// Its tasks' security groups.
    pub security_groups: Vec<String>,
    /// Does a failed deployment of it roll back by itself?
    pub breaker: bool,
    /// `deploymentConfiguration`, as the API has it.
    pub configuration: Option<serde_json::Value>,
    /// May commands be run in its tasks?
    pub exec: bool,
    /// What ECS noted, newest first.
    pub events: Vec<ServiceEvent>,
    /// Since when there is one of this name.
    pub created: Option<Timestamp>,
}

/// One of a service's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceEvent {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Option<Timestamp>,
    /// ECS's sentence.
    pub text: String,
}

impl ServiceEvent {
    /// Is it about something that went wrong? (Most events only count tasks.)
    pub fn is_trouble(&self) -> bool {
        const WORDS: [&str; 10] = [
            "unable",
            "unhealthy",
            "failed",
            "error",
            "rolling back",
            "rolled back",
            "stopped due",
            "not able",
            "throttl",
            "no space",
        ];
        let text = self.text.to_lowercase();
        WORDS.iter().any(|word| text.contains(word))
    }
}

/// `family:revision` of a task definition's ARN.
pub fn family_revision(definition: &str) -> &str {
    definition.rsplit('/').next().unwrap_or(definition)
}

/// The number of a task definition's ARN or `family:revision`.
pub fn revision_number(definition: &str) -> Option<u32> {
    family_revision(definition).rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_definition_is_called_by_family_and_number() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop-staging-web:12";
        assert_eq!(family_revision(arn), "shop-staging-web:12");
        assert_eq!(revision_number(arn), Some(12));
        assert_eq!(revision_number("web"), None);
    }

    #[test]
    fn an_event_about_trouble_is_told_from_one_that_counts() {
        let cases = [
            ("(service web) has started 1 tasks: (task 1).", false),
            ("(service web) has reached a steady state.", false),
            (
                "(service web) was unable to place a task. Reason: RESOURCE:ENI.",
                true,
            ),
            (
                "(service web) (task 1) failed container health checks.",
                true,
            ),
            (
                "(service web) (port 80) is unhealthy in (target-group x) due to (reason Health checks failed with these codes: [502]).",
                true,
            ),
            ("(service web) rolling back to deployment ecs-svc/1.", true),
        ];
        for (text, expected) in cases {
            let event = ServiceEvent {
                id: String::new(),
                at: None,
                text: text.to_owned(),
            };
            assert_eq!(event.is_trouble(), expected, "{text}");
        }
    }
}
