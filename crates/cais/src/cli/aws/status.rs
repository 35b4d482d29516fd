//! `cais status` and `cais ps` of an environment on AWS: what runs, explained; what differs from the file.

use super::definition::{self, Secrets};
use super::history::at;
use super::show::styled;
use super::{Target, failure};
use crate::cli::ps::PsArgs;
use crate::cli::status::StatusArgs;
use crate::cli::{Global, output};
use crate::exit::Outcome;
use cais_aws::definition::differences;
use cais_aws::deployment::{Deployment, Status};
use cais_aws::outcome;
use cais_aws::sdk::tasks::Which;
use cais_aws::service::{Service, family_revision};
use cais_aws::task::Task;
use cais_model::name::{EnvironmentName, ServiceName};
use serde::Serialize;

/// Events of trouble that `status` shows of a service.
const EVENTS_SHOWN: usize = 3;

/// One service, as `status --json` prints it.
#[derive(Debug, Serialize)]
struct View {
    name: ServiceName,
    service: Service,
    deployment: Option<Deployment>,
    tasks: Vec<Task>,
    targets: Vec<cais_aws::sdk::targets::Target>,
    /// What the file has otherwise than the task definition that runs: `path: live → file`.
    drift: Vec<String>,
}

pub(super) async fn status(global: &Global, name: &EnvironmentName, args: &StatusArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let services = target.services(&args.services).await?;
    // Who may not list secrets sees the state all the same, without what differs.
    let secrets = definition::secrets(&target).await.ok();
    let mut views = Vec::new();
    for (service, live) in services {
        let drift = match &secrets {
            Some(secrets) => drift(&target, &service, &live, secrets).await?,
            None => Vec::new(),
        };
        let mut view = view(&target, service, live).await?;
        view.drift = drift;
        views.push(view);
    }
    if global.json() {
        return output::print_json(&views);
    }
    target.show(global);
    if let Ok(Some(holder)) = target
        .session
        .lock_holder(
            &target.names.state_bucket(&target.identity.account),
            &target.names.lock_key(),
        )
        .await
    {
        output::note(&format!(
            "locked by {} for {} since {}",
            holder.owner,
            holder.reason,
            at(holder.since)
        ));
    }
    views.iter().try_for_each(print_view)
}

async fn view(target: &Target, name: ServiceName, live: Service) -> Outcome<View> {
    let cluster = target.names.cluster();
    let session = &target.session;
    let deployment = match &live.current_deployment {
        Some(arn) => session
            .deployments(std::slice::from_ref(arn))
            .await
            .map_err(failure)?
            .pop(),
        None => None,
    };
    let tasks = session
        .tasks(&cluster, &live.name, Which::Running)
        .await
        .map_err(failure)?;
    let mut targets = Vec::new();
    for group in &live.target_groups {
        targets.extend(session.targets(group).await.map_err(failure)?);
    }
    Ok(View {
        name,
        service: live,
        deployment,
        tasks,
        targets,
        drift: Vec::new(),
    })
}

/// What a deploy of the file as it is would change about the running definition, its image aside.
async fn drift(
    target: &Target,
    name: &ServiceName,
    live: &Service,
    secrets: &Secrets,
) -> Outcome<Vec<String>> {
    let running = target
        .session
        .definition(&live.definition)
        .await
        .map_err(failure)?;
    Ok(
        match definition::of_stack(target, name, None, &running, secrets) {
            Ok(wanted) => differences(&running, &wanted),
            Err(failure) => vec![failure.message],
        },
    )
}

fn print_view(view: &View) -> Outcome {
    let service = &view.service;
    let (bold, dim, yellow) = (output::BOLD, output::DIM, output::YELLOW);
    output::print(&format!(
        "\n{bold}{}{bold:#}  {}, {} of {} tasks run{}",
        view.name,
        family_revision(&service.definition),
        service.running,
        service.desired,
        match service.pending {
            0 => String::new(),
            pending => format!(", {pending} on their way"),
        }
    ))?;
    if let Some(deployment) = &view.deployment {
        let why = match outcome::Outcome::of(deployment, None) {
            Some(outcome) => outcome.reason(),
            None => deployment.reason.clone().unwrap_or_default(),
        };
        let because = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        output::print(&format!(
            "  last deployment {}{because}{}",
            styled(&deployment.status),
            deployment
                .created
                .map_or_else(String::new, |created| format!(
                    " {dim}since {}{dim:#}",
                    at(created)
                ))
        ))?;
        if let (Some(breaker), Status::InProgress) = (&deployment.breaker, &deployment.status) {
            output::print(&format!(
                "  {} of {} failures until the breaker",
                breaker.failures, breaker.threshold
            ))?;
        }
    }
    for line in &view.drift {
        output::print(&format!(
            "  {yellow}differs from the file{yellow:#}: {line}"
        ))?;
    }
    for one in view.targets.iter().filter(|one| one.state != "healthy") {
        output::print(&format!(
            "  {yellow}target {} is {}{yellow:#}{}",
            one.address,
            one.state,
            one.reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"))
        ))?;
    }
    for task in view
        .tasks
        .iter()
        .filter(|task| task.health.as_deref() == Some("UNHEALTHY"))
    {
        output::print(&format!(
            "  {yellow}task {} is unhealthy{yellow:#}",
            task.id
        ))?;
    }
    let trouble = service.events.iter().filter(|event| event.is_trouble());
    for event in trouble.take(EVENTS_SHOWN) {
        output::print(&format!(
            "  {dim}{}{dim:#} {}",
            event.at.map_or_else(String::new, at),
            event.text
        ))?;
    }
    Ok(())
}

/// One task, as `ps --json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    service: ServiceName,
    task: String,
    /// `family:revision`.
    revision: String,
    status: String,
    health: Option<String>,
    address: Option<String>,
    zone: Option<String>,
    since: Option<jiff::Timestamp>,
    reason: Option<String>,
}

pub(super) async fn ps(global: &Global, name: &EnvironmentName, args: &PsArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let cluster = target.names.cluster();
    let mut rows = Vec::new();
    for (service, live) in target.services(&args.names).await? {
        if args.services {
            output::print(service.as_str())?;
            continue;
        }
        let session = &target.session;
        let mut tasks = session
            .tasks(&cluster, &live.name, Which::Running)
            .await
            .map_err(failure)?;
        if args.all {
            tasks.extend(
                session
                    .tasks(&cluster, &live.name, Which::Stopped)
                    .await
                    .map_err(failure)?,
            );
        }
        rows.extend(tasks.into_iter().map(|task| Row {
            service: service.clone(),
            revision: family_revision(&task.definition).to_owned(),
            task: task.id,
            status: task.status,
            health: task.health,
            address: task.address,
            zone: task.zone,
            since: task.started.or(task.created),
            reason: task.stopped_reason,
        }));
    }
    if args.services {
        return Ok(());
    }
    if args.quiet {
        return rows.iter().try_for_each(|row| output::print(&row.task));
    }
    if global.json() {
        return output::print_json(&rows);
    }
    target.show(global);
    let mut table = output::new_table(&[
        "SERVICE",
        "TASK",
        "REVISION",
        "STATUS",
        "HEALTH",
        "ADDRESS",
        "ZONE",
        "SINCE (UTC)",
    ]);
    for row in &rows {
        table.add_row([
            row.service.to_string(),
            row.task.clone(),
            row.revision.clone(),
            row.status.clone(),
            row.health.clone().unwrap_or_default(),
            row.address.clone().unwrap_or_default(),
            row.zone.clone().unwrap_or_default(),
            row.since.map_or_else(String::new, at),
        ]);
    }
    output::print_table(&table)
}
