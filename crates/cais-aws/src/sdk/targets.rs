//! Target groups: which addresses take traffic, and what the load balancer says of those that do not.

use super::error::Error;
use super::session::Session;

/// One target of a target group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Target {
    /// The task's address.
    pub address: String,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`.
    pub state: String,
    /// Why, as `Health checks failed with these codes: [502]`.
    pub reason: Option<String>,
}

/// How a target group asks after its targets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HealthCheck {
    /// The path that is asked.
    pub path: Option<String>,
    /// Every so many seconds.
    pub interval: Option<i32>,
    /// Seconds until no answer is a failure.
    pub timeout: Option<i32>,
    /// The group's name.
    pub name: String,
}

impl Session {
    /// The targets of a group and their states.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn targets(&self, group: &str) -> Result<Vec<Target>, Error> {
        let answer = self
            .load_balancing()
            .describe_target_health()
            .target_group_arn(group)
            .send()
            .await
            .map_err(|error| Error::of("elasticloadbalancing:DescribeTargetHealth", &error))?;
        Ok(answer
            .target_health_descriptions()
            .iter()
            .map(|one| {
                let health = one.target_health();
                Target {
                    address: one
                        .target()
                        .and_then(|target| target.id())
                        .unwrap_or_default()
                        .to_owned(),
                    state: health
                        .and_then(|health| health.state())
                        .map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned()),
                    reason: health.and_then(|health| health.description().map(str::to_owned)),
                }
            })
            .collect())
    }

    /// The group's name and how it asks after its targets.
    ///
    /// # Errors
    /// AWS's no; there is no such group.
    pub async fn target_group(&self, group: &str) -> Result<HealthCheck, Error> {
        const OPERATION: &str = "elasticloadbalancing:DescribeTargetGroups";
        let answer = self
            .load_balancing()
            .describe_target_groups()
            .target_group_arns(group)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        let found = answer
            .target_groups()
            .first()
            .ok_or_else(|| Error::not_found(OPERATION, format!("there is no `{group}`")))?;
        Ok(HealthCheck {
            path: found.health_check_path().map(str::to_owned),
            interval: found.health_check_interval_seconds(),
            timeout: found.health_check_timeout_seconds(),
            name: found.target_group_name().unwrap_or_default().to_owned(),
        })
    }
}
