//! Builds what services run from: their `process.build` commands.

use super::output;
use super::project::Project;
use crate::exit::{Exit, Failure, Outcome};
use crate::supervisor::definition;
use cais_model::name::ServiceName;
use cais_model::stack::Service;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Everything that has a build command: the command itself knows what is up to date.
    All,
    /// Only what was never built.
    Missing,
    /// Nothing.
    None,
}

/// Runs the build commands of the selected services (all when none is named), equal ones once, in
/// name order. Nothing has been started yet when one fails.
pub(crate) fn run(project: &Project, selected: &BTreeSet<ServiceName>, which: Which) -> Outcome {
    let mut done = BTreeSet::new();
    for service in project.loaded.stack.services.values() {
        let build = service.process.as_ref().and_then(|p| p.build.as_deref());
        let Some(command) = build else { continue };
        let is_selected = selected.is_empty() || selected.contains(&service.name);
        let is_due = match which {
            Which::All => true,
            Which::Missing => program_is_missing(project, service),
            Which::None => false,
        };
        if is_selected && is_due && done.insert(command) {
            build_one(project, service, command)?;
        }
    }
    Ok(())
}

fn program_is_missing(project: &Project, service: &Service) -> bool {
    let path = project.variables.get("PATH").map_or("", String::as_str);
    service.local_command().is_some_and(|argv| {
        definition::find_program(&argv[0], &project.loaded.stack.directory, path).is_none()
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
        .help("its output stands above; nothing was started")
    };
    // Its output goes to standard error: standard output is for the verb's own result.
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
