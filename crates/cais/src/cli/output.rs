//! What commands print: results to standard output, remarks and failures to standard error.

use super::project::Project;
use super::{Ansi, Global};
use crate::control::Snapshot;
use crate::exit::{Exit, Failure, Outcome};
use crate::logs;
use crate::supervisor::resolve::Replacement;
use anstyle::{AnsiColor, Style};
use cais_engine::event::TaskId;
use cais_model::diagnostic::Diagnostic;
use cais_model::name::ServiceName;
use cais_model::stack::{Protocol, Stack};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Lines of a failed task's log that are shown with the failure.
const LAST_LINES: usize = 10;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Applies `--ansi` to both streams.
pub(crate) fn set_colours(ansi: Ansi) {
    match ansi {
        Ansi::Auto => {}
        Ansi::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
        Ansi::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// Text to standard output. A reader that left (`| head`) is no error.
pub(crate) fn print(text: &str) -> Outcome {
    let _ = writeln!(anstream::stdout(), "{text}");
    Ok(())
}

/// One JSON document to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Outcome {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!("cannot print as JSON: {error}"),
        )),
    }
}

/// One JSON object a line, for streams.
pub(crate) fn print_json_line(value: &impl Serialize) -> Outcome {
    match serde_json::to_string(value) {
        Ok(text) => print(&text),
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!("cannot print as JSON: {error}"),
        )),
    }
}

/// A table without the blanks that its last column would be filled with.
pub(crate) fn print_table(table: &Table) -> Outcome {
    let text = table.to_string();
    print(
        &text
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// One line to standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A remark: worth knowing, nothing to do.
pub(crate) fn note(text: &str) {
    say(&format!("{CYAN}note{CYAN:#}: {text}"));
}

/// A failure with its diagnostics, what happened, and what to type next; as JSON where asked for.
pub(crate) fn print_failure(failure: &Failure, json: bool) {
    if json {
        let diagnostics: Vec<_> = failure.diagnostics.iter().map(diagnostic_json).collect();
        let error = serde_json::json!({
            "error": { "message": failure.message, "help": failure.help, "exit": failure.exit, "diagnostics": diagnostics }
        });
        let _ = writeln!(anstream::stderr(), "{error}");
        return;
    }
    print_diagnostics(&failure.diagnostics, &failure.files);
    say(&format!("{RED}error{RED:#}: {}", failure.message));
    if let Some(help) = &failure.help {
        say(&format!("  {BOLD}help{BOLD:#}: {help}"));
    }
}

fn diagnostic_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let position = diagnostic.position.as_ref();
    serde_json::json!({
        "severity": match diagnostic.severity {
            cais_model::diagnostic::Severity::Error => "error",
            cais_model::diagnostic::Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "file": position.map(|p| p.file.display().to_string()),
        "line": position.map(|p| p.line),
        "column": position.map(|p| p.column),
        "help": diagnostic.help,
    })
}

/// Diagnostics with their source lines, to standard error.
pub(crate) fn print_diagnostics(diagnostics: &[Diagnostic], files: &[(PathBuf, String)]) {
    let stderr = anstream::stderr();
    let colour = !matches!(stderr.current_choice(), anstream::ColorChoice::Never);
    for diagnostic in diagnostics {
        let _ = write!(
            anstream::stderr(),
            "{}",
            cais_model::render(diagnostic, files, colour)
        );
    }
}

/// What becomes of ports that the file leaves open, said once an `up`: without an address they are
/// bound to loopback, without a number they get a free one.
pub(crate) fn remark_loopback(stack: &Stack) {
    let ports: Vec<String> = stack
        .services
        .values()
        .flat_map(|service| {
            service
                .ports
                .iter()
                .filter(|port| !port.host_is_explicit)
                .filter_map(|port| {
                    port.published
                        .map(|published| format!("{} {published}", service.name))
                })
        })
        .collect();
    let unnamed: Vec<String> = stack
        .services
        .values()
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
        .filter(|(_, port)| port.published.is_none() && port.protocol == Protocol::Tcp)
        .map(|(service, port)| format!("{} {}", service.name, port.target))
        .collect();
    if !unnamed.is_empty() {
        note(&format!(
            "published on a free port, because the file names none of this machine: {}; `cais ps` shows it",
            unnamed.join(", ")
        ));
    }
    if !ports.is_empty() {
        note(&format!(
            "bound to 127.0.0.1 only: {}; to serve the network write the address, as in `0.0.0.0:80:80`",
            ports.join(", ")
        ));
    }
}

/// The last lines that a failing task wrote.
pub(crate) fn print_last_lines(project: &Project, service: &ServiceName, task: u64) {
    let options = logs::Options {
        services: [service.clone()].into(),
        tasks: [TaskId(task)].into(),
        tail: logs::Tail::PerService(LAST_LINES),
        ..logs::Options::default()
    };
    let lines: Vec<_> =
        logs::read(&project.paths.state, &options).map_or_else(|_| Vec::new(), Iterator::collect);
    let name = format!("{service}-{task}");
    if lines.is_empty() {
        return say(&format!("{DIM}{name} wrote nothing to its log{DIM:#}"));
    }
    say(&format!("{BOLD}the last lines of {name}:{BOLD:#}"));
    for line in lines {
        say(&format!("  {DIM}|{DIM:#} {}", line.text()));
    }
}

/// What runs and where, at the end of an `up`.
pub(crate) fn print_up(global: &Global, snapshot: &Snapshot) -> Outcome {
    if global.json() {
        return print_json(&super::ps::rows(snapshot));
    }
    for (service, endpoints) in &snapshot.endpoints {
        let urls: Vec<&String> = endpoints
            .published
            .iter()
            .filter(|url| url.starts_with("http"))
            .collect();
        for url in urls {
            print(&format!("{GREEN}{service:<12}{GREEN:#} {url}"))?;
        }
    }
    Ok(())
}

/// What the process runtime replaces in environment values.
pub(crate) fn print_replacements(global: &Global, replacements: &[Replacement]) -> Outcome {
    if global.json() {
        return print_json(&replacements);
    }
    if replacements.is_empty() {
        return print("nothing is replaced");
    }
    let mut table = new_table(&["SERVICE", "VARIABLE", "IN THE FILE", "FOR THE PROCESS"]);
    for replacement in replacements {
        table.add_row([
            replacement.service.as_str(),
            &replacement.variable,
            &replacement.original,
            replacement.replacement.as_deref().unwrap_or("(left unset)"),
        ]);
    }
    print_table(&table)
}

/// `cais version`.
pub(crate) fn print_version(global: &Global) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    if global.json() {
        return print_json(&serde_json::json!({ "version": version }));
    }
    print(&format!("cais {version}"))
}

/// An empty table in the house's form: no lines, headings in capitals.
pub(crate) fn new_table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table
}
