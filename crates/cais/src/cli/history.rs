//! `cais history` and `cais events`: what happened, from the journal.

use super::output;
use super::progress::{rollout_word, sentence};
use super::project::Project;
use super::{Global, supervise, verbs};
use crate::control::{Reply, Request, Stamped};
use crate::exit::{Exit, Failure, Outcome};
use crate::store::{Journal, PastRollout};
use crate::supervisor::journal_failure;
use cais_model::name::ServiceName;
use clap::Args;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// How many rollouts
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    pub(super) limit: u32,
    /// Only this service
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) service: Option<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on
    #[arg(short, long)]
    pub(super) follow: bool,
    /// How many of the newest to begin with
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    pub(super) tail: u32,
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) services: Vec<ServiceName>,
}

pub(crate) fn history(global: &Global, args: &HistoryArgs) -> Outcome {
    let project = Project::load(global)?;
    let rollouts = match open(&project)? {
        Some(journal) => journal
            .rollouts(args.service.as_ref(), args.limit)
            .map_err(journal_failure)?,
        None => Vec::new(),
    };
    if let (Some(service), true) = (&args.service, rollouts.is_empty()) {
        let failure = Failure::new(
            Exit::Usage,
            format!("nothing was ever deployed as `{service}`"),
        );
        return Err(failure.help("see everything: `cais history`"));
    }
    if global.json() {
        return output::print_json(&rollouts);
    }
    if rollouts.is_empty() {
        return output::print("nothing was deployed yet");
    }
    let headings = [
        "SERVICE",
        "REVISION",
        "OUTCOME",
        "BEGAN (UTC)",
        "TOOK",
        "WHY",
    ];
    let mut table = output::new_table(&headings);
    for rollout in &rollouts {
        table.add_row(history_row(rollout));
    }
    output::print_table(&table)
}

fn history_row(rollout: &PastRollout) -> [String; 6] {
    let revision = match rollout.from {
        Some(from) => format!("{from} → {}", rollout.to),
        None => rollout.to.to_string(),
    };
    let took = rollout.ended_ms.map_or_else(String::new, |end| {
        let span = Duration::from_millis(end.saturating_sub(rollout.started_ms));
        format!("{:.1} s", span.as_secs_f32())
    });
    [
        rollout.service.to_string(),
        revision,
        rollout_word(rollout.state).to_owned(),
        moment(rollout.started_ms, "%Y-%m-%d %H:%M:%S"),
        took,
        rollout.reason.clone(),
    ]
}

pub(crate) async fn events(global: &Global, args: EventsArgs) -> Outcome {
    let project = Project::load(global)?;
    let wanted = |stamped: &Stamped| {
        args.services.is_empty() || args.services.contains(&stamped.notice.service)
    };
    // Asked before the past is read, so that nothing falls between the two; what comes twice is told
    // by its time.
    let conversation = if args.follow {
        let conversation = supervise::talk(&project.paths, &Request::Follow).await?;
        Some(conversation.ok_or_else(|| verbs::not_running(&project))?)
    } else {
        None
    };
    let mut newest = 0;
    if let Some(journal) = open(&project)? {
        let past = journal.notices(args.tail).map_err(journal_failure)?;
        newest = past.last().map_or(0, |stamped| stamped.at_ms);
        for stamped in past.iter().filter(|stamped| wanted(stamped)) {
            print_event(global, stamped)?;
        }
    }
    let Some(mut conversation) = conversation else {
        return Ok(());
    };
    while let Some(reply) = conversation.next().await? {
        if let Reply::Notice(stamped) = reply
            && stamped.at_ms > newest
            && wanted(&stamped)
        {
            print_event(global, &stamped)?;
        }
    }
    Ok(())
}

/// One line each: as JSON one object a line, because it is a stream.
fn print_event(global: &Global, stamped: &Stamped) -> Outcome {
    if global.json() {
        return output::print_json_line(stamped);
    }
    let (dim, bold) = (output::DIM, output::BOLD);
    let at = moment(stamped.at_ms, "%Y-%m-%d %H:%M:%S%.3f");
    let service = &stamped.notice.service;
    output::print(&format!(
        "{dim}{at}{dim:#} {bold}{service}{bold:#}: {}",
        sentence(&stamped.notice.kind)
    ))
}

pub(super) fn moment(epoch_ms: u64, format: &str) -> String {
    let at = i64::try_from(epoch_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| at.strftime(format).to_string())
}

fn open(project: &Project) -> Outcome<Option<Journal>> {
    Journal::look(&project.paths.journal()).map_err(journal_failure)
}
