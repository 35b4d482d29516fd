//! Tasks: what runs of a service, what ended and why, one-shot tasks to their end.

use super::ecs::instant;
use super::error::Error;
use super::session::Session;
use crate::deployment::{StoppedContainer, StoppedTask, short};
use crate::service::family_revision;
use crate::task::Task;
use aws_sdk_ecs::types as ecs;
use std::time::Duration;

/// So many tasks DescribeTasks takes at once.
const TASKS_AT_ONCE: usize = 100;
/// Lines of a stopped task's log that are shown with it.
pub const LAST_LINES: u32 = 10;

/// `awslogs-stream-prefix` of every task definition that cais renders.
const STREAM_PREFIX: &str = "task";

/// Which tasks of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that run or are about to.
    Running,
    /// Those that ended within the last hour.
    Stopped,
}

/// A one-shot task that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneShot {
    /// The cluster.
    pub cluster: String,
    /// The task definition's ARN.
    pub definition: String,
    /// Where it runs: subnets.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Said by ECS wherever the task is shown.
    pub started_by: String,
}

impl Session {
    /// The tasks of a service.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn tasks(
        &self,
        cluster: &str,
        service: &str,
        which: Which,
    ) -> Result<Vec<Task>, Error> {
        let client = self.ecs();
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let answer = client
                .list_tasks()
                .cluster(cluster)
                .service_name(service)
                .desired_status(match which {
                    Which::Running => ecs::DesiredStatus::Running,
                    Which::Stopped => ecs::DesiredStatus::Stopped,
                })
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::of("ecs:ListTasks", &error))?;
            arns.extend(answer.task_arns().iter().cloned());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        self.describe_tasks(cluster, &arns).await
    }

    /// These tasks, as far as ECS still knows them.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn describe_tasks(&self, cluster: &str, arns: &[String]) -> Result<Vec<Task>, Error> {
        let mut found = Vec::new();
        for some in arns.chunks(TASKS_AT_ONCE) {
            let answer = self
                .ecs()
                .describe_tasks()
                .cluster(cluster)
                .set_tasks(Some(some.to_vec()))
                .send()
                .await
                .map_err(|error| Error::of("ecs:DescribeTasks", &error))?;
            found.extend(answer.tasks().iter().map(task));
        }
        found.sort_by(|a: &Task, b| a.created.cmp(&b.created).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    /// What a task that ended is told with: its reason, its containers, the last lines of its log.
    ///
    /// # Errors
    /// AWS's no about the log; a log that does not exist is none.
    pub async fn obituary(
        &self,
        service: &str,
        group: &str,
        task: &Task,
    ) -> Result<StoppedTask, Error> {
        let mut lines = Vec::new();
        for container in &task.containers {
            let stream = format!("{STREAM_PREFIX}/{}/{}", container.name, task.id);
            lines.extend(self.last_lines(group, &stream, LAST_LINES).await?);
        }
        Ok(StoppedTask {
            service: service.to_owned(),
            task: task.id.clone(),
            definition: family_revision(&task.definition).to_owned(),
            code: task.stop_code.clone(),
            reason: task.stopped_reason.clone(),
            containers: task.containers.clone(),
            target: None,
            lines,
        })
    }

    /// Runs a task once; answers with its ARN.
    ///
    /// # Errors
    /// AWS's no; no room for it.
    pub async fn run_once(&self, shot: &OneShot) -> Result<String, Error> {
        const OPERATION: &str = "ecs:RunTask";
        let vpc = ecs::AwsVpcConfiguration::builder()
            .set_subnets(Some(shot.subnets.clone()))
            .set_security_groups(Some(shot.security_groups.clone()))
            .assign_public_ip(ecs::AssignPublicIp::Disabled)
            .build()
            .map_err(|error| Error::invalid(OPERATION, error.to_string()))?;
        let answer = self
            .ecs()
            .run_task()
            .cluster(&shot.cluster)
            .task_definition(&shot.definition)
            .launch_type(ecs::LaunchType::Fargate)
            .started_by(&shot.started_by)
            .network_configuration(
                ecs::NetworkConfiguration::builder()
                    .awsvpc_configuration(vpc)
                    .build(),
            )
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        if let Some(arn) = answer.tasks().first().and_then(ecs::Task::task_arn) {
            return Ok(arn.to_owned());
        }
        let why = answer.failures().first().map_or_else(
            || "the answer names no task".to_owned(),
            |failure| {
                format!(
                    "{} {}",
                    failure.reason().unwrap_or("no reason given"),
                    failure.detail().unwrap_or_default()
                )
            },
        );
        Err(Error::invalid(OPERATION, why.trim_end()))
    }

    /// Waits until a task has ended, at most so long. `None`: it has not.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn task_end(
        &self,
        cluster: &str,
        arn: &str,
        pause: Duration,
        timeout: Duration,
    ) -> Result<Option<Task>, Error> {
        let began = tokio::time::Instant::now();
        loop {
            let found = self.describe_tasks(cluster, &[arn.to_owned()]).await?;
            if let Some(task) = found.into_iter().find(|task| task.status == "STOPPED") {
                return Ok(Some(task));
            }
            if began.elapsed() + pause > timeout {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn task(one: &ecs::Task) -> Task {
    let detail = |name: &str| {
        one.attachments()
            .iter()
            .flat_map(|attachment| attachment.details())
            .find(|pair| pair.name() == Some(name))
            .and_then(|pair| pair.value().map(str::to_owned))
    };
    Task {
        id: short(one.task_arn().unwrap_or_default()).to_owned(),
        arn: one.task_arn().unwrap_or_default().to_owned(),
        definition: one.task_definition_arn().unwrap_or_default().to_owned(),
        status: one.last_status().unwrap_or_default().to_owned(),
        health: one
            .health_status()
            .map(|health| health.as_str().to_owned())
            .filter(|health| health != "UNKNOWN"),
        stop_code: one.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: one.stopped_reason().map(str::to_owned),
        zone: one.availability_zone().map(str::to_owned),
        address: detail("privateIPv4Address"),
        containers: one
            .containers()
            .iter()
            .map(|container| StoppedContainer {
                name: container.name().unwrap_or_default().to_owned(),
                exit_code: container.exit_code(),
                reason: container.reason().map(str::to_owned),
                health: container
                    .health_status()
                    .map(|health| health.as_str().to_owned())
                    .filter(|health| health != "UNKNOWN"),
            })
            .collect(),
        created: instant(one.created_at()),
        started: instant(one.started_at()),
        stopped: instant(one.stopped_at()),
    }
}
