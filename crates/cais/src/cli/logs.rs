//! `cais logs`: the log of all tasks in one stream, straight from the disk.

use super::output;
use super::project::Project;
use super::{Global, supervise};
use crate::control::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::logs::{self, Line, Options, Stream, Tail};
use crate::paths::Paths;
use anstyle::{AnsiColor, Color, Style};
use cais_model::name::ServiceName;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Keep printing what is added
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Lines of each task to begin with, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = parse_tail)]
    pub(super) tail: Tail,
    /// Only lines since a time (2026-11-22T10:00:00Z) or a span ago (10m)
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub(super) since: Option<Timestamp>,
    /// Only lines until a time or a span ago
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub(super) until: Option<Timestamp>,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub(super) grep: Option<String>,
    /// Show when each line was written
    #[arg(short, long)]
    pub(super) timestamps: bool,
    /// Do not say which task wrote a line
    #[arg(long)]
    pub(super) no_log_prefix: bool,
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(super) services: Vec<ServiceName>,
}

fn parse_tail(text: &str) -> Result<Tail, String> {
    if text == "all" {
        return Ok(Tail::All);
    }
    text.parse()
        .map(Tail::PerTask)
        .map_err(|_| "expected a number of lines, or `all`".to_owned())
}

fn parse_when(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let span = humantime::parse_duration(text)
        .map_err(|_| "expected a time like 2026-11-22T10:00:00Z or a span like 10m".to_owned())?;
    Timestamp::now()
        .checked_sub(span)
        .map_err(|error| error.to_string())
}

/// One line as `logs --json` prints it.
#[derive(Debug, Serialize)]
struct JsonLine<'a> {
    at: Timestamp,
    service: &'a ServiceName,
    task: u64,
    stream: &'static str,
    text: std::borrow::Cow<'a, str>,
}

pub(crate) async fn run(global: &Global, args: LogsArgs) -> Outcome {
    let project = Project::load(global)?;
    let known = &project.loaded.stack.services;
    if let Some(name) = args.services.iter().find(|name| !known.contains_key(*name)) {
        return Err(project.unknown_service(name));
    }
    let mut printer = Printer {
        json: global.json(),
        timestamps: args.timestamps,
        prefix: !args.no_log_prefix,
        width: width(&project, &args.services),
    };
    let options = Options {
        services: args.services.into_iter().collect(),
        since: args.since,
        until: args.until,
        tail: args.tail,
        grep: args.grep,
        ..Options::default()
    };
    if args.follow {
        let end = CancellationToken::new();
        tokio::spawn(end_with_the_stack(project.paths.clone(), end.clone()));
        return follow(&project, options, &mut printer, end).await;
    }
    match logs::read(&project.paths.state, &options) {
        Ok(lines) => lines.for_each(|line| printer.print(&line)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Failure::new(
                Exit::Error,
                format!("the logs cannot be read: {error}"),
            ));
        }
    }
    Ok(())
}

/// The stream of a foreground `up`: all services, from its beginning until `end`; what was written until
/// then still comes.
pub(crate) async fn follow_all(
    global: &Global,
    project: &Project,
    since: Timestamp,
    end: CancellationToken,
) -> Outcome {
    let mut printer = Printer {
        json: global.json(),
        timestamps: false,
        prefix: true,
        width: width(project, &[]),
    };
    let options = Options {
        since: Some(since),
        ..Options::default()
    };
    follow(project, options, &mut printer, end).await
}

async fn follow(
    project: &Project,
    options: Options,
    printer: &mut Printer,
    end: CancellationToken,
) -> Outcome {
    let mut lines = logs::follow(&project.paths.state, options, end).map_err(|error| {
        Failure::new(Exit::Error, format!("the logs cannot be read: {error}"))
            .help("has the stack ever run? `cais up -d`")
    })?;
    while let Some(line) = lines.recv().await {
        printer.print(&line);
    }
    Ok(())
}

/// Cancels `end` when the supervisor ends in good order: nothing more will come.
async fn end_with_the_stack(paths: Paths, end: CancellationToken) {
    if let Ok(Some(mut conversation)) = supervise::talk(&paths, &Request::Follow).await {
        while let Ok(Some(_)) = conversation.next().await {}
        if !paths.runtime.exists() {
            end.cancel();
        }
    }
}

/// Width of the widest task name that is likely, so that the bars stand below each other.
fn width(project: &Project, services: &[ServiceName]) -> usize {
    let names = project
        .loaded
        .stack
        .services
        .keys()
        .filter(|name| services.is_empty() || services.contains(name));
    names.map(|name| name.as_str().len()).max().unwrap_or(0) + 4
}

struct Printer {
    json: bool,
    timestamps: bool,
    prefix: bool,
    width: usize,
}

impl Printer {
    fn print(&mut self, line: &Line) {
        let mut out = anstream::stdout().lock();
        if self.json {
            let json = JsonLine {
                at: line.at,
                service: &line.service,
                task: line.task.0,
                stream: match line.stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                },
                text: line.text(),
            };
            if let Ok(text) = serde_json::to_string(&json) {
                let _ = writeln!(out, "{text}");
            }
            return;
        }
        if self.prefix {
            let style = colour_of(&line.service);
            let name = format!("{}-{}", line.service, line.task);
            let _ = write!(out, "{style}{name:<width$} |{style:#} ", width = self.width);
        }
        if self.timestamps {
            let _ = write!(out, "{}{:.3}{:#} ", output::DIM, line.at, output::DIM);
        }
        let _ = out.write_all(&line.text);
        let _ = out.write_all(b"\n");
    }
}

/// A service keeps its colour from run to run.
fn colour_of(service: &ServiceName) -> Style {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::BrightCyan,
    ];
    let hash = service.as_str().bytes().fold(7usize, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    Style::new().fg_color(Some(Color::Ansi(COLOURS[hash % COLOURS.len()])))
}
