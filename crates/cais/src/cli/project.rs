//! Which project is meant: finds the Compose files, loads them, and names the project's folders.

use super::Global;
use crate::control::Release;
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use crate::source::{self, CallerSource};
use cais_model::diagnostic::Severity;
use cais_model::fields::{self, Runtime};
use cais_model::name::ServiceName;
use cais_model::{LoadOptions, Loaded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Looked for in this order, here and in the parent folders, as Docker Compose does.
const FILE_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// Override files that are merged where they stand beside the found file.
const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
];

/// A loaded project.
pub(crate) struct Project {
    pub(crate) loaded: Loaded,
    pub(crate) release: Release,
    pub(crate) paths: Paths,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Project {
    /// Loads the project that the command line means. Warnings are printed, errors are the failure.
    pub(crate) fn load(global: &Global) -> Outcome<Self> {
        let variables = source::environment();
        let current = current_directory()?;
        let files = find_files(global, &variables, &current)?;
        let directory = project_directory(global, &files, &current);
        let options = LoadOptions {
            files: files.clone(),
            project_directory: directory.clone(),
            project_name: global.project_name.clone(),
            profiles: profiles(global, &variables),
            env_files: global
                .env_files
                .iter()
                .map(|file| current.join(file))
                .collect(),
        };
        let loaded = cais_model::load(&CallerSource::new(variables.clone()), &options)
            .map_err(|failed| Failure::invalid(failed.diagnostics, failed.files))?;
        let release = Release {
            files,
            texts: loaded.files.clone(),
            directory: directory.clone(),
            name: loaded.stack.name.to_string(),
            profiles: options.profiles,
            env_files: options.env_files,
        };
        let paths = Paths::of(loaded.stack.name.as_str(), &directory)?;
        Ok(Self {
            loaded,
            release,
            paths,
            variables,
        })
    }

    /// Refuses what the process runtime does not honour; prints what deserves a warning.
    pub(crate) fn check_runtime(&self) -> Outcome {
        let mut diagnostics = self.loaded.warnings.clone();
        diagnostics.extend(fields::unsupported(&self.loaded, Runtime::Process));
        if diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
        {
            return Err(Failure::invalid(diagnostics, self.loaded.files.clone()));
        }
        super::output::print_diagnostics(&diagnostics, &self.loaded.files);
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        self.loaded.stack.name.as_str()
    }

    /// A name on the command line that stands for no service of the file.
    pub(crate) fn unknown_service(&self, name: &ServiceName) -> Failure {
        let known = self.loaded.stack.services.keys();
        let list = known
            .map(ServiceName::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        Failure::new(Exit::Usage, format!("no service `{name}` in the file"))
            .help(format!("its services are: {list}"))
    }

    /// A file that has nothing to run.
    pub(crate) fn no_services(&self) -> Failure {
        let files = self.release.files.iter();
        let files = files
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        Failure::new(Exit::Usage, format!("`{files}` has no service to run")).help(
            "give it one under `services:`, or enable the profile that its services are in: `cais --profile NAME up`",
        )
    }
}

fn current_directory() -> Outcome<PathBuf> {
    std::env::current_dir()
        .map_err(|error| Failure::new(Exit::Error, format!("the current folder is gone: {error}")))
}

/// `-f`, else `COMPOSE_FILE`, else the first name found here or above.
fn find_files(
    global: &Global,
    variables: &BTreeMap<String, String>,
    current: &Path,
) -> Outcome<Vec<PathBuf>> {
    if !global.files.is_empty() {
        return Ok(global.files.clone());
    }
    if let Some(list) = variables
        .get("COMPOSE_FILE")
        .filter(|list| !list.is_empty())
    {
        let separator = variables
            .get("COMPOSE_PATH_SEPARATOR")
            .map_or(":", String::as_str);
        return Ok(list.split(separator).map(PathBuf::from).collect());
    }
    let start = global
        .project_directory
        .as_deref()
        .map_or_else(|| current.to_owned(), |folder| current.join(folder));
    for folder in start.ancestors() {
        let Some(name) = FILE_NAMES.iter().find(|name| folder.join(name).is_file()) else {
            continue;
        };
        let shown = |name: &str| {
            if folder == current {
                PathBuf::from(name)
            } else {
                folder.join(name)
            }
        };
        let extra = OVERRIDE_NAMES
            .iter()
            .find(|name| folder.join(name).is_file());
        return Ok(std::iter::once(shown(name))
            .chain(extra.map(|name| shown(name)))
            .collect());
    }
    Err(Failure::new(
        Exit::Usage,
        format!(
            "no compose.yaml in `{}` or any folder above it",
            start.display()
        ),
    )
    .help("go to the folder of your project, or name the file: `cais -f FILE …`"))
}

fn project_directory(global: &Global, files: &[PathBuf], current: &Path) -> PathBuf {
    let folder = match (&global.project_directory, files.first()) {
        (Some(folder), _) => current.join(folder),
        (None, Some(file)) if file != Path::new("-") => current
            .join(file)
            .parent()
            .map_or_else(|| current.to_owned(), Path::to_owned),
        _ => current.to_owned(),
    };
    // One folder, one project, whatever link it was reached by.
    folder.canonicalize().unwrap_or(folder)
}

fn profiles(global: &Global, variables: &BTreeMap<String, String>) -> Vec<String> {
    let from_variable = variables
        .get("COMPOSE_PROFILES")
        .into_iter()
        .flat_map(|list| list.split(','));
    let mut profiles: Vec<String> = global
        .profiles
        .iter()
        .map(String::as_str)
        .chain(from_variable)
        .map(str::trim)
        .filter(|profile| !profile.is_empty())
        .map(str::to_owned)
        .collect();
    profiles.dedup();
    profiles
}
