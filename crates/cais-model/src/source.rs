//! Where the loader's inputs come from: the caller supplies files and variables, and says which files make the project.

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::stack::Stack;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files and variables. The loader touches neither disk nor environment itself.
pub trait Source {
    /// The text of a file.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when there is no such file, [`SourceError::Other`] with a lowercase fragment for the rest.
    fn read(&self, path: &Path) -> Result<String, SourceError>;

    /// A variable of the caller's environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// What a variable is that nothing sets; usually nothing. A caller that looks at a project without its variables gives a value that most fields accept.
    fn stand_in(&self) -> Option<String> {
        None
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Which files, under which name, with which profiles.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// In order of `-f`; absolute or relative to the caller's current directory; `-` is standard input, read through [`Source::read`].
    pub files: Vec<PathBuf>,
    /// Absolute. What relative paths in the files are relative to.
    pub project_directory: PathBuf,
    /// `-p`; else `COMPOSE_PROJECT_NAME`, else the top-level `name:`, else the directory's base name made valid.
    pub project_name: Option<String>,
    /// `--profile` and `COMPOSE_PROFILES`; `*` is all.
    pub profiles: Vec<String>,
    /// `--env-file`, the last wins; else `<project_directory>/.env` where it exists.
    pub env_files: Vec<PathBuf>,
}

/// A project that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub stack: Stack,
    /// All files merged, in canonical long form: what `config` prints. Secrets that came through variables stand in it in clear.
    pub tree: Node,
    /// What may not have the effect its author expects, by position.
    pub warnings: Vec<Diagnostic>,
    /// Every Compose file read, with its text, in the order of reading.
    pub files: Vec<(PathBuf, String)>,
    /// Every variable that interpolation asked for, with the value it got.
    pub variables: BTreeMap<String, Option<String>>,
}

/// A project that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the Compose file has errors")]
pub struct Failed {
    /// Errors and warnings, by position.
    pub diagnostics: Vec<Diagnostic>,
    /// Every Compose file read, with its text.
    pub files: Vec<(PathBuf, String)>,
}
