//! `cais up`: builds, then brings the stack to what the file says. Without `-d` it streams the log and
//! Ctrl-C stops everything.

use super::build::{self, Which};
use super::progress::Display;
use super::project::Project;
use super::verdict::Interrupts;
use super::watch::Watch;
use super::{Global, down, logs, output, runtime, supervise, verdict};
use crate::control::{Apply, Reply, Request, Until, Wait};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use cais_engine::event::ExitStatus;
use cais_engine::view::ServiceView;
use cais_model::name::ServiceName;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Return when the tasks were started, instead of streaming their log
    #[arg(short, long)]
    detach: bool,
    /// Build even what was built before
    #[arg(long)]
    build: bool,
    /// Return when every service is healthy; implies -d
    #[arg(long)]
    wait: bool,
    /// Give up waiting after so many seconds (exit code 4)
    #[arg(long, value_name = "SECONDS")]
    wait_timeout: Option<u64>,
    /// Watch files and act on their changes, as `cais watch` does
    #[arg(short, long, conflicts_with_all = ["detach", "wait"])]
    watch: bool,
    /// Replace tasks even when nothing about them changed
    #[arg(long)]
    force_recreate: bool,
    /// Stop services that left the file, even when only some are named
    #[arg(long, env = "COMPOSE_REMOVE_ORPHANS", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    remove_orphans: bool,
    /// Tasks of a service, instead of the file's number
    #[arg(long, value_name = "SERVICE=N", value_parser = super::verbs::parse_scale)]
    scale: Vec<(ServiceName, u32)>,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    services: Vec<ServiceName>,
}

impl UpArgs {
    /// What `watch` begins with: everything built and running.
    pub(super) fn before_watching(services: &[ServiceName]) -> Self {
        Self {
            detach: true,
            build: true,
            wait: true,
            wait_timeout: None,
            watch: false,
            force_recreate: false,
            remove_orphans: false,
            scale: Vec::new(),
            services: services.to_vec(),
        }
    }
}

pub(crate) async fn run(global: &Global, args: UpArgs) -> Outcome {
    let project = Project::load(global)?;
    let runtime = runtime::choose(global, &project)?;
    let watch = if args.watch {
        Some(Watch::begin(global, &project, runtime, &args.services)?)
    } else {
        None
    };
    if project.loaded.stack.services.is_empty() {
        return Err(project.no_services());
    }
    let services = selection(&project, &args.services)?;
    for (service, _) in &args.scale {
        if !project.loaded.stack.services.contains_key(service) {
            return Err(project.unknown_service(service));
        }
    }
    supervise::refuse_same_name_elsewhere(&project).await?;
    // What is watched is what is built.
    let which = if args.build || args.watch {
        Which::All
    } else {
        Which::Missing
    };
    let images = match runtime {
        Runtime::Process => {
            build::run(&project, &services, which)?;
            BTreeMap::new()
        }
        Runtime::Docker => runtime::prepare_images(global, &project, &services, which).await?,
    };
    output::remark_loopback(&project.loaded.stack);

    let was_running = supervise::ask(&project.paths, &Request::Hello)
        .await?
        .is_some();
    let request = Request::Apply(Box::new(Apply {
        release: project.release.clone(),
        variables: project.variables.clone(),
        runtime,
        images,
        services,
        scale: args.scale.iter().cloned().collect(),
        force: args.force_recreate,
        remove_absent: args.remove_orphans || args.services.is_empty(),
        wait: Wait {
            until: if args.wait {
                Until::Settled
            } else {
                Until::Started
            },
            timeout_ms: args
                .wait_timeout
                .map(|seconds| seconds.saturating_mul(1000)),
        },
    }));
    let began = jiff::Timestamp::now();
    let mut display = Display::new(global);
    // From before the request is sent: until then Ctrl-C ends this command and nothing else.
    let mut interrupts = Interrupts::new()?;
    let results = {
        let conversation = supervise::talk_or_start(&project, &request).await?;
        tokio::select! {
            results = verdict::follow(conversation, &mut display) => results,
            () = interrupts.next() => {
                display.finish();
                let detached = args.detach || args.wait;
                return interrupted(&project, was_running, detached, &mut interrupts).await;
            }
        }
    };
    let is_attached = !(args.detach || args.wait);
    if is_attached && results.is_ok() {
        display.give_way();
    } else {
        display.finish();
    }
    let verdict = match results {
        Ok(answer) => verdict::judge(&project, &answer),
        Err(failure) => return Err(failure),
    };
    if !is_attached {
        return conclude(global, &project, was_running, verdict).await;
    }
    if let Err(failure) = verdict {
        output::print_failure(&failure, false);
    }
    let end = CancellationToken::new();
    let _end_watch = end.clone().drop_guard();
    if let Some(watch) = watch {
        watch.beside(end)?;
    }
    stream(global, &project, began, &mut interrupts).await
}

/// Prints where the stack can be reached, or takes a first `up` that failed back.
async fn conclude(
    global: &Global,
    project: &Project,
    was_running: bool,
    verdict: Outcome,
) -> Outcome {
    let Err(mut failure) = verdict else {
        return output::print_up(global, &snapshot(project).await?);
    };
    if !was_running && failure.exit != Exit::TimedOut {
        down::take_down(Display::new(global), project, false).await?;
        failure
            .message
            .push_str("; everything that this `up` started was stopped");
    }
    Err(failure)
}

/// Ctrl-C before the tasks were started.
async fn interrupted(
    project: &Project,
    was_running: bool,
    detached: bool,
    interrupts: &mut Interrupts,
) -> Outcome {
    if was_running && detached {
        return Err(
            Failure::new(Exit::Error, "interrupted; the stack goes on without you")
                .help("type `cais ps` to see it, `cais down` to stop it"),
        );
    }
    stop(project, interrupts).await?;
    Err(Failure::new(
        Exit::Error,
        "interrupted; everything was stopped",
    ))
}

/// Stops everything; another Ctrl-C kills.
async fn stop(project: &Project, interrupts: &mut Interrupts) -> Outcome {
    output::say("stopping everything; Ctrl-C again kills");
    tokio::select! {
        result = down::take_down(Display::plain(), project, false) => result,
        () = interrupts.next() => down::take_down(Display::plain(), project, true).await,
    }
}

/// Streams the log until Ctrl-C, then stops everything; a second Ctrl-C kills.
async fn stream(
    global: &Global,
    project: &Project,
    since: jiff::Timestamp,
    interrupts: &mut Interrupts,
) -> Outcome {
    output::print_up(global, &snapshot(project).await?)?;
    let end = CancellationToken::new();
    let log = logs::follow_all(global, project, since, end.clone());
    tokio::pin!(log);
    tokio::select! {
        result = &mut log => return result,
        () = supervisor_end(project) => {
            end.cancel();
            log.await?;
            // One that ends in good order takes its sockets along.
            if !project.paths.runtime.exists() {
                output::say("the stack was taken down");
                return Ok(());
            }
            return Err(Failure::new(Exit::Error, "the supervisor is gone; the tasks go on")
                .help("type `cais up -d` to adopt them, or `cais down` to stop them"));
        }
        ended = all_ended(project) => {
            let removed = down::take_down(Display::plain(), project, false).await;
            end.cancel();
            log.await?;
            return removed.and(ended);
        }
        () = interrupts.next() => {}
    }
    let stop = async {
        let stopped = stop(project, interrupts).await;
        end.cancel();
        stopped
    };
    // The log goes on meanwhile: a task's last words are part of it.
    let (stopped, logged) = tokio::join!(stop, log);
    stopped.and(logged)
}

/// Returns when every service has run to its end, as Docker Compose does; never while one is to run on.
async fn all_ended(project: &Project) -> Outcome {
    let follow = supervise::talk(&project.paths, &Request::Follow).await;
    if let Ok(Some(mut conversation)) = follow {
        loop {
            let Ok(snapshot) = snapshot(project).await else {
                break;
            };
            let services = snapshot.services;
            let is_over =
                |view: &ServiceView| view.completed.is_some() || view.stopped || view.desired == 0;
            if services.iter().any(|view| view.completed.is_some()) && services.iter().all(is_over)
            {
                return verdict_of_ends(&services);
            }
            match conversation.next().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }
    // What its end means is found out elsewhere.
    std::future::pending().await
}

fn verdict_of_ends(services: &[ServiceView]) -> Outcome {
    let failed = services.iter().find_map(|view| {
        let status = view
            .completed
            .filter(|status| *status != ExitStatus::Code(0))?;
        Some((&view.service, status))
    });
    match failed {
        None => Ok(()),
        Some((service, status)) => Err(Failure::new(
            Exit::Error,
            format!(
                "`{service}` ended with {}",
                crate::supervisor::ended(status)
            ),
        )),
    }
}

/// Returns when the supervisor's connection ends.
async fn supervisor_end(project: &Project) {
    if let Ok(Some(mut conversation)) = supervise::talk(&project.paths, &Request::Follow).await {
        while let Ok(Some(_)) = conversation.next().await {}
    }
}

pub(crate) async fn snapshot(project: &Project) -> Outcome<crate::control::Snapshot> {
    match supervise::ask(&project.paths, &Request::Status).await? {
        Some(Reply::Status(snapshot)) => Ok(*snapshot),
        _ => Err(Failure::new(Exit::Error, "the supervisor does not answer")),
    }
}

/// The named services and everything that they depend on; empty means all.
pub(crate) fn selection(
    project: &Project,
    named: &[ServiceName],
) -> Outcome<BTreeSet<ServiceName>> {
    let stack = &project.loaded.stack;
    let mut selected = BTreeSet::new();
    let mut open: Vec<ServiceName> = named.to_vec();
    while let Some(name) = open.pop() {
        let service = stack
            .services
            .get(&name)
            .ok_or_else(|| project.unknown_service(&name))?;
        if selected.insert(name) {
            open.extend(
                service
                    .depends_on
                    .keys()
                    .filter(|name| stack.services.contains_key(*name))
                    .cloned(),
            );
        }
    }
    Ok(selected)
}
