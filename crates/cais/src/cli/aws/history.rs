//! `cais history` and `cais events` of an environment on AWS: what ECS remembers of deployments, and what it noted.

use super::Target;
use super::rollback::Past;
use super::show::styled;
use crate::cli::history::{EventsArgs, HistoryArgs};
use crate::cli::{Global, output};
use crate::exit::Outcome;
use cais_aws::service::family_revision;
use cais_model::name::{EnvironmentName, ServiceName};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often `events -f` asks.
const EVENTS_EVERY: Duration = Duration::from_secs(5);

/// One deployment.
#[derive(Debug, Serialize)]
struct Row {
    service: ServiceName,
    /// `family:revision`.
    revision: String,
    status: String,
    began: Option<Timestamp>,
    seconds: Option<i64>,
    reason: Option<String>,
    deployment: String,
}

pub(super) async fn history(
    global: &Global,
    name: &EnvironmentName,
    args: &HistoryArgs,
) -> Outcome {
    let target = Target::open(global, name).await?;
    let named: Vec<ServiceName> = args.service.iter().cloned().collect();
    let mut rows = Vec::new();
    for (service, live) in target.services(&named).await? {
        let past = Past::of(&target, &live).await?;
        for one in &past.deployments {
            let seconds = match (one.created, one.finished) {
                (Some(from), Some(to)) => Some(to.duration_since(from).as_secs()),
                _ => None,
            };
            rows.push((
                one.status.clone(),
                Row {
                    service: service.clone(),
                    revision: past
                        .definition(one)
                        .map_or_else(|| "?".to_owned(), |d| family_revision(d).to_owned()),
                    status: one.status.to_string(),
                    began: one.created,
                    seconds,
                    reason: one.reason.clone(),
                    deployment: one.arn.clone(),
                },
            ));
        }
    }
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.began));
    rows.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    if global.json() {
        let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        return output::print_json(&rows);
    }
    target.show(global);
    let mut table = output::new_table(&[
        "SERVICE",
        "REVISION",
        "STATUS",
        "BEGAN (UTC)",
        "TOOK",
        "WHY",
    ]);
    for (status, row) in &rows {
        table.add_row([
            row.service.to_string(),
            row.revision.clone(),
            styled(status),
            row.began.map_or_else(String::new, at),
            row.seconds.map_or_else(String::new, |s| format!("{s} s")),
            row.reason.clone().unwrap_or_default(),
        ]);
    }
    output::print_table(&table)
}

/// One of a service's events.
#[derive(Debug, Serialize)]
struct Event {
    at: Option<Timestamp>,
    service: ServiceName,
    text: String,
    #[serde(skip)]
    id: String,
}

pub(super) async fn events(global: &Global, name: &EnvironmentName, args: &EventsArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    target.show(global);
    let mut told = BTreeSet::new();
    let mut tail = Some(usize::try_from(args.tail).unwrap_or(usize::MAX));
    loop {
        let mut events = Vec::new();
        match target.services(&args.services).await {
            Ok(services) => {
                for (service, live) in services {
                    events.extend(live.events.into_iter().map(|event| Event {
                        at: event.at,
                        service: service.clone(),
                        text: event.text,
                        id: event.id,
                    }));
                }
            }
            Err(error) if tail.is_some() => return Err(error),
            Err(error) => {
                output::note(&format!("AWS does not answer, and is asked again: {error}"));
            }
        }
        events.sort_by_key(|event| event.at);
        let skipped = tail
            .take()
            .map_or(0, |tail| events.len().saturating_sub(tail));
        for (index, event) in events.iter().enumerate() {
            if told.insert(event.id.clone()) && index >= skipped {
                print(global, event)?;
            }
        }
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(EVENTS_EVERY).await;
    }
}

fn print(global: &Global, event: &Event) -> Outcome {
    if global.json() {
        return output::print_json_line(event);
    }
    let (dim, bold) = (output::DIM, output::BOLD);
    output::print(&format!(
        "{dim}{}{dim:#} {bold}{}{bold:#} {}",
        event.at.map_or_else(String::new, at),
        event.service,
        event.text
    ))
}

pub(super) fn at(at: Timestamp) -> String {
    at.strftime("%F %T").to_string()
}
