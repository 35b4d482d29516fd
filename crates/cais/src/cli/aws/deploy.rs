//! `cais deploy -E ENV`: images, task definitions, updates in dependency order, each deployment watched to its end, and
//! the truth about it. One deploy at a time: the lock is held from before the first change to after the last answer.

use super::definition::{self, Secrets};
use super::lock::Held;
use super::plan::{self, Plan, Wish};
use super::show::Display;
use super::summary::{self, Summary};
use super::wave::{self, Done, Patience};
use super::{Target, images, jobs};
use crate::cli::deploy::DeployArgs;
use crate::cli::verdict::Interrupts;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::outcome::Verdict;
use cais_aws::pace::Pace;
use cais_aws::service::Service;
use cais_model::name::{EnvironmentName, ServiceName};
use std::time::Duration;

/// A deploy that nobody bounds otherwise is watched for so long.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: DeployArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    target.accept_file()?;
    let Some(named) = args.selected(&target.project)? else {
        return Ok(());
    };
    let Some(named) = target.with_tasks(&named) else {
        return Ok(());
    };
    let services = changed_or_named(&target, &args, &named).await?;
    if services.is_empty() {
        output::note(&format!(
            "what changed is not deployed by itself: {}",
            named
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ));
        return Ok(());
    }
    target.confirm(global, "deploy")?;
    let held = Held::take(&target, "deploy", args.aws.no_lock).await?;
    let outcome = deploy(global, &target, &args, services).await;
    held.release(&target).await;
    outcome
}

/// What a person names has to be there; of what changed, a cache that AWS runs or a one-shot task is no ECS service. A
/// one-shot task that changed goes with the services that wait for it.
async fn changed_or_named(
    target: &Target,
    args: &DeployArgs,
    named: &[ServiceName],
) -> Outcome<Vec<(ServiceName, Service)>> {
    if args.changed_since.is_none() {
        return target.services(named).await;
    }
    let mut services = target.services(&[]).await?;
    services.retain(|(name, live)| {
        let waits_for_change = || {
            jobs::awaited(target, [(name, live)])
                .iter()
                .any(|(job, _)| named.contains(job))
        };
        named.contains(name) || waits_for_change()
    });
    Ok(services)
}

async fn deploy(
    global: &Global,
    target: &Target,
    args: &DeployArgs,
    services: Vec<(ServiceName, Service)>,
) -> Outcome {
    let mut names: Vec<_> = services.iter().map(|(name, _)| name.clone()).collect();
    let jobs = jobs::awaited(target, services.iter().map(|(name, live)| (name, live)));
    names.extend(jobs.into_iter().map(|(job, _)| job));
    // Until the first update is sent, Ctrl-C ends it here; after that a wave hears it.
    let prepared = async {
        let images = match &args.tag {
            Some(tag) => images::tagged(target, &names, tag).await?,
            None => images::built(target, &names, args.no_build).await?,
        };
        let wish = Wish {
            image_only: args.image_only,
            force: args.force,
            images,
            version: args.tag.clone(),
            secrets: if args.image_only {
                Secrets::new()
            } else {
                definition::secrets(target).await?
            },
        };
        let plan = plan::make(target, services, &wish).await?;
        Ok::<_, Failure>((plan, wish))
    };
    let mut interrupts = Interrupts::new()?;
    let (plan, wish) = tokio::select! {
        prepared = prepared => prepared?,
        () = interrupts.next() => {
            return Err(Failure::new(Exit::Error, "interrupted; no service was changed"));
        }
    };
    say(&plan);
    let mut summary = Summary::of(target);
    for (service, live) in &plan.unchanged {
        summary.unchanged(service, live);
    }
    let patience = Patience {
        timeout: args.waiting.timeout.unwrap_or(TIMEOUT),
        pace: args.aws.poll.map_or_else(Pace::default, Pace::every),
        wait: !args.waiting.no_wait,
    };
    let mut display = Display::new(global);
    tokio::select! {
        ran = jobs::run(target, &plan, &wish, args.aws.poll, &mut display) => ran?,
        () = interrupts.next() => {
            display.finish();
            return Err(Failure::new(Exit::Error, "interrupted; no service was changed")
                .help("a one-shot task that was started goes on to its end"));
        }
    }
    let mut waves = plan.waves.into_iter();
    for wave in waves.by_ref() {
        let done = wave::run(target, wave, &patience, &mut display, &mut interrupts).await?;
        let goes_on = done.iter().all(is_fine);
        done.iter().for_each(|one| summary.done(one));
        if !goes_on {
            break;
        }
    }
    for one in waves.flatten() {
        summary.not_begun(&one);
    }
    summary::print(global, target, &summary)?;
    summary.judge(target)
}

fn is_fine(done: &Done) -> bool {
    done.outcome
        .as_ref()
        .is_none_or(|outcome| outcome.verdict() == Verdict::Completed)
}

/// What is going to happen, before it does.
fn say(plan: &Plan) {
    for one in plan.waves.iter().flatten() {
        let what = match (&one.request, &one.image) {
            (Some(_), Some(image)) => format!("a new revision with {image}"),
            (Some(_), None) => "a new revision".to_owned(),
            (None, _) => "the same revision anew".to_owned(),
        };
        output::say(&format!("  {:<14} {} → {what}", one.service, one.from()));
    }
    let first_time: Vec<&str> = plan
        .waves
        .iter()
        .flatten()
        .filter(|one| !one.can_go_back)
        .map(|one| one.service.as_str())
        .collect();
    if !first_time.is_empty() {
        output::note(&format!(
            "no earlier deployment of {} completed, so ECS has nothing to roll back to: a failure leaves what fails",
            first_time.join(", ")
        ));
    }
}
