//! `cais ps`: services and their tasks, from the supervisor, or from the journal where none runs.

use super::project::Project;
use super::{Global, output, supervise};
use crate::control::{Endpoints, Reply, Request, Snapshot};
use crate::exit::Outcome;
use crate::store::Journal;
use crate::supervisor::clock::Clock;
use crate::supervisor::{ended, journal_failure};
use cais_engine::notice::{TaskHealth, TaskPhase};
use cais_engine::view::{ServiceView, TaskView};
use cais_model::name::ServiceName;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Print only task names
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print only names of services
    #[arg(long)]
    pub(super) services: bool,
    /// Tasks that ended, too
    #[arg(short, long)]
    pub(super) all: bool,
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) names: Vec<ServiceName>,
}

/// One line of `ps`, and one object of `ps --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    name: String,
    service: ServiceName,
    task: u64,
    revision: u32,
    state: TaskPhase,
    health: TaskHealth,
    pid: Option<u32>,
    /// Its container's name, where it is one.
    container: Option<String>,
    /// Seconds since its process started.
    uptime_seconds: Option<u64>,
    /// Why it is as it is, where that is worth saying.
    reason: Option<String>,
    /// How it ended.
    exit: Option<String>,
    /// Where its service is reached from outside.
    published: Vec<String>,
    /// Where other services reach its service.
    internal: Vec<String>,
    /// Container port to the task's own.
    ports: BTreeMap<u16, u16>,
}

pub(crate) async fn run(global: &Global, args: PsArgs) -> Outcome {
    let project = Project::load(global)?;
    let mut snapshot = snapshot(&project).await?;
    for name in &args.names {
        let is_known = project.loaded.stack.services.contains_key(name)
            || snapshot.services.iter().any(|view| &view.service == name);
        if !is_known {
            return Err(project.unknown_service(name));
        }
    }
    snapshot
        .services
        .retain(|view| args.names.is_empty() || args.names.contains(&view.service));
    if !args.all {
        for view in &mut snapshot.services {
            view.tasks.retain(|task| task.phase != TaskPhase::Stopped);
        }
    }
    if args.services {
        let names: Vec<String> = snapshot
            .services
            .iter()
            .map(|view| view.service.to_string())
            .collect();
        return if global.json() {
            output::print_json(&names)
        } else {
            output::print(&names.join("\n"))
        };
    }
    let rows = rows(&snapshot);
    if global.json() {
        return output::print_json(&rows);
    }
    if args.quiet {
        return output::print(
            &rows
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    print_table(&snapshot, &rows)?;
    if snapshot.supervisor.is_none() && !rows.is_empty() {
        output::note(
            "the supervisor is gone; what is shown is what it last knew. `cais up -d` adopts the tasks",
        );
    }
    if let Some(fault) = &snapshot.fault {
        output::note(&format!("decisions wait: {fault}"));
    }
    Ok(())
}

/// From the supervisor, or from the journal where none runs.
pub(crate) async fn snapshot(project: &Project) -> Outcome<Snapshot> {
    match supervise::ask(&project.paths, &Request::Status).await? {
        Some(Reply::Status(snapshot)) => Ok(*snapshot),
        _ => from_journal(project),
    }
}

/// What the journal knows while nobody supervises.
fn from_journal(project: &Project) -> Outcome<Snapshot> {
    let mut snapshot = Snapshot {
        project: project.name().to_owned(),
        directory: project.release.directory.clone(),
        runtime: super::runtime::running(project)?.unwrap_or_default(),
        supervisor: None,
        gateway: None,
        now_ms: 0,
        at_ms: 0,
        fault: None,
        services: Vec::new(),
        endpoints: BTreeMap::new(),
        skipped: BTreeMap::new(),
    };
    if let Some(journal) = Journal::look(&project.paths.journal()).map_err(journal_failure)? {
        snapshot.services = cais_engine::state::views(&journal.state().map_err(journal_failure)?);
        snapshot.now_ms = Clock::look(&journal).map_err(journal_failure)?.now().0;
    }
    Ok(snapshot)
}

/// One row a task.
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<Row> {
    let none = Endpoints::default();
    snapshot
        .services
        .iter()
        .flat_map(|view| {
            let endpoints = snapshot.endpoints.get(&view.service).unwrap_or(&none);
            view.tasks
                .iter()
                .map(move |task| row(view, task, endpoints, snapshot.now_ms))
        })
        .collect()
}

fn row(view: &ServiceView, task: &TaskView, endpoints: &Endpoints, now_ms: u64) -> Row {
    let endpoint = endpoints.tasks.get(&task.task.0);
    Row {
        name: format!("{}-{}", view.service, task.task),
        service: view.service.clone(),
        task: task.task.0,
        revision: task.revision.0,
        state: task.phase,
        health: task.health,
        pid: endpoint.and_then(|endpoint| endpoint.pid),
        container: endpoint.and_then(|endpoint| endpoint.container.clone()),
        uptime_seconds: task
            .started_at
            .filter(|_| task.phase != TaskPhase::Stopped)
            .map(|at| now_ms.saturating_sub(at.0) / 1000),
        reason: task.reason.clone(),
        exit: task.exit.map(ended),
        published: endpoints.published.clone(),
        internal: endpoints.internal.clone(),
        ports: endpoint
            .map(|endpoint| endpoint.ports.clone())
            .unwrap_or_default(),
    }
}

fn print_table(snapshot: &Snapshot, rows: &[Row]) -> Outcome {
    let mut table = output::new_table(&[
        "TASK",
        "SERVICE",
        "REV",
        "STATUS",
        "UP",
        "PID",
        "REACHED AT",
    ]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            row.service.to_string(),
            row.revision.to_string(),
            status(row),
            row.uptime_seconds.map_or_else(String::new, |s| {
                humantime::format_duration(Duration::from_secs(s)).to_string()
            }),
            row.pid.map_or_else(String::new, |pid| pid.to_string()),
            reached_at(row),
        ]);
    }
    for view in snapshot
        .services
        .iter()
        .filter(|view| view.tasks.is_empty())
    {
        table.add_row([
            "-".to_owned(),
            view.service.to_string(),
            view.target.to_string(),
            idle_status(view),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    for name in snapshot.skipped.keys() {
        table.add_row(["-", name.as_str(), "", "skipped: not installed", "", "", ""]);
    }
    output::print_table(&table)
}

/// URLs before addresses; a published port before the service's own address.
fn reached_at(row: &Row) -> String {
    let list = if row.published.is_empty() {
        &row.internal
    } else {
        &row.published
    };
    list.join(", ")
}

fn status(row: &Row) -> String {
    let word = match (row.state, row.health) {
        (TaskPhase::Pending, _) => "pending",
        (TaskPhase::Activating, _) => "starting",
        (TaskPhase::Running, TaskHealth::NotReady) => "running, not ready",
        (TaskPhase::Running, TaskHealth::Unhealthy) => "running, unhealthy",
        (TaskPhase::Running, _) => "healthy",
        (TaskPhase::Draining, _) => "draining",
        (TaskPhase::Stopping, _) => "stopping",
        (TaskPhase::Stopped, _) => "stopped",
    };
    let detail = match row.health {
        TaskHealth::NotReady | TaskHealth::Unhealthy => {
            row.reason.as_deref().or(row.exit.as_deref())
        }
        _ if row.state == TaskPhase::Stopped => row.exit.as_deref(),
        _ => None,
    };
    match detail {
        Some(detail) => format!("{word}: {detail}"),
        None => word.to_owned(),
    }
}

fn idle_status(view: &ServiceView) -> String {
    if view.stopped {
        return "stopped".to_owned();
    }
    if let Some(status) = view.completed {
        return format!("completed with {}", ended(status));
    }
    if let Some(waiting) = &view.waiting {
        return format!("waiting: {waiting}");
    }
    match &view.rollout {
        Some(rollout) if view.desired > 0 => {
            format!(
                "{}: {}",
                super::progress::rollout_word(rollout.state),
                rollout.reason
            )
        }
        _ => "scaled to 0".to_owned(),
    }
}
