//! `cais logs -E ENV [-f]`: the log groups of all services in one stream, by polling, with no gap and no line twice.

use super::{Target, failure};
use crate::cli::logs::LogsArgs;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::logs::Tail;
use anstyle::{AnsiColor, Color, Style};
use cais_aws::sdk::{Error, Kind};
use cais_aws::stream::{Event, Place};
use cais_model::name::{EnvironmentName, ServiceName};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How often `-f` asks each group.
const POLL_EVERY: Duration = Duration::from_secs(3);
/// Without `--since`, so much of the past.
const PAST: Duration = Duration::from_secs(3600);
/// After so many failures in a row nobody is served by asking again.
const FAILURES: u32 = 20;

/// One line as `logs --json` prints it.
#[derive(Debug, Serialize)]
struct JsonLine<'a> {
    at: Timestamp,
    service: &'a ServiceName,
    task: &'a str,
    text: &'a str,
}

struct Group {
    service: ServiceName,
    name: String,
    place: Place,
}

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &LogsArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let services = target.services(&args.services).await?;
    target.show(global);
    let now = Timestamp::now().as_millisecond();
    let since = args
        .since
        .map_or(now - i64::try_from(PAST.as_millis()).unwrap_or(0), |at| {
            at.as_millisecond()
        });
    let mut groups: Vec<Group> = services
        .into_iter()
        .map(|(service, _)| Group {
            name: target.names.log_group(service.as_str()),
            service,
            place: Place::at(since),
        })
        .collect();
    let printer = Printer {
        json: global.json(),
        timestamps: args.timestamps,
        prefix: !args.no_log_prefix,
        width: groups
            .iter()
            .map(|g| g.service.as_str().len())
            .max()
            .unwrap_or(0)
            + 9,
    };
    let until = args.until.map(|at| at.as_millisecond());
    let mut tail = Some(&args.tail);
    let mut failures = 0;
    loop {
        match read(&target, &mut groups, until, args.grep.as_deref()).await {
            Ok(mut lines) => {
                failures = 0;
                if let Some(Tail::PerTask(n)) = tail.take() {
                    keep_last(&mut lines, *n);
                }
                lines
                    .iter()
                    .try_for_each(|(service, event)| printer.print(service, event))?;
            }
            Err(error) if !args.follow => return Err(explained(&target, &error)),
            Err(error) => {
                failures += 1;
                let is_final = matches!(
                    error.kind,
                    Kind::Credentials | Kind::Denied | Kind::NotFound
                );
                if is_final || failures >= FAILURES {
                    return Err(explained(&target, &error));
                }
                if failures == 1 {
                    output::note(&format!("AWS does not answer, and is asked again: {error}"));
                }
            }
        }
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(POLL_EVERY * failures.clamp(1, 8)).await;
    }
}

/// What is new in all groups, oldest first.
async fn read(
    target: &Target,
    groups: &mut [Group],
    until: Option<i64>,
    grep: Option<&str>,
) -> Result<Vec<(ServiceName, Event)>, Error> {
    let mut answers = Vec::new();
    // All groups are asked before any place moves: a failure half-way loses no line.
    for group in groups.iter() {
        answers.push(
            target
                .session
                .log_events(&group.name, group.place.ask_from_ms(), until, grep)
                .await?,
        );
    }
    let mut lines: Vec<(ServiceName, Event)> = Vec::new();
    for (group, answer) in groups.iter_mut().zip(answers) {
        let new = group.place.take(answer).into_iter();
        lines.extend(new.map(|event| (group.service.clone(), event)));
    }
    lines.sort_by_key(|(_, event)| event.at_ms);
    Ok(lines)
}

/// The last `n` lines of each task.
fn keep_last(lines: &mut Vec<(ServiceName, Event)>, n: usize) {
    let mut left: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for (_, event) in lines.iter() {
        *left.entry(event.stream.clone()).or_default() += 1;
    }
    lines.retain(|(_, event)| {
        let left = left.entry(event.stream.clone()).or_default();
        *left -= 1;
        *left < n
    });
}

fn explained(target: &Target, error: &Error) -> Failure {
    if error.kind == Kind::NotFound {
        return Failure::new(Exit::Error, error.to_string()).help(target.infrastructure_help());
    }
    failure(error.clone())
}

struct Printer {
    json: bool,
    timestamps: bool,
    prefix: bool,
    width: usize,
}

impl Printer {
    fn print(&self, service: &ServiceName, event: &Event) -> Outcome {
        if self.json {
            return output::print_json_line(&JsonLine {
                at: event.at(),
                service,
                task: event.task(),
                text: &event.text,
            });
        }
        let mut line = String::new();
        if self.prefix {
            let task: String = event.task().chars().take(8).collect();
            let style = colour(service.as_str());
            let name = format!("{service}-{task}");
            line.push_str(&format!(
                "{style}{name:<width$} |{style:#} ",
                width = self.width
            ));
        }
        if self.timestamps {
            line.push_str(&format!("{} ", event.at()));
        }
        line.push_str(&event.text);
        output::print(&line)
    }
}

fn colour(name: &str) -> Style {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::BrightRed,
    ];
    let sum: usize = name.bytes().map(usize::from).sum();
    Style::new().fg_color(Some(Color::Ansi(COLOURS[sum % COLOURS.len()])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_each_tasks_own() {
        let service = ServiceName::parse("clock").unwrap();
        let event = |stream: &str, at_ms: i64| {
            let event = Event {
                id: at_ms.to_string(),
                at_ms,
                stream: stream.to_owned(),
                text: String::new(),
            };
            (service.clone(), event)
        };
        let mut lines = vec![event("a", 1), event("a", 2), event("b", 3), event("a", 4)];
        keep_last(&mut lines, 1);
        let left: Vec<i64> = lines.iter().map(|(_, event)| event.at_ms).collect();
        assert_eq!(left, [3, 4]);
    }
}
