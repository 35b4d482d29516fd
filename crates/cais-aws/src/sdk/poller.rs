//! Asks what a watch wants to know, with few calls: all deployments in one, and only where something went wrong the
//! tasks and their logs.

use super::error::{Error, Kind};
use super::session::Session;
use super::tasks::Which;
use crate::deployment::{Deployment, Status, StoppedTask};
use crate::watch::{Answer, Sight, Subject};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How often the services' events are read.
const EVENTS_EVERY: Duration = Duration::from_secs(15);
/// How often one service's stopped tasks may be looked at.
const TASKS_EVERY: Duration = Duration::from_secs(10);
/// Stopped tasks that are told with their logs at one look; the newest tell the most.
const TASKS_AT_A_LOOK: usize = 3;
/// A service whose deployment lacks tasks for so long is looked at even when no failure was counted.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// What is known of one watched service beside its deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The service's name as people call it.
    pub service: String,
    /// Its name in ECS.
    pub name: String,
    /// Its log group.
    pub group: String,
}

/// Asks AWS for a watch.
#[derive(Debug)]
pub struct Poller {
    session: Session,
    cluster: String,
    services: Vec<Watched>,
    began: Timestamp,
    events_asked: Option<Instant>,
    events_told: BTreeSet<String>,
    looks: BTreeMap<String, Look>,
    tasks_told: BTreeSet<String>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    failures: u32,
}

impl Poller {
    /// Asks about these services of a cluster; events and tasks from before `began` are not told.
    pub fn new(session: Session, cluster: &str, services: Vec<Watched>, began: Timestamp) -> Self {
        Self {
            session,
            cluster: cluster.to_owned(),
            services,
            began,
            events_asked: None,
            events_told: BTreeSet::new(),
            looks: BTreeMap::new(),
            tasks_told: BTreeSet::new(),
        }
    }

    /// One answer. Whatever is only for telling (events, tasks, logs) may fail without harm.
    pub async fn ask(&mut self, subjects: &[Subject]) -> Answer {
        match self.sight(subjects).await {
            Ok(sight) => Answer::Seen(sight),
            Err(error) => Answer::Trouble(error.trouble()),
        }
    }

    async fn sight(&mut self, subjects: &[Subject]) -> Result<Sight, Error> {
        let arns: Vec<String> = subjects.iter().map(|s| s.deployment.clone()).collect();
        let deployments = self.session.deployments(&arns).await?;
        let mut sight = Sight::default();
        for subject in subjects {
            let Some(seen) = deployments.iter().find(|d| d.arn == subject.deployment) else {
                continue;
            };
            if seen.status == Status::Stopped
                && let Some(newer) = self.newer(seen).await?
            {
                sight.newer.insert(seen.arn.clone(), newer);
            }
            if self.is_due(subject, seen) {
                match self.stopped(&subject.service).await {
                    Ok(tasks) => sight.stopped.extend(tasks),
                    Err(error) => sight.remarks.extend(self.untold(&subject.service, &error)),
                }
            }
        }
        sight.remarks.extend(self.remarks().await);
        sight.deployments = deployments;
        Ok(sight)
    }

    /// The deployment of the same service that was made after this one.
    async fn newer(&self, ours: &Deployment) -> Result<Option<String>, Error> {
        let listed = self
            .session
            .list_deployments(&self.cluster, &ours.service, 20)
            .await?;
        Ok(listed
            .into_iter()
            .find(|one| one.arn != ours.arn && one.created > ours.created)
            .map(|one| one.arn))
    }

    /// Are the service's stopped tasks worth a look now?
    fn is_due(&mut self, subject: &Subject, seen: &Deployment) -> bool {
        let failures = seen.breaker.as_ref().map_or(0, |b| b.failures);
        let goes_wrong = !matches!(seen.status, Status::Pending | Status::Successful);
        let now = Instant::now();
        let look = self.looks.entry(subject.service.clone()).or_insert(Look {
            at: now,
            failures: 0,
        });
        let more = failures > look.failures;
        let since = now.saturating_duration_since(look.at);
        let lacks = seen.target.running < seen.target.requested;
        // An ending is always looked at: there is no later chance.
        let due = (goes_wrong && more && (since >= TASKS_EVERY || look.failures == 0))
            || (seen.status.is_final() && seen.status != Status::Successful)
            || (seen.status == Status::InProgress && lacks && since >= STUCK_AFTER);
        if due {
            *look = Look { at: now, failures };
        }
        due
    }

    async fn stopped(&mut self, service: &str) -> Result<Vec<StoppedTask>, Error> {
        let Some(watched) = self
            .services
            .iter()
            .find(|one| one.service == service)
            .cloned()
        else {
            return Ok(Vec::new());
        };
        let tasks = self
            .session
            .tasks(&self.cluster, &watched.name, Which::Stopped)
            .await?;
        let new: Vec<_> = tasks
            .into_iter()
            .filter(|task| task.ended_unasked())
            .filter(|task| task.created.is_none_or(|created| created >= self.began))
            .filter(|task| !self.tasks_told.contains(&task.id))
            .collect();
        let mut told = Vec::new();
        for task in new.iter().rev().take(TASKS_AT_A_LOOK).rev() {
            self.tasks_told.insert(task.id.clone());
            let mut obituary = self
                .session
                .obituary(&watched.name, &watched.group, task)
                .await?;
            obituary.service.clone_from(&watched.service);
            told.push(obituary);
        }
        self.tasks_told.extend(new.into_iter().map(|task| task.id));
        Ok(told)
    }

    /// What ECS noted in the services' events since the watch began.
    async fn remarks(&mut self) -> Vec<(String, String)> {
        let now = Instant::now();
        if self
            .events_asked
            .is_some_and(|at| now.saturating_duration_since(at) < EVENTS_EVERY)
        {
            return Vec::new();
        }
        self.events_asked = Some(now);
        let names: Vec<String> = self.services.iter().map(|one| one.name.clone()).collect();
        let Ok(services) = self.session.services(&self.cluster, &names).await else {
            return Vec::new(); // the deployments were answered; events are only for telling
        };
        let mut remarks = Vec::new();
        for service in services {
            let called = self
                .services
                .iter()
                .find(|one| one.name == service.name)
                .map_or(service.name.as_str(), |one| one.service.as_str());
            for event in service.events.iter().rev() {
                if event.at.is_some_and(|at| at >= self.began)
                    && event.is_trouble()
                    && self.events_told.insert(event.id.clone())
                {
                    remarks.push((called.to_owned(), event.text.clone()));
                }
            }
        }
        remarks
    }

    /// Why tasks could not be told, said once a service.
    fn untold(&mut self, service: &str, error: &Error) -> Option<(String, String)> {
        let key = format!("untold {service}");
        (error.kind != Kind::Throttled && self.events_told.insert(key)).then(|| {
            (
                service.to_owned(),
                format!("its stopped tasks cannot be shown: {error}"),
            )
        })
    }
}
