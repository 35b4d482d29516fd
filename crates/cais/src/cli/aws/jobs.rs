//! One-shot tasks that services wait for (`depends_on` with `service_completed_successfully`): a migration runs to its
//! end, with the new image, before any service is moved. One that fails ends the deploy with nothing changed.

use super::definition::{self, Secrets};
use super::plan::{Plan, Wish};
use super::show::{self, Display};
use super::{Target, failure};
use crate::cli::output;
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::sdk::tasks::OneShot;
use cais_aws::service::{Service, family_revision};
use cais_aws::task::Task;
use cais_model::name::ServiceName;
use cais_model::stack::Condition;
use std::time::Duration;

/// A task that takes longer to be placed and to run is given up waiting for.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
const PAUSE: Duration = Duration::from_secs(3);

/// The one-shot tasks that these services wait for, each with a service that does.
pub(super) fn awaited<'s>(
    target: &Target,
    services: impl IntoIterator<Item = (&'s ServiceName, &'s Service)>,
) -> Vec<(ServiceName, Service)> {
    let stack = &target.project.loaded.stack;
    let mut jobs: Vec<(ServiceName, Service)> = Vec::new();
    for (name, live) in services {
        let Some(service) = stack.services.get(name) else {
            continue;
        };
        for (other, dependency) in &service.depends_on {
            let is_job = dependency.condition == Condition::ServiceCompletedSuccessfully;
            if is_job && !jobs.iter().any(|(job, _)| job == other) {
                jobs.push((other.clone(), live.clone()));
            }
        }
    }
    jobs
}

/// Runs those that services of the plan wait for, one after another.
pub(super) async fn run(
    target: &Target,
    plan: &Plan,
    wish: &Wish,
    poll: Option<Duration>,
    display: &mut Display,
) -> Outcome {
    let moved = plan.waves.iter().flatten();
    for (job, beside) in awaited(target, moved.map(|one| (&one.service, &one.live))) {
        one(target, &job, &beside, wish, poll, display).await?;
    }
    Ok(())
}

async fn one(
    target: &Target,
    job: &ServiceName,
    beside: &Service,
    wish: &Wish,
    poll: Option<Duration>,
    display: &mut Display,
) -> Outcome {
    let session = &target.session;
    let family = target.names.task_family(job.as_str());
    let live = session
        .definition(&family)
        .await
        .map_err(|error| failure(error).help(target.infrastructure_help()))?;
    let image = wish.images.get(job).map(String::as_str);
    let fetched;
    let secrets: &Secrets = if wish.image_only {
        fetched = definition::secrets(target).await?;
        &fetched
    } else {
        &wish.secrets
    };
    let request = definition::of_stack(target, job, image, &live, secrets)?;
    display.step(job.as_str(), "registering its task definition");
    let registered = session.register(&request).await.map_err(failure)?;
    let cluster = target.names.cluster();
    let shot = OneShot {
        cluster: cluster.clone(),
        definition: registered.clone(),
        // Where the service runs that waits for it: what it may reach, its migration may.
        subnets: beside.subnets.clone(),
        security_groups: beside.security_groups.clone(),
        started_by: "cais deploy".to_owned(),
    };
    let arn = session.run_once(&shot).await.map_err(failure)?;
    display.step(
        job.as_str(),
        &format!("running once, {}", family_revision(&registered)),
    );
    let pause = poll.unwrap_or(PAUSE);
    let ended = session
        .task_end(&cluster, &arn, pause, TIMEOUT)
        .await
        .map_err(failure)?;
    let Some(task) = ended else {
        return Err(Failure::new(
            Exit::TimedOut,
            format!("`{job}` has not ended; no service was moved"),
        )
        .help(format!(
            "it goes on: `cais logs -E {} {job}`",
            target.environment
        )));
    };
    if succeeded(&task) {
        display.step(job.as_str(), "ended with exit code 0");
        return Ok(());
    }
    let group = target.names.log_group(job.as_str());
    match session.obituary(job.as_str(), &group, &task).await {
        Ok(obituary) => show::obituary(&obituary)
            .iter()
            .for_each(|line| display.remark(line)),
        Err(error) => output::note(&format!("its log cannot be read: {error}")),
    }
    Err(
        Failure::new(Exit::Error, format!("`{job}` failed; no service was moved"))
            .help("correct it and deploy again; what it did before it failed is not undone"),
    )
}

/// Every container ran, and ended with 0.
fn succeeded(task: &Task) -> bool {
    !task.containers.is_empty()
        && task
            .containers
            .iter()
            .all(|container| container.exit_code == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cais_aws::deployment::StoppedContainer;

    #[test]
    fn a_container_that_never_ran_did_not_succeed() {
        let ended = |codes: &[Option<i32>]| Task {
            containers: codes
                .iter()
                .map(|code| StoppedContainer {
                    exit_code: *code,
                    ..StoppedContainer::default()
                })
                .collect(),
            ..Task::default()
        };
        assert!(succeeded(&ended(&[Some(0), Some(0)])));
        for codes in [&[][..], &[None], &[Some(0), None], &[Some(1)]] {
            assert!(!succeeded(&ended(codes)), "{codes:?}");
        }
    }
}
