//! `cais deploy` and `cais rollback`: move services to another revision without losing a request, and
//! tell the truth about it. The first Ctrl-C rolls back, the second detaches.

use super::build::{self, Which};
use super::elsewhere::AwsOptions;
use super::progress::Display;
use super::project::Project;
use super::verdict::{self, Answer};
use super::{Global, output, runtime, supervise, up};
use crate::control::{Apply, Conversation, Reply, Request, Until, Verdict, Wait};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use cais_model::name::ServiceName;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Roll services even when nothing about them changed
    #[arg(long)]
    pub(super) force: bool,
    /// Do not run build commands
    #[arg(long)]
    pub(super) no_build: bool,
    /// With -E: deploy the images that were pushed under this tag, instead of building
    #[arg(long, value_name = "TAG", hide = super::WITHOUT_AWS)]
    pub(super) tag: Option<String>,
    /// With -E: start from the task definitions that run, and change their images alone
    #[arg(long, hide = super::WITHOUT_AWS)]
    pub(super) image_only: bool,
    /// Only services that differ from this commit, branch or tag
    #[arg(long, value_name = "REVISION", conflicts_with = "services")]
    pub(super) changed_since: Option<String>,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) waiting: Waiting,
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) services: Vec<ServiceName>,
}

impl DeployArgs {
    /// The services that are named, or that changed (none stands for all); `None`, with a remark, where none did.
    pub(super) fn selected(&self, project: &Project) -> Outcome<Option<Vec<ServiceName>>> {
        let Some(revision) = &self.changed_since else {
            return Ok(Some(self.services.clone()));
        };
        let changed = super::ci::services_changed(project, revision)?;
        if changed.is_empty() {
            output::note(&format!("no service changed since `{revision}`"));
            return Ok(None);
        }
        Ok(Some(changed.into_iter().map(|it| it.service).collect()))
    }
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) waiting: Waiting,
    /// Which service; by default all that the newest deploy changed
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) service: Option<ServiceName>,
    /// Which revision; by default the newest completed one before the present
    #[arg(value_name = "REVISION", requires = "service")]
    pub(super) revision: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Waiting {
    /// Return as soon as the rollout is under way
    #[arg(long, conflicts_with = "timeout")]
    pub(super) no_wait: bool,
    /// Give up waiting after so long, as in 90s or 10m (exit code 4); the rollout goes on
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) timeout: Option<Duration>,
}

impl Waiting {
    fn wait(&self) -> Wait {
        let until = if self.no_wait {
            Until::Accepted
        } else {
            Until::Settled
        };
        let timeout_ms = self
            .timeout
            .map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        Wait { until, timeout_ms }
    }
}

pub(crate) async fn deploy(global: &Global, args: DeployArgs) -> Outcome {
    let project = Project::load(global)?;
    let runtime = runtime::choose(global, &project)?;
    let known = &project.loaded.stack.services;
    if let Some(name) = args.services.iter().find(|name| !known.contains_key(*name)) {
        return Err(project.unknown_service(name));
    }
    let Some(named) = args.selected(&project)? else {
        return Ok(());
    };
    supervise::refuse_same_name_elsewhere(&project).await?;
    let running = running(&project).await?;
    // What the named services depend on is left alone where it runs, and started where it does not.
    let mut services = up::selection(&project, &named)?;
    services.retain(|name| named.contains(name) || !running.contains(name));
    let which = if args.no_build {
        Which::None
    } else {
        Which::All
    };
    let images = match runtime {
        Runtime::Process => {
            build::run(&project, &services, which)?;
            BTreeMap::new()
        }
        Runtime::Docker => runtime::prepare_images(global, &project, &services, which).await?,
    };
    output::remark_loopback(&project.loaded.stack);
    let request = request(
        &project,
        runtime,
        images,
        services,
        args.force,
        args.waiting.wait(),
    );
    let conversation = supervise::talk_or_start(&project, &request).await?;
    conclude(global, &project, conversation, &named).await
}

/// Moves these services to what the file says, and leaves the others alone.
pub(super) fn request(
    project: &Project,
    runtime: Runtime,
    images: BTreeMap<ServiceName, String>,
    services: BTreeSet<ServiceName>,
    force: bool,
    wait: Wait,
) -> Request {
    Request::Apply(Box::new(Apply {
        release: project.release.clone(),
        variables: project.variables.clone(),
        runtime,
        images,
        remove_absent: false,
        services,
        scale: BTreeMap::new(),
        force,
        wait,
    }))
}

/// The services that the supervisor knows.
async fn running(project: &Project) -> Outcome<BTreeSet<ServiceName>> {
    match supervise::ask(&project.paths, &Request::Status).await? {
        Some(Reply::Status(snapshot)) => Ok(snapshot
            .services
            .into_iter()
            .map(|view| view.service)
            .collect()),
        _ => Ok(BTreeSet::new()),
    }
}

pub(crate) async fn rollback(global: &Global, args: RollbackArgs) -> Outcome {
    let project = Project::load(global)?;
    let named: Vec<ServiceName> = args.service.iter().cloned().collect();
    let request = Request::Rollback {
        service: args.service,
        revision: args.revision,
        wait: args.waiting.wait(),
    };
    let Some(conversation) = supervise::talk(&project.paths, &request).await? else {
        return Err(super::verbs::not_running(&project));
    };
    conclude(global, &project, conversation, &named).await
}

/// Follows to the end, through Ctrl-C, and tells how it ended.
async fn conclude(
    global: &Global,
    project: &Project,
    conversation: Conversation,
    named: &[ServiceName],
) -> Outcome {
    let mut display = Display::new(global);
    let mut interrupts = verdict::Interrupts::new()?;
    let followed = {
        let follow = verdict::follow(conversation, &mut display);
        tokio::pin!(follow);
        tokio::select! {
            answer = &mut follow => answer,
            () = interrupts.next() => {
                output::say("rolling back; Ctrl-C again leaves it to itself");
                let cancel = Request::Cancel {
                    services: named.iter().cloned().collect(),
                };
                supervise::ask(&project.paths, &cancel).await?;
                tokio::select! {
                    answer = &mut follow => answer,
                    () = interrupts.next() => {
                        let failure = Failure::new(Exit::Error, "detached; the rollback goes on without you");
                        Err(failure.help("see how it ends: `cais status`"))
                    }
                }
            }
        }
    };
    display.finish();
    let answer = followed?;
    if global.json() {
        output::print_json(&answer.services)?;
    } else {
        print_summary(&answer)?;
    }
    verdict::judge(project, &answer)
}

fn print_summary(answer: &Answer) -> Outcome {
    for result in &answer.services {
        let word = match (result.verdict, result.to) {
            (Verdict::Ok, None) => "unchanged",
            (Verdict::Ok, Some(_)) => "completed",
            (Verdict::Pending, _) => "under way",
            (Verdict::Failed, _) => "failed",
            (Verdict::RolledBack, _) => "rolled back",
            (Verdict::TimedOut, _) => "not ready in time",
            (Verdict::Superseded, _) => "superseded",
        };
        let revision = result
            .revision
            .map_or_else(String::new, |n| format!("revision {n}"));
        let took = result.rollout_ms.map_or_else(String::new, |ms| {
            format!("{:.1} s", Duration::from_millis(ms).as_secs_f32())
        });
        let line = format!("{:<14} {word:<18} {revision:<12} {took}", result.service);
        output::print(line.trim_end())?;
    }
    Ok(())
}
