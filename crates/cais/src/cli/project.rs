//! Which project is meant: loads its Compose files and names its folders. Which files these are is `files.rs`'s answer.

use super::Global;
use super::environment::{self, Environment};
use super::files::{self, Settings};
use crate::control::Release;
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use crate::runtime::Runtime;
use crate::source::{self, CallerSource};
use cais_model::diagnostic::Severity;
use cais_model::fields;
use cais_model::name::{EnvironmentName, ServiceName};
use cais_model::{LoadOptions, Loaded};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A loaded project.
pub(crate) struct Project {
    pub(crate) loaded: Loaded,
    pub(crate) release: Release,
    pub(crate) paths: Paths,
    pub(crate) variables: BTreeMap<String, String>,
    /// Which environment it was loaded for.
    pub(crate) environment: Environment,
}

impl Project {
    /// Loads the project that the command line means, for the environment that it means. Warnings are printed, errors are the failure.
    pub(crate) fn load(global: &Global) -> Outcome<Self> {
        Self::load_for(global, global.environment())
    }

    /// Loads the project that the command line means, for an environment of the caller's choice.
    pub(crate) fn load_for(global: &Global, environment: Environment) -> Outcome<Self> {
        let variables = source::environment();
        let current = current_directory()?;
        let settings = Settings::read(global, &variables, &current);
        let files = files::find(global, &settings, &current, &environment)?;
        let directory = files::project_directory(global, &files, &current);
        let options = LoadOptions {
            files: files.clone(),
            project_directory: directory.clone(),
            project_name: global.project_name.clone(),
            profiles: settings.profiles(global),
            env_files: settings.env_files,
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
            environment,
        })
    }

    /// Refuses what a runtime does not honour; prints what deserves a warning.
    pub(crate) fn check_runtime(&self, runtime: Runtime) -> Outcome {
        let mut diagnostics = self.loaded.warnings.clone();
        diagnostics.extend(fields::unsupported(&self.loaded, runtime.of_fields()));
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

/// The named environments of the project that the command line means, in order; `local` is always there besides.
pub(crate) fn environments(global: &Global) -> Outcome<BTreeSet<EnvironmentName>> {
    let current = current_directory()?;
    let settings = Settings::read(global, &source::environment(), &current);
    let files = files::find(global, &settings, &current, &Environment::Local)?;
    Ok(files
        .first()
        .map(|file| environment::beside(file))
        .unwrap_or_default())
}

fn current_directory() -> Outcome<PathBuf> {
    std::env::current_dir()
        .map_err(|error| Failure::new(Exit::Error, format!("the current folder is gone: {error}")))
}
