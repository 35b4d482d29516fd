//! Is there room for a deploy's tasks beside those that run: addresses in the subnets, vCPUs within the account's quota?
//! What may not be asked is unknown, not missing.

use super::Target;
use super::verify::{Answer, Report};
use cais_aws::sdk::{Error, Kind};
use cais_aws::service::Service;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A vCPU in a task definition's units.
const VCPU: f64 = 1024.0;
/// ECS's own where the service says nothing.
const MAXIMUM_PERCENT: u64 = 200;

/// What the environment's services need while all of them are deployed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Room {
    /// Tasks that may start beside those that run, by the subnets that they may start in.
    beside: BTreeMap<BTreeSet<String>, u64>,
    /// vCPUs of all tasks at the height of it.
    vcpus: f64,
}

impl Room {
    pub(super) fn add(&mut self, live: &Service, running: Option<&Value>) {
        let maximum = live
            .configuration
            .as_ref()
            .and_then(|configuration| configuration["maximumPercent"].as_u64())
            .unwrap_or(MAXIMUM_PERCENT);
        let desired = u64::from(live.desired);
        // ECS rounds the maximum down.
        let most = (desired * maximum / 100).max(desired);
        *self
            .beside
            .entry(live.subnets.iter().cloned().collect())
            .or_default() += most - desired;
        let units = running.and_then(|running| match &running["cpu"] {
            Value::String(text) => text.parse::<f64>().ok(),
            other => other.as_f64(),
        });
        #[expect(clippy::cast_precision_loss, reason = "a count of tasks")]
        let tasks = most as f64;
        self.vcpus += tasks * units.unwrap_or_default() / VCPU;
    }

    pub(super) async fn ask(&self, target: &Target, report: &mut Report) {
        self.addresses(target, report).await;
        self.quota(target, report).await;
    }

    async fn addresses(&self, target: &Target, report: &mut Report) {
        for (subnets, beside) in self
            .beside
            .iter()
            .filter(|(subnets, _)| !subnets.is_empty())
        {
            let subnets: Vec<String> = subnets.iter().cloned().collect();
            let free = match target.session.free_addresses(&subnets).await {
                Ok(free) => free,
                Err(error) => {
                    not_asked(report, "subnets", &error);
                    continue;
                }
            };
            let each: Vec<String> = free
                .iter()
                .map(|(subnet, count)| format!("{subnet} {count}"))
                .collect();
            let detail = format!(
                "free addresses: {}; a deploy starts up to {beside} tasks beside those that run",
                each.join(", ")
            );
            if free.values().map(|&count| u64::from(count)).sum::<u64>() >= *beside {
                report.passed("room", "subnets", detail);
            } else {
                let help =
                    "free some, give the services larger subnets, or lower `rollout.maximum`";
                report.failed("room", "subnets", detail, help.to_owned());
            }
        }
    }

    async fn quota(&self, target: &Target, report: &mut Report) {
        let quota = match target.session.fargate_vcpus().await {
            Ok(quota) => quota,
            Err(error) => return not_asked(report, "quota of tasks", &error),
        };
        let detail = format!(
            "{quota} vCPUs on Fargate in {}; this environment takes up to {} in a deploy",
            target.session.region(),
            self.vcpus
        );
        if self.vcpus <= quota {
            report.passed("room", "quota of tasks", detail);
        } else {
            let help = format!(
                "ask for more: `aws service-quotas request-service-quota-increase --service-code fargate --quota-code L-3032A538 --desired-value {}`",
                self.vcpus.ceil()
            );
            report.failed("room", "quota of tasks", detail, help);
        }
    }
}

/// A no here says nothing about a deploy: it does not ask this.
fn not_asked(report: &mut Report, question: &str, error: &Error) {
    let help = (error.kind == Kind::Denied)
        .then(|| format!("to have it asked, allow `{}`", error.operation));
    report.push(
        "room",
        question,
        Answer::Unknown,
        format!("could not be asked: {error}"),
        help,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tasks_beside_those_that_run_are_counted_by_the_maximum() {
        let cases = [
            (2, Some(200), 2, 2.0),
            (4, Some(150), 2, 3.0),
            (1, Some(150), 0, 0.5),
            (3, None, 3, 3.0),
            (2, Some(100), 0, 1.0),
        ];
        for (desired, maximum, beside, vcpus) in cases {
            let mut room = Room::default();
            let live = Service {
                desired,
                subnets: vec!["subnet-2".to_owned(), "subnet-1".to_owned()],
                configuration: maximum.map(|maximum| json!({ "maximumPercent": maximum })),
                ..Service::default()
            };
            room.add(&live, Some(&json!({ "cpu": "512" })));
            let subnets = ["subnet-1", "subnet-2"].map(str::to_owned).into();
            assert_eq!(
                room,
                Room {
                    beside: BTreeMap::from([(subnets, beside)]),
                    vcpus
                },
                "{desired} at {maximum:?}"
            );
        }
    }
}
