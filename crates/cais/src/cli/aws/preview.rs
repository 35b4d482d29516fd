//! `cais plan -E ENV`: what a deploy of the file as it is would change, service by service. Reads; builds, registers and
//! changes nothing. What a build would make is not known before it is made: the image that runs stands for it.

use super::definition::{self, Secrets};
use super::{Target, failure, images, jobs};
use crate::cli::plan::PlanArgs;
use crate::cli::{Global, output};
use crate::exit::Outcome;
use cais_aws::definition::differences;
use cais_aws::service::{Service, family_revision};
use cais_model::name::{EnvironmentName, ServiceName};
use serde::Serialize;

/// What would happen to one service or one-shot task.
#[derive(Debug, Serialize)]
struct Planned {
    service: ServiceName,
    action: Action,
    /// `family:revision` of what runs now.
    from: Option<String>,
    /// `path: live → file`.
    changes: Vec<String>,
    /// Is its image made by the deploy? Then it moves when the build makes another one.
    built: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Nothing, unless its build makes another image.
    Unchanged,
    /// It moves to a new revision.
    Roll,
    /// It runs to its end before what waits for it is moved.
    Run,
    /// It is in the file, and the infrastructure has no service for it yet.
    Missing,
}

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &PlanArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    target.accept_file()?;
    let services = target.services(&args.services).await?;
    let secrets = definition::secrets(&target).await?;
    let mut plan = Vec::new();
    let mut moved = Vec::new();
    for (service, live) in &services {
        let one = service_plan(&target, service, live, &secrets).await?;
        if one.action == Action::Roll {
            moved.push((service, live));
        }
        plan.push(one);
    }
    let jobs = jobs::awaited(&target, moved);
    plan.splice(
        0..0,
        jobs.into_iter().map(|(job, _)| run_before(&target, job)),
    );
    for service in target.selection(&args.services)? {
        if images::is_built(&target, &service)
            && !plan.iter().any(|one| one.service == service)
            && !is_job(&target, &service)
        {
            plan.push(missing(service));
        }
    }
    let differs = plan.iter().any(|one| one.action != Action::Unchanged);
    if global.json() {
        output::print_json(&plan)?;
    } else {
        target.show(global);
        plan.iter().try_for_each(print_one)?;
    }
    args.judge(differs)
}

async fn service_plan(
    target: &Target,
    name: &ServiceName,
    live: &Service,
    secrets: &Secrets,
) -> Outcome<Planned> {
    let running = target
        .session
        .definition(&live.definition)
        .await
        .map_err(failure)?;
    let wanted = definition::of_stack(target, name, None, &running, secrets)?;
    let changes = differences(&running, &wanted);
    Ok(Planned {
        service: name.clone(),
        action: if changes.is_empty() {
            Action::Unchanged
        } else {
            Action::Roll
        },
        from: Some(family_revision(&live.definition).to_owned()),
        changes,
        built: images::is_built(target, name),
    })
}

fn run_before(target: &Target, job: ServiceName) -> Planned {
    Planned {
        action: Action::Run,
        from: None,
        changes: Vec::new(),
        built: images::is_built(target, &job),
        service: job,
    }
}

fn missing(service: ServiceName) -> Planned {
    Planned {
        service,
        action: Action::Missing,
        from: None,
        changes: Vec::new(),
        built: true,
    }
}

/// Does some service wait for its end? Then it is a task definition, and no service.
fn is_job(target: &Target, name: &ServiceName) -> bool {
    use cais_model::stack::Condition::ServiceCompletedSuccessfully;
    target
        .project
        .loaded
        .stack
        .services
        .values()
        .any(|service| {
            service
                .depends_on
                .get(name)
                .is_some_and(|on| on.condition == ServiceCompletedSuccessfully)
        })
}

fn print_one(one: &Planned) -> Outcome {
    let (dim, green, yellow) = (output::DIM, output::GREEN, output::YELLOW);
    let from = one.from.as_deref().unwrap_or_default();
    let line = match one.action {
        Action::Unchanged if one.built => {
            format!("{dim}unchanged, {from}; moves when its build makes another image{dim:#}")
        }
        Action::Unchanged => format!("{dim}unchanged, {from}{dim:#}"),
        Action::Roll => format!("{yellow}moves{yellow:#} from {from} to a new revision"),
        Action::Run => {
            format!("{green}runs{green:#} to its end, before what waits for it is moved")
        }
        Action::Missing => format!(
            "{yellow}has no ECS service yet{yellow:#}: the infrastructure makes it, `cais infra terraform`"
        ),
    };
    output::print(&format!("{:<14} {line}", one.service))?;
    one.changes
        .iter()
        .try_for_each(|change| output::print(&format!("  {change}")))
}
