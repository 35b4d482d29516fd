//! What a revision runs: its service as loaded from the release's own texts, its program kept aside,
//! its environment resolved. Knows files and variables; decides nothing about tasks.

use super::resolve::{self, Surroundings};
use crate::control::Release;
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::ContainerRun;
use crate::source::ReleaseSource;
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Variables that a task gets from the caller's environment, as a login would give them. Everything
/// else comes from the Compose file, so that a stack behaves the same in every shell.
const INHERITED: [&str; 9] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR",
];

/// Everything needed to start a task of one revision, but its ports.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// The typed service.
    pub(crate) service: Service,
    /// A process's whole environment but the port variables; what the file adds to a container's image.
    pub(crate) environment: BTreeMap<String, String>,
    /// What is run.
    pub(crate) run: Run,
}

/// What a task of a revision runs.
#[derive(Debug, Clone)]
pub(crate) enum Run {
    /// A program of this machine.
    Process {
        /// Program (absolute where it could be found) and arguments.
        argv: Vec<String>,
        /// Working directory.
        directory: PathBuf,
    },
    /// An image.
    Container(ContainerRun),
}

impl Definition {
    /// Of a container, as far as its revision is told by it; without an image it is none that ever ran.
    pub(crate) fn of_image(service: &Service, image: Option<String>) -> Self {
        Self {
            service: service.clone(),
            environment: service.environment.clone(),
            run: Run::Container(ContainerRun {
                image: image.unwrap_or_default(),
                files: BTreeMap::new(),
                networks: BTreeMap::new(),
                volumes: BTreeMap::new(),
                aliases: Vec::new(),
            }),
        }
    }

    /// The same with the program that its revision kept.
    pub(crate) fn with_program(mut self, kept: &Path) -> Self {
        if let Run::Process { argv, .. } = &mut self.run {
            argv[0] = kept.display().to_string();
        }
        self
    }
}

/// Loads a release again, with these variables.
pub(crate) fn load(
    release: &Release,
    variables: &BTreeMap<String, String>,
) -> Outcome<cais_model::Loaded> {
    let source = ReleaseSource::new(release, variables);
    let options = cais_model::LoadOptions {
        files: release.files.clone(),
        project_directory: release.directory.clone(),
        project_name: Some(release.name.clone()),
        profiles: release.profiles.clone(),
        env_files: release.env_files.clone(),
    };
    cais_model::load(&source, &options)
        .map_err(|failed| Failure::invalid(failed.diagnostics, failed.files))
}

/// The definition of `service` within `stack`, as a process.
///
/// # Errors
/// When the service has no local command, or its program is not there.
pub(crate) fn define(
    stack: &Stack,
    service: &Service,
    around: &Surroundings,
    variables: &BTreeMap<String, String>,
) -> Outcome<Definition> {
    define_from(stack, service, around, variables, true)
}

/// The same; without `must_exist` the program may be missing, because the revision kept its own copy.
pub(crate) fn define_from(
    stack: &Stack,
    service: &Service,
    around: &Surroundings,
    variables: &BTreeMap<String, String>,
    must_exist: bool,
) -> Outcome<Definition> {
    let name = &service.name;
    let mut argv = service.local_command().ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!(
                "{}: `{name}` has no command that this machine could run",
                service.position
            ),
        )
        .help(format!(
            "give it one under services.{name}.x-cais.process.command"
        ))
    })?;
    let directory = match &service.working_dir {
        // A container's absolute path means nothing here.
        Some(folder) if !Path::new(folder).is_absolute() => stack.directory.join(folder),
        _ => stack.directory.clone(),
    };
    let (own, _) = resolve::environment(service, around);
    let mut environment: BTreeMap<String, String> = INHERITED
        .iter()
        .filter_map(|name| {
            variables
                .get(*name)
                .map(|value| ((*name).to_owned(), value.clone()))
        })
        .collect();
    environment.extend(own);
    let path = environment.get("PATH").cloned().unwrap_or_default();
    match find_program(&argv[0], &directory, &path) {
        Some(program) => argv[0] = program.display().to_string(),
        None if must_exist => return Err(missing_program(service, &argv[0])),
        None => {}
    }
    Ok(Definition {
        service: service.clone(),
        environment,
        run: Run::Process { argv, directory },
    })
}

fn missing_program(service: &Service, program: &str) -> Failure {
    let name = &service.name;
    let help = match (&service.process, program.contains('/')) {
        (Some(process), true) if process.build.is_some() => {
            format!("build it: `cais up --build`, or correct services.{name}.x-cais.process.build")
        }
        (_, true) => "check the path; it is relative to the folder of the Compose file".to_owned(),
        (_, false) => format!(
            "install `{program}`, or let the stack run without it: services.{name}.x-cais.process.optional: true"
        ),
    };
    Failure::new(
        Exit::Error,
        format!(
            "{}: the program of `{name}`, `{program}`, is not there",
            service.position
        ),
    )
    .help(help)
}

/// The programs of a service that are not installed: its own, and the one that its shell is about.
pub(crate) fn missing_programs(
    stack: &Stack,
    service: &Service,
    variables: &BTreeMap<String, String>,
) -> Vec<String> {
    let empty = String::new();
    let path = service
        .environment
        .get("PATH")
        .or_else(|| variables.get("PATH"))
        .unwrap_or(&empty);
    let Some(argv) = service.local_command() else {
        return vec!["a local command".to_owned()];
    };
    std::iter::once(argv[0].clone())
        .chain(shell_programs(&argv))
        .filter(|program| find_program(program, &stack.directory, path).is_none())
        .collect()
}

/// The program that `sh -c '… exec PROGRAM …'` is about: an optional service is there only when it is.
fn shell_programs(argv: &[String]) -> Vec<String> {
    let shell = Path::new(&argv[0])
        .file_name()
        .and_then(|name| name.to_str());
    let [_, flag, script, ..] = argv else {
        return Vec::new();
    };
    if !matches!(shell, Some("sh" | "bash" | "dash" | "ash"))
        || !flag.starts_with('-')
        || !flag.ends_with('c')
    {
        return Vec::new();
    }
    let words: Vec<&str> = script.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "exec")
        .map(|pair| pair[1].trim_end_matches(';').to_owned())
        .filter(|program| {
            program
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'))
        })
        .collect()
}

/// Finds `program` as a shell would: with a slash as a path from `directory`, otherwise along `path`.
pub(crate) fn find_program(program: &str, directory: &Path, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(directory.join(program)).filter(|candidate| is_executable(candidate));
    }
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(program))
        .find(|p| is_executable(p))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Loopback addresses by service, for resolving names.
pub(crate) fn named_addresses(
    stack: &Stack,
    kept: &BTreeMap<String, std::net::Ipv4Addr>,
) -> BTreeMap<ServiceName, std::net::Ipv4Addr> {
    stack
        .services
        .keys()
        .filter_map(|name| {
            kept.get(name.as_str())
                .map(|address| (name.clone(), *address))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_service_is_about_the_program_that_its_shell_runs() {
        let argv: Vec<String> = ["sh", "-c", "printf x | exec redis-server - --port $PORT"]
            .iter()
            .map(|s| (*s).to_owned())
            .collect();
        assert_eq!(shell_programs(&argv), ["redis-server"]);
    }
}
