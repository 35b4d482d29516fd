//! `cais status`: each service's state, explained in sentences.

use super::output::{self, BOLD, DIM, GREEN, RED, YELLOW};
use super::progress::rollout_word;
use super::project::Project;
use super::{Global, ps};
use crate::control::Snapshot;
use crate::exit::Outcome;
use crate::supervisor::ended;
use cais_engine::notice::{RolloutState, TaskHealth, TaskPhase};
use cais_engine::time::Moment;
use cais_engine::view::{RolloutView, ServiceView, TaskView};
use cais_model::name::ServiceName;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) services: Vec<ServiceName>,
}

pub(crate) async fn run(global: &Global, args: StatusArgs) -> Outcome {
    let project = Project::load(global)?;
    if let Some(name) = args
        .services
        .iter()
        .find(|name| !project.loaded.stack.services.contains_key(*name))
    {
        return Err(project.unknown_service(name));
    }
    let mut snapshot = ps::snapshot(&project).await?;
    snapshot
        .services
        .retain(|v| args.services.is_empty() || args.services.contains(&v.service));
    if global.json() {
        return output::print_json(&snapshot);
    }
    print_header(&snapshot)?;
    for view in &snapshot.services {
        print_service(&snapshot, view)?;
    }
    for (name, text) in &snapshot.skipped {
        output::print(&format!("\n{BOLD}{name}{BOLD:#}  {text}"))?;
    }
    Ok(())
}

fn print_header(snapshot: &Snapshot) -> Outcome {
    let keeper = match (snapshot.supervisor, snapshot.services.is_empty()) {
        (Some(pid), _) => format!("supervised by process {pid}"),
        (None, true) => "not running".to_owned(),
        (None, false) => format!(
            "{YELLOW}its supervisor is gone{YELLOW:#}; `cais up -d` adopts its tasks, `cais down` ends them"
        ),
    };
    let directory = snapshot.directory.display();
    output::print(&format!(
        "{BOLD}{}{BOLD:#} ({directory}): {keeper}",
        snapshot.project
    ))?;
    if let Some(fault) = &snapshot.fault {
        output::print(&format!("{RED}decisions wait{RED:#}: {fault}"))?;
    }
    Ok(())
}

fn print_service(snapshot: &Snapshot, view: &ServiceView) -> Outcome {
    output::print(&format!(
        "\n{BOLD}{}{BOLD:#}  {}",
        view.service,
        headline(view)
    ))?;
    if let Some(rollout) = &view.rollout {
        output::print(&format!("  {}", rollout_line(rollout, snapshot.now_ms)))?;
    }
    if let Some(waiting) = &view.waiting {
        output::print(&format!("  {YELLOW}waits{YELLOW:#} for {waiting}"))?;
    }
    for task in view
        .tasks
        .iter()
        .filter(|task| task.phase != TaskPhase::Stopped)
    {
        output::print(&format!("  {}", task_line(task, snapshot.now_ms)))?;
    }
    if let Some(endpoints) = snapshot.endpoints.get(&view.service) {
        for url in endpoints.published.iter().chain(&endpoints.internal) {
            output::print(&format!("  {DIM}reached at{DIM:#} {url}"))?;
        }
    }
    Ok(())
}

/// How many of how many, and at which revision.
fn headline(view: &ServiceView) -> String {
    let healthy = view
        .tasks
        .iter()
        .filter(|t| t.phase == TaskPhase::Running && t.health == TaskHealth::Healthy)
        .count();
    if view.stopped {
        return "stopped by hand".to_owned();
    }
    if let Some(status) = view.completed {
        return format!("ran to its end with {}", ended(status));
    }
    let style = if healthy as u64 >= u64::from(view.desired) {
        GREEN
    } else {
        YELLOW
    };
    format!(
        "{style}{healthy} of {} healthy{style:#}, revision {}",
        view.desired, view.target
    )
}

fn rollout_line(rollout: &RolloutView, now_ms: u64) -> String {
    let style = match rollout.state {
        RolloutState::Completed => GREEN,
        RolloutState::Failed | RolloutState::RollbackFailed => RED,
        _ => YELLOW,
    };
    let way = match rollout.from {
        Some(from) => format!("rollout {from} → {}", rollout.to),
        None => format!("first rollout, of revision {}", rollout.to),
    };
    let when = match rollout.ended_at {
        Some(end) => format!(
            "{} ago, after {}",
            span(end, Moment(now_ms)),
            span(rollout.started_at, end)
        ),
        None => format!("since {}", span(rollout.started_at, Moment(now_ms))),
    };
    let count = match (rollout.failed, rollout.threshold) {
        (0, _) => String::new(),
        (failed, Some(threshold)) => format!("; {failed} of {threshold} failures counted"),
        (failed, None) => format!("; {failed} failures, no breaker"),
    };
    let word = rollout_word(rollout.state);
    format!(
        "{way}: {style}{word}{style:#} {DIM}({when}){DIM:#}: {}{count}",
        rollout.reason
    )
}

fn task_line(task: &TaskView, now_ms: u64) -> String {
    let (style, word) = match (task.phase, task.health) {
        (TaskPhase::Running, TaskHealth::Healthy) => (GREEN, "healthy"),
        (TaskPhase::Running, TaskHealth::NotReady) => (YELLOW, "not ready"),
        (TaskPhase::Running, _) => (RED, "unhealthy"),
        (TaskPhase::Pending, _) => (YELLOW, "pending"),
        (TaskPhase::Activating, _) => (YELLOW, "starting"),
        (TaskPhase::Draining, _) => (DIM, "draining"),
        (TaskPhase::Stopping | TaskPhase::Stopped, _) => (DIM, "stopping"),
    };
    let reason = task
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let since = span(task.since, Moment(now_ms));
    format!(
        "task {} (revision {}) {style}{word}{style:#} for {since}{reason}",
        task.task, task.revision
    )
}

/// "3m 20s", to the second; below a second "0.4 s".
fn span(from: Moment, to: Moment) -> String {
    let span = to - from;
    if span < Duration::from_secs(10) {
        return format!("{:.1} s", span.as_secs_f32());
    }
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}
