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
use cais_model::node::{Mapping, Node};
use cais_model::{Failed, LoadOptions, Loaded, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A loaded project.
pub(crate) struct Project {
    pub(crate) loaded: Loaded,
    pub(crate) release: Release,
    pub(crate) paths: Paths,
    pub(crate) variables: BTreeMap<String, String>,
}

/// Which files make it, before they are read.
struct Found {
    options: LoadOptions,
    variables: BTreeMap<String, String>,
    /// Has an unset variable a value nevertheless?
    stands_in: bool,
}

type Load = fn(&dyn Source, &LoadOptions) -> Result<Loaded, Failed>;

impl Found {
    fn loaded(self, load: Load) -> Outcome<Project> {
        let source = CallerSource::new(self.variables.clone());
        let source = if self.stands_in {
            source.with_stand_in()
        } else {
            source
        };
        let loaded = load(&source, &self.options)
            .map_err(|failed| Failure::invalid(failed.diagnostics, failed.files))?;
        let release = Release {
            files: self.options.files,
            texts: loaded.files.clone(),
            directory: self.options.project_directory.clone(),
            name: loaded.stack.name.to_string(),
            profiles: self.options.profiles,
            env_files: self.options.env_files,
        };
        let paths = Paths::of(loaded.stack.name.as_str(), &self.options.project_directory)?;
        Ok(Project {
            loaded,
            release,
            paths,
            variables: self.variables,
        })
    }
}

impl Project {
    /// Loads the project that the command line means, for the environment that it means. Warnings are printed, errors are the failure.
    pub(crate) fn load(global: &Global) -> Outcome<Self> {
        Self::load_for(global, global.environment())
    }

    /// Loads the project that the command line means, for an environment of the caller's choice.
    pub(crate) fn load_for(global: &Global, environment: Environment) -> Outcome<Self> {
        Self::found(global, environment)?.loaded(cais_model::load)
    }

    /// Loads it to be looked at: without variables, unset ones are no error; without consistency, what does not fit together is none.
    pub(crate) fn look(
        global: &Global,
        without_variables: bool,
        without_consistency: bool,
    ) -> Outcome<Self> {
        let mut found = Self::found(global, global.environment())?;
        found.stands_in = without_variables;
        if without_consistency {
            found.loaded(cais_model::load_without_consistency)
        } else {
            found.loaded(cais_model::load)
        }
    }

    /// Loads it as an environment has it, to be looked at, without that environment's variables.
    pub(crate) fn look_for(global: &Global, environment: Environment) -> Outcome<Self> {
        let mut found = Self::found(global, environment)?;
        found.stands_in = true;
        found.loaded(cais_model::load_without_consistency)
    }

    /// The names of all profiles, those of services that no enabled profile has included.
    pub(crate) fn all_profiles(global: &Global) -> Outcome<BTreeSet<String>> {
        let mut found = Self::found(global, global.environment())?;
        found.options.profiles = vec!["*".to_owned()];
        let project = found.loaded(cais_model::load_without_consistency)?;
        let services = project.loaded.tree.get("services");
        let services = services.and_then(Node::as_mapping).into_iter();
        let profiles = services
            .flat_map(Mapping::iter)
            .filter_map(|(_, entry)| entry.value.get("profiles")?.as_sequence())
            .flatten();
        Ok(profiles.filter_map(Node::scalar_text).collect())
    }

    fn found(global: &Global, environment: Environment) -> Outcome<Found> {
        let variables = source::environment();
        let current = current_directory()?;
        let settings = Settings::read(global, &variables, &current)?;
        let files = files::find(global, &settings, &current, &environment)?;
        let directory = files::project_directory(global, &files, &current);
        let options = LoadOptions {
            files,
            project_directory: directory,
            project_name: global.project_name.clone(),
            profiles: settings.profiles(global),
            env_files: settings.env_files,
        };
        Ok(Found {
            options,
            variables,
            stands_in: false,
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
    let settings = Settings::read(global, &source::environment(), &current)?;
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
