//! Services, their deployments and revisions in ECS.

use super::definitions::to_json;
use super::error::Error;
use super::session::Session;
use crate::definition::UpdateRequest;
use crate::deployment::{Breaker, Deployment, Rollback, Status, Tasks, short};
use crate::service::{Service, ServiceEvent};
use aws_sdk_ecs::types as ecs;
use aws_smithy_json::codec::JsonCodec;
use aws_smithy_schema::codec::Codec;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many services DescribeServices takes at once.
const SERVICES_AT_ONCE: usize = 10;
/// So many deployments or revisions their Describe calls take at once.
const DEPLOYMENTS_AT_ONCE: usize = 20;
/// UpdateService answers before its deployment can be listed.
const DEPLOYMENT_APPEARS_WITHIN: Duration = Duration::from_secs(30);

/// A deployment in a list: what `history` shows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Listed {
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: Status,
    /// ECS's reason.
    pub reason: Option<String>,
    /// The service revision it brings.
    pub revision: Option<String>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// What a service revision holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Revision {
    /// Its ARN.
    pub arn: String,
    /// The task definition's ARN.
    pub definition: String,
    /// The images that run, with their digests where ECS resolved them.
    pub images: Vec<String>,
}

impl Session {
    /// Is the cluster there, and active?
    ///
    /// # Errors
    /// AWS's no, or there is no such cluster.
    pub async fn cluster(&self, name: &str) -> Result<String, Error> {
        const OPERATION: &str = "ecs:DescribeClusters";
        let answer = self
            .ecs()
            .describe_clusters()
            .clusters(name)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        answer
            .clusters()
            .iter()
            .find(|cluster| cluster.status() == Some("ACTIVE"))
            .and_then(|cluster| cluster.cluster_arn().map(str::to_owned))
            .ok_or_else(|| {
                Error::not_found(OPERATION, format!("there is no active cluster `{name}`"))
            })
    }

    /// The services of these names that exist; those that do not are left out.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn services(&self, cluster: &str, names: &[String]) -> Result<Vec<Service>, Error> {
        let mut found = Vec::new();
        for some in names.chunks(SERVICES_AT_ONCE) {
            let answer = self
                .ecs()
                .describe_services()
                .cluster(cluster)
                .set_services(Some(some.to_vec()))
                .send()
                .await
                .map_err(|error| Error::of("ecs:DescribeServices", &error))?;
            found.extend(
                answer
                    .services()
                    .iter()
                    .filter(|service| service.status() != Some("INACTIVE"))
                    .map(service),
            );
        }
        Ok(found)
    }

    /// The deployments of these ARNs that ECS knows.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn deployments(&self, arns: &[String]) -> Result<Vec<Deployment>, Error> {
        let mut found = Vec::new();
        for some in arns.chunks(DEPLOYMENTS_AT_ONCE) {
            let answer = self
                .ecs()
                .describe_service_deployments()
                .set_service_deployment_arns(Some(some.to_vec()))
                .send()
                .await
                .map_err(|error| Error::of("ecs:DescribeServiceDeployments", &error))?;
            found.extend(answer.service_deployments().iter().map(deployment));
        }
        Ok(found)
    }

    /// The newest deployments of a service, newest first; at most `limit`.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn list_deployments(
        &self,
        cluster: &str,
        service: &str,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        let mut found: Vec<Listed> = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ecs()
                .list_service_deployments()
                .cluster(cluster)
                .service(service)
                .max_results(i32::try_from(limit.min(100)).unwrap_or(100))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::of("ecs:ListServiceDeployments", &error))?;
            found.extend(answer.service_deployments().iter().map(|one| Listed {
                arn: one.service_deployment_arn().unwrap_or_default().to_owned(),
                status: status(one.status()),
                reason: one.status_reason().map(str::to_owned),
                revision: one.target_service_revision_arn().map(str::to_owned),
                created: instant(one.created_at()),
                finished: instant(one.finished_at()),
            }));
            token = answer.next_token().map(str::to_owned);
            if token.is_none() || found.len() >= limit {
                break;
            }
        }
        found.sort_by_key(|one| std::cmp::Reverse(one.created));
        found.truncate(limit);
        Ok(found)
    }

    /// What these service revisions hold, by ARN.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn revisions(&self, arns: &[String]) -> Result<BTreeMap<String, Revision>, Error> {
        let mut found = BTreeMap::new();
        for some in arns.chunks(DEPLOYMENTS_AT_ONCE) {
            let answer = self
                .ecs()
                .describe_service_revisions()
                .set_service_revision_arns(Some(some.to_vec()))
                .send()
                .await
                .map_err(|error| Error::of("ecs:DescribeServiceRevisions", &error))?;
            for one in answer.service_revisions() {
                let arn = one.service_revision_arn().unwrap_or_default().to_owned();
                let images = one
                    .container_images()
                    .iter()
                    .map(|image| {
                        let name = image.image().unwrap_or_default();
                        match image.image_digest() {
                            Some(digest) if !name.contains('@') => format!("{name}@{digest}"),
                            Some(_) | None => name.to_owned(),
                        }
                    })
                    .collect();
                found.insert(
                    arn.clone(),
                    Revision {
                        arn,
                        definition: one.task_definition().unwrap_or_default().to_owned(),
                        images,
                    },
                );
            }
        }
        Ok(found)
    }

    /// Moves a service to a task definition and answers with the ARN of *this* deployment. `before` is what the
    /// service was when it was asked last.
    ///
    /// # Errors
    /// AWS's no, or no deployment that appears.
    pub async fn update(&self, request: &UpdateRequest, before: &Service) -> Result<String, Error> {
        const OPERATION: &str = "ecs:UpdateService";
        let known = self
            .list_deployments(&request.cluster, &request.service, 20)
            .await?;
        let configuration = request
            .configuration
            .as_ref()
            .map(|value| {
                let text = value.to_string();
                let codec = JsonCodec::default();
                let mut reader = codec.create_deserializer(text.as_bytes());
                ecs::DeploymentConfiguration::deserialize(&mut reader)
                    .map_err(|error| Error::invalid(OPERATION, error.to_string()))
            })
            .transpose()?;
        let answer = self
            .ecs()
            .update_service()
            .cluster(&request.cluster)
            .service(&request.service)
            .set_task_definition(request.definition.clone())
            .set_desired_count(request.desired)
            .set_deployment_configuration(configuration)
            .set_force_new_deployment(request.force.then_some(true))
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        let is_new = |arn: &str| {
            before.current_deployment.as_deref() != Some(arn)
                && !known.iter().any(|listed| listed.arn == arn)
        };
        let named = answer
            .service()
            .and_then(ecs::Service::current_service_deployment);
        if let Some(arn) = named.filter(|arn| is_new(arn)) {
            return Ok(arn.to_owned());
        }
        self.appeared(request, &is_new).await
    }

    /// The deployment that an update made, found in the list: the answer does not always name it.
    async fn appeared(
        &self,
        request: &UpdateRequest,
        is_new: &dyn Fn(&str) -> bool,
    ) -> Result<String, Error> {
        let began = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(500);
        while began.elapsed() < DEPLOYMENT_APPEARS_WITHIN {
            let listed = self
                .list_deployments(&request.cluster, &request.service, 20)
                .await?;
            // The oldest of the new ones: whoever updates right after us makes a newer one.
            if let Some(ours) = listed.iter().rev().find(|one| is_new(&one.arn)) {
                return Ok(ours.arn.clone());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
        Err(Error::not_found(
            "ecs:ListServiceDeployments",
            format!(
                "the service `{}` was updated, but no new deployment of it appears",
                request.service
            ),
        ))
    }

    /// Asks ECS to take a deployment back. `false`: it had ended before.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn roll_back(&self, deployment: &str) -> Result<bool, Error> {
        let answer = self
            .ecs()
            .stop_service_deployment()
            .service_deployment_arn(deployment)
            .stop_type(ecs::StopServiceDeploymentStopType::Rollback)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = Error::of("ecs:StopServiceDeployment", &error);
                if error.kind == super::Kind::Conflict {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Sets how many tasks a service wants.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn set_desired(&self, cluster: &str, service: &str, count: u32) -> Result<(), Error> {
        self.ecs()
            .update_service()
            .cluster(cluster)
            .service(service)
            .desired_count(i32::try_from(count).unwrap_or(i32::MAX))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Error::of("ecs:UpdateService", &error))
    }
}

pub(super) fn instant(at: Option<&aws_smithy_types::DateTime>) -> Option<Timestamp> {
    Timestamp::from_millisecond(at?.to_millis().ok()?).ok()
}

pub(super) fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

fn status(status: Option<&ecs::ServiceDeploymentStatus>) -> Status {
    Status::parse(status.map_or("UNKNOWN", ecs::ServiceDeploymentStatus::as_str))
}

fn summary(one: &ecs::ServiceRevisionSummary) -> Tasks {
    Tasks {
        requested: count(one.requested_task_count()),
        running: count(one.running_task_count()),
        pending: count(one.pending_task_count()),
    }
}

fn deployment(one: &ecs::ServiceDeployment) -> Deployment {
    let replaced =
        one.source_service_revisions()
            .iter()
            .map(summary)
            .fold(Tasks::default(), |sum, tasks| Tasks {
                requested: sum.requested + tasks.requested,
                running: sum.running + tasks.running,
                pending: sum.pending + tasks.pending,
            });
    let target = one.target_service_revision();
    let triggered = ecs::ServiceDeploymentRollbackMonitorsStatus::Triggered;
    Deployment {
        arn: one.service_deployment_arn().unwrap_or_default().to_owned(),
        service: one.service_arn().unwrap_or_default().to_owned(),
        status: status(one.status()),
        reason: one.status_reason().map(str::to_owned),
        revision: target.and_then(|t| t.arn().map(str::to_owned)),
        target: target.map(summary).unwrap_or_default(),
        replaced,
        breaker: one.deployment_circuit_breaker().map(|breaker| Breaker {
            triggered: breaker.status() == Some(&triggered),
            failures: count(breaker.failure_count()),
            threshold: count(breaker.threshold()),
        }),
        alarms: one
            .alarms()
            .map(|alarms| alarms.triggered_alarm_names().to_vec())
            .unwrap_or_default(),
        rollback: one.rollback().map(|rollback| Rollback {
            reason: rollback.reason().map(str::to_owned),
            revision: rollback.service_revision_arn().map(str::to_owned),
        }),
        stage: one.lifecycle_stage().map(|stage| stage.as_str().to_owned()),
        created: instant(one.created_at()),
        started: instant(one.started_at()),
        finished: instant(one.finished_at()),
    }
}

fn service(one: &ecs::Service) -> Service {
    Service {
        name: one
            .service_name()
            .unwrap_or_else(|| short(one.service_arn().unwrap_or_default()))
            .to_owned(),
        arn: one.service_arn().unwrap_or_default().to_owned(),
        status: one.status().unwrap_or_default().to_owned(),
        definition: one.task_definition().unwrap_or_default().to_owned(),
        desired: count(one.desired_count()),
        running: count(one.running_count()),
        pending: count(one.pending_count()),
        current_deployment: one.current_service_deployment().map(str::to_owned),
        current_revision: one
            .current_service_revisions()
            .iter()
            .find_map(|revision| revision.arn().map(str::to_owned)),
        target_groups: one
            .load_balancers()
            .iter()
            .filter_map(|lb| lb.target_group_arn().map(str::to_owned))
            .collect(),
        subnets: one
            .network_configuration()
            .and_then(|network| network.awsvpc_configuration())
            .map(|vpc| vpc.subnets().to_vec())
            .unwrap_or_default(),
        security_groups: one
            .network_configuration()
            .and_then(|network| network.awsvpc_configuration())
            .map(|vpc| vpc.security_groups().to_vec())
            .unwrap_or_default(),
        breaker: one
            .deployment_configuration()
            .and_then(|configuration| configuration.deployment_circuit_breaker())
            .is_some_and(|breaker| breaker.enable() && breaker.rollback()),
        configuration: one
            .deployment_configuration()
            .and_then(|configuration| to_json("ecs:DescribeServices", configuration).ok()),
        exec: one.enable_execute_command(),
        events: one
            .events()
            .iter()
            .map(|event| ServiceEvent {
                id: event.id().unwrap_or_default().to_owned(),
                at: instant(event.created_at()),
                text: event.message().unwrap_or_default().to_owned(),
            })
            .collect(),
        created: instant(one.created_at()),
    }
}
