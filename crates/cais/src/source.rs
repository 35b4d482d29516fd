//! Where the pure loader gets its files and variables from: the disk and the environment of the
//! caller, or the texts of a release that the journal kept.

use crate::control::Release;
use cais_model::source::{Source, SourceError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The disk, standard input and this process's environment.
pub(crate) struct CallerSource {
    variables: BTreeMap<String, String>,
    standard_input: std::cell::OnceCell<Result<String, String>>,
    stand_in: Option<String>,
}

impl CallerSource {
    pub(crate) fn new(variables: BTreeMap<String, String>) -> Self {
        Self {
            variables,
            standard_input: std::cell::OnceCell::new(),
            stand_in: None,
        }
    }

    /// The same with a value for every variable that nothing sets: most fields accept a `1`.
    pub(crate) fn with_stand_in(self) -> Self {
        Self {
            stand_in: Some("1".to_owned()),
            ..self
        }
    }
}

impl Source for CallerSource {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        if path == Path::new("-") {
            let text = self.standard_input.get_or_init(|| {
                std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())
            });
            return text.clone().map_err(SourceError::Other);
        }
        read_file(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn stand_in(&self) -> Option<String> {
        self.stand_in.clone()
    }
}

/// A release's own texts; what it did not keep (env files may hold secrets) is read from the disk.
pub(crate) struct ReleaseSource<'a> {
    texts: BTreeMap<&'a PathBuf, &'a str>,
    variables: &'a BTreeMap<String, String>,
}

impl<'a> ReleaseSource<'a> {
    pub(crate) fn new(release: &'a Release, variables: &'a BTreeMap<String, String>) -> Self {
        Self {
            texts: release
                .texts
                .iter()
                .map(|(path, text)| (path, text.as_str()))
                .collect(),
            variables,
        }
    }
}

impl Source for ReleaseSource<'_> {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        match self.texts.get(&path.to_owned()) {
            Some(text) => Ok((*text).to_owned()),
            None => read_file(path),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn read_file(path: &Path) -> Result<String, SourceError> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::NotFound,
        _ => SourceError::Other(error.to_string()),
    })
}

/// This process's environment as text; a variable that is not UTF-8 is left out.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
