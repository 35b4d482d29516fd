//! `cais up`: builds, then brings the stack to what the file says. Without `-d` it streams the log and
//! Ctrl-C stops everything.

use super::progress::Display;
use super::project::Project;
use super::{Global, down, logs, output, supervise};
use crate::control::{Apply, Conversation, Reply, Request, ServiceResult, Until, Verdict, Wait};
use crate::exit::{Exit, Failure, Outcome};
use crate::supervisor::resolve;
use cais_model::name::ServiceName;
use cais_model::stack::Service;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

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
    /// Replace tasks even when nothing about them changed
    #[arg(long)]
    force_recreate: bool,
    /// Stop services that are no longer in the file
    #[arg(long)]
    remove_orphans: bool,
    /// Tasks of a service, instead of the file's number
    #[arg(long, value_name = "SERVICE=N", value_parser = super::verbs::parse_scale)]
    scale: Vec<(ServiceName, u32)>,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    services: Vec<ServiceName>,
}

pub(crate) async fn run(global: &Global, args: UpArgs) -> Outcome {
    let project = Project::load(global)?;
    project.check_runtime()?;
    let services = selection(&project, &args.services)?;
    for (service, _) in &args.scale {
        if !project.loaded.stack.services.contains_key(service) {
            return Err(unknown(&project, service));
        }
    }
    supervise::refuse_same_name_elsewhere(&project).await?;
    build(&project, &services, args.build)?;
    output::remark_loopback(&project.loaded.stack);

    let was_running = supervise::ask(&project.paths, &Request::Hello)
        .await?
        .is_some();
    let request = Request::Apply(Box::new(Apply {
        release: project.release.clone(),
        variables: project.variables.clone(),
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
    let mut display = Display::new(global);
    let results = {
        let conversation = supervise::talk_or_start(&project, &request).await?;
        tokio::select! {
            results = follow(conversation, &mut display) => results,
            _ = tokio::signal::ctrl_c() => {
                display.finish();
                return interrupted(global, &project, was_running, args.detach || args.wait).await;
            }
        }
    };
    display.finish();
    let verdict = match results {
        Ok(results) => judge(&project, &results),
        Err(failure) => return Err(failure),
    };
    if args.detach || args.wait {
        return conclude(global, &project, was_running, verdict).await;
    }
    if let Err(failure) = verdict {
        output::print_failure(&failure, false);
    }
    stream(global, &project).await
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
        down::take_down(global, project, false).await?;
        failure
            .message
            .push_str("; everything that this `up` started was stopped");
    }
    Err(failure)
}

/// Ctrl-C before the tasks were started.
async fn interrupted(
    global: &Global,
    project: &Project,
    was_running: bool,
    detached: bool,
) -> Outcome {
    if was_running && detached {
        return Err(
            Failure::new(Exit::Error, "interrupted; the stack goes on without you")
                .help("type `cais ps` to see it, `cais down` to stop it"),
        );
    }
    down::take_down(global, project, false).await?;
    Err(Failure::new(
        Exit::Error,
        "interrupted; everything was stopped",
    ))
}

/// Streams the log until Ctrl-C, then stops everything; a second Ctrl-C kills.
async fn stream(global: &Global, project: &Project) -> Outcome {
    output::print_up(global, &snapshot(project).await?)?;
    tokio::select! {
        result = logs::follow_all(global, project) => result?,
        () = supervisor_end(project) => return Err(Failure::new(Exit::Error, "the supervisor is gone; the tasks go on")
            .help("type `cais up -d` to adopt them, or `cais down` to stop them")),
        _ = tokio::signal::ctrl_c() => {}
    }
    output::say("stopping everything; Ctrl-C again kills");
    tokio::select! {
        result = down::take_down(global, project, false) => result,
        _ = tokio::signal::ctrl_c() => down::take_down(global, project, true).await,
    }
}

/// Returns when the supervisor's connection ends.
async fn supervisor_end(project: &Project) {
    if let Ok(Some(mut conversation)) = supervise::talk(&project.paths, &Request::Follow).await {
        while let Ok(Some(_)) = conversation.next().await {}
    }
}

/// Shows what happens until the request is answered.
pub(crate) async fn follow(
    mut conversation: Conversation,
    display: &mut Display,
) -> Outcome<Vec<ServiceResult>> {
    loop {
        match conversation.next().await? {
            Some(Reply::Done { services }) => return Ok(services),
            Some(Reply::Remark { text }) => display.remark(&text),
            Some(Reply::Notice(stamped)) => display.notice(&stamped),
            Some(_) => {}
            None => {
                return Err(
                    Failure::new(Exit::Error, "the supervisor ended before it answered")
                        .help("type the command again: it goes on where it was"),
                );
            }
        }
    }
}

/// The failure that the worst verdict stands for.
pub(crate) fn judge(project: &Project, results: &[ServiceResult]) -> Outcome {
    let having = |verdict: Verdict| results.iter().filter(move |r| r.verdict == verdict);
    let sentence = |what: &str, verdict: Verdict| {
        having(verdict)
            .map(|result| format!("`{}` {what}: {}", result.service, result.reason))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let first = |verdict: Verdict| having(verdict).next().map(|result| result.service.clone());
    if let Some(service) = first(Verdict::Failed) {
        output::print_last_lines(
            project,
            having(Verdict::Failed).map(|result| &result.service),
        );
        return Err(
            Failure::new(Exit::Error, sentence("failed", Verdict::Failed))
                .help(format!("see more of its log: `cais logs {service}`")),
        );
    }
    if let Some(service) = first(Verdict::RolledBack) {
        output::print_last_lines(
            project,
            having(Verdict::RolledBack).map(|result| &result.service),
        );
        return Err(Failure::new(
            Exit::RolledBack,
            sentence("was rolled back", Verdict::RolledBack),
        )
        .help(format!("see more of its log: `cais logs {service}`")));
    }
    if let Some(service) = first(Verdict::TimedOut) {
        return Err(Failure::new(
            Exit::TimedOut,
            sentence("was not ready in time", Verdict::TimedOut),
        )
        .help(format!(
            "it goes on in the background: `cais ps`, `cais logs {service}`"
        )));
    }
    Ok(())
}

async fn snapshot(project: &Project) -> Outcome<crate::control::Snapshot> {
    match supervise::ask(&project.paths, &Request::Status).await? {
        Some(Reply::Status(snapshot)) => Ok(*snapshot),
        _ => Err(Failure::new(Exit::Error, "the supervisor does not answer")),
    }
}

/// The named services and everything that they depend on; empty means all.
fn selection(project: &Project, named: &[ServiceName]) -> Outcome<BTreeSet<ServiceName>> {
    let stack = &project.loaded.stack;
    let mut selected = BTreeSet::new();
    let mut open: Vec<ServiceName> = named.to_vec();
    while let Some(name) = open.pop() {
        let service = stack
            .services
            .get(&name)
            .ok_or_else(|| unknown(project, &name))?;
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

fn unknown(project: &Project, name: &ServiceName) -> Failure {
    let list = project
        .loaded
        .stack
        .services
        .keys()
        .map(ServiceName::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    Failure::new(Exit::Usage, format!("no service `{name}` in the file"))
        .help(format!("its services are: {list}"))
}

/// Runs the build commands, each once, in name order: all of them with `--build`, otherwise those
/// whose program is missing.
fn build(project: &Project, selected: &BTreeSet<ServiceName>, all: bool) -> Outcome {
    let stack = &project.loaded.stack;
    let mut done: BTreeMap<&str, &ServiceName> = BTreeMap::new();
    for service in stack.services.values() {
        let Some(command) = service
            .process
            .as_ref()
            .and_then(|process| process.build.as_deref())
        else {
            continue;
        };
        if !selected.is_empty() && !selected.contains(&service.name) {
            continue;
        }
        if !all && !program_is_missing(project, service) {
            continue;
        }
        if done.insert(command, &service.name).is_none() {
            build_one(project, service, command)?;
        }
    }
    Ok(())
}

fn program_is_missing(project: &Project, service: &Service) -> bool {
    resolve::command_line(service).is_some_and(|argv| {
        let path = project.variables.get("PATH").map_or("", String::as_str);
        crate::supervisor::definition::find_program(&argv[0], &project.loaded.stack.directory, path)
            .is_none()
    })
}

fn build_one(project: &Project, service: &Service, command: &str) -> Outcome {
    let name = &service.name;
    output::say(&format!("building {name}: {command}"));
    let failed = |what: String| {
        Failure::new(
            Exit::Error,
            format!(
                "{}: the build of `{name}` {what}: `{command}`",
                service.position
            ),
        )
        .help(format!(
            "its output stands above; nothing was started. Try it alone: `{command}`"
        ))
    };
    // To standard error: standard output is for the command's own result.
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .current_dir(&project.loaded.stack.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .map_err(|error| failed(format!("could not be run ({error})")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(failed(format!("failed with exit code {code}"))),
        None => Err(failed("was killed".to_owned())),
    }
}
