//! The loader as its callers use it: files in, stack or diagnostics out.

mod consistency;
mod container;
mod develop;
mod environment;
mod files;
mod hostile;
mod image;
mod runtime;
mod service;
mod shown;
mod x_cais;

use cais_model::diagnostic::Severity;
use cais_model::stack::Service;
use cais_model::{Failed, LoadOptions, Loaded, Source, SourceError, load};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A project in memory, in `/project`.
#[derive(Default)]
struct Project {
    files: BTreeMap<PathBuf, String>,
    variables: BTreeMap<String, String>,
    options: LoadOptions,
}

/// A project of one `compose.yaml`.
fn one(text: &str) -> Project {
    Project::default().compose("compose.yaml", text)
}

/// A project with one service, given by its fields in one line.
fn web(fields: &str) -> Project {
    one(&format!("services: {{web: {{image: i, {fields}}}}}\n"))
}

impl Project {
    /// Adds a Compose file that is named with `-f`.
    fn compose(mut self, path: &str, text: &str) -> Self {
        self.options.files.push(PathBuf::from(path));
        self.options.project_directory = PathBuf::from("/project");
        self.file(path, text)
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(PathBuf::from(path), text.to_owned());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.options.profiles.push(name.to_owned());
        self
    }

    fn try_load(&self) -> Result<Loaded, Failed> {
        load(self, &self.options)
    }

    /// The project, which must be right.
    fn load(&self) -> Loaded {
        self.try_load()
            .unwrap_or_else(|failed| panic!("{:#?}", lines(&failed)))
    }

    /// Its service `web`.
    fn service(&self) -> Service {
        self.load().stack.services["web"].clone()
    }

    /// What is wrong with it, a line each.
    fn errors(&self) -> Vec<String> {
        lines(&self.try_load().err().unwrap_or_else(|| panic!("it loads")))
    }
}

fn lines(failed: &Failed) -> Vec<String> {
    let errors = failed
        .diagnostics
        .iter()
        .filter(|it| it.severity == Severity::Error);
    errors
        .map(|diagnostic| diagnostic.to_string().replace("compose.yaml:", ""))
        .collect()
}

impl Source for Project {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        self.files.get(path).cloned().ok_or(SourceError::NotFound)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}
