//! A job that runs by the clock: when, and who is told of a run that failed.

use super::alarms::topics_of;
use super::{Plan, Planned, instance};
use crate::resource::Root;
use crate::value::{Value, foundation, map, output_of};

/// What its alarm is called.
const FAILURES: &str = "failures";

impl Plan<'_> {
    /// When it runs, and who is told where it fails.
    pub(super) fn schedule(&self, root: &mut Root, planned: &Planned<'_>) {
        let expression = planned.service.cloud.aws.schedule.as_ref();
        let iam = |output: &str| output_of(&format!("{}_iam", planned.id), output);
        let is_watched = self.is_watched(planned);
        let module = if is_watched {
            "watched_schedule"
        } else {
            "schedule"
        };
        let mut schedule = instance(module, planned, "schedule")
            .set("name", self.names.schedule(planned.name()))
            .set("role", self.names.schedule_role(planned.name()))
            .set("expression", expression.map_or("", |it| it.value.as_str()))
            .set("region", self.place.region.as_str())
            .set("cluster_arn", output_of("cluster", "arn"))
            .set(
                "task_family_arn",
                output_of(&format!("{}_task", planned.id), "family_arn"),
            )
            .set("execution_role_arn", iam("execution_role_arn"))
            .set("task_role_arn", iam("task_role_arn"))
            .set("subnet_ids", foundation("private_subnet_ids"))
            .set(
                "security_group_id",
                output_of(&format!("{}_security_group", planned.id), "id"),
            )
            .set("key_arn", foundation("key_arn"));
        if is_watched {
            schedule = schedule.set("failures_arn", output_of(&failures(planned), "arn"));
            self.failures(root, planned);
        }
        root.instances.push(schedule);
    }

    /// Is there somebody to tell, and no alarm of the file's own by this name?
    fn is_watched(&self, planned: &Planned<'_>) -> bool {
        !self.stack.cloud.notify.is_empty() && !planned.service.cloud.alarms.contains_key(FAILURES)
    }

    fn failures(&self, root: &mut Root, planned: &Planned<'_>) {
        root.instances.push(
            instance("job_failures", planned, FAILURES)
                .set("name", self.names.job_failures(planned.name()))
                .set(
                    "description",
                    format!("Runs of {} that failed", planned.name()),
                )
                .set("cluster_arn", output_of("cluster", "arn"))
                .set("family", self.names.task_family(planned.name()))
                .set("container", self.names.container(planned.name())),
        );
        root.instances.push(
            instance("alarm", planned, &format!("{FAILURES}_alarm"))
                .set("name", self.names.alarm(planned.name(), FAILURES))
                .set(
                    "description",
                    format!(
                        "{}: runs that failed in the last 12 hours above 0",
                        planned.name()
                    ),
                )
                .set("comparison", "GreaterThanThreshold")
                .set("threshold", 0_i64)
                .set("period", 60_i64)
                .set("datapoints_to_alarm", 1_i64)
                .set("evaluation_periods", 1_i64)
                .set("treat_missing_data", "notBreaching")
                .set("topic_arns", Value::List(topics_of(self.channels())))
                .set("namespace", "AWS/SQS")
                .set("metric", "ApproximateNumberOfMessagesVisible")
                .set("statistic", "Maximum")
                .set(
                    "dimensions",
                    map([("QueueName", output_of(&failures(planned), "name"))]),
                ),
        );
    }
}

fn failures(planned: &Planned<'_>) -> String {
    format!("{}_{FAILURES}", planned.id)
}
