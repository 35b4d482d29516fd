//! `cais top`: the processes of each task.

use super::project::Project;
use super::{Global, output, ps, runtime, verbs};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::runtime::docker::engine::said;
use crate::shim::processes;
use bollard::Docker;
use bollard::query_parameters::TopOptionsBuilder;
use cais_model::name::ServiceName;
use clap::Args;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = verbs::parse_service)]
    services: Vec<ServiceName>,
}

/// One process of one task.
#[derive(Debug, Serialize)]
struct Row {
    task: String,
    pid: u32,
    parent: u32,
    /// Processor time, `[days-]hours:minutes:seconds`.
    time: String,
    command: String,
}

pub(crate) async fn run(global: &Global, args: TopArgs) -> Outcome {
    let project = Project::load(global)?;
    let snapshot = ps::snapshot(&project).await?;
    if snapshot.supervisor.is_none() {
        return Err(verbs::not_running(&project));
    }
    let known = |name: &ServiceName| snapshot.services.iter().any(|view| view.service == *name);
    if let Some(name) = args.services.iter().find(|name| !known(name)) {
        return Err(project.unknown_service(name));
    }
    let engine = match snapshot.runtime {
        Runtime::Process => None,
        Runtime::Docker => Some(runtime::engine(&project).await?),
    };
    let mut rows = Vec::new();
    for (service, endpoints) in &snapshot.endpoints {
        if !args.services.is_empty() && !args.services.contains(service) {
            continue;
        }
        for (task, endpoint) in &endpoints.tasks {
            let name = format!("{service}-{task}");
            match (&engine, &endpoint.container, endpoint.pid) {
                (Some(engine), Some(container), _) => {
                    rows.extend(of_container(engine, &name, container).await?);
                }
                (None, _, Some(pid)) => rows.extend(of_process(&name, pid)),
                _ => {}
            }
        }
    }
    if global.json() {
        return output::print_json(&rows);
    }
    let mut table = output::new_table(&["TASK", "PID", "PARENT", "TIME", "COMMAND"]);
    for row in rows {
        table.add_row([
            row.task,
            row.pid.to_string(),
            row.parent.to_string(),
            row.time,
            row.command,
        ]);
    }
    output::print_table(&table)
}

/// The engine asks the machine's `ps`.
async fn of_container(engine: &Docker, task: &str, container: &str) -> Outcome<Vec<Row>> {
    let options = TopOptionsBuilder::default()
        .ps_args("-eo pid,ppid,time,args")
        .build();
    let top = engine
        .top_processes(container, Some(options))
        .await
        .map_err(|error| {
            Failure::new(
                Exit::Error,
                format!(
                    "the engine does not tell about `{container}`: {}",
                    said(&error)
                ),
            )
        })?;
    let rows = top.processes.unwrap_or_default().into_iter();
    Ok(rows
        .filter_map(|fields| {
            let [pid, parent, time, command @ ..] = &fields[..] else {
                return None;
            };
            Some(Row {
                task: task.to_owned(),
                pid: pid.parse().ok()?,
                parent: parent.parse().ok()?,
                time: time.clone(),
                command: command.join(" "),
            })
        })
        .collect())
}

fn of_process(task: &str, leader: u32) -> Vec<Row> {
    let table = processes::all();
    let leader = table.iter().find(|process| process.pid == leader).copied();
    let below = leader.map(|leader| processes::descendants(&table, leader.pid));
    leader
        .into_iter()
        .chain(below.unwrap_or_default())
        .map(|process| Row {
            task: task.to_owned(),
            pid: process.pid,
            parent: process.parent,
            time: processor_time(process.pid).map_or_else(String::new, clock),
            command: command(process.pid),
        })
        .collect()
}

/// Arguments as they are now; a kernel that hides them leaves the name.
fn command(pid: u32) -> String {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&arguments);
    let words: Vec<&str> = text.split('\0').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        return format!("[{}]", name.trim());
    }
    words.join(" ")
}

/// User and system time: fields 14 and 15 of `/proc/<pid>/stat`, counted in hundredths of a second on Linux.
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// As `ps` prints it: `hh:mm:ss`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
