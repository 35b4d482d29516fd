//! A Compose file in, infrastructure or diagnostics out: what a stack renders to, and what is told when it cannot.

#![expect(clippy::disallowed_methods, reason = "a test is its own caller")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod bad_input;
mod infra;
mod stacks;

use cais_model::{LoadOptions, Loaded, Source, SourceError, load};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files on disk, and no variables.
struct Disk;

impl Source for Disk {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        std::fs::read_to_string(path).map_err(|_| SourceError::NotFound)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// One file in memory.
struct Memory(BTreeMap<PathBuf, String>);

impl Source for Memory {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        self.0.get(path).cloned().ok_or(SourceError::NotFound)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// The repository's own files, for an environment.
fn example(environment: &str) -> Loaded {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap();
    let options = LoadOptions {
        files: vec![
            root.join("compose.yaml"),
            root.join(format!("compose.{environment}.yaml")),
        ],
        project_directory: root,
        ..LoadOptions::default()
    };
    load(&Disk, &options).unwrap_or_else(|failed| panic!("{:?}", failed.diagnostics))
}

/// A stack of one file.
fn stack(text: &str) -> Loaded {
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/shop"),
        ..LoadOptions::default()
    };
    let files = BTreeMap::from([(PathBuf::from("compose.yaml"), text.to_owned())]);
    load(&Memory(files), &options).unwrap_or_else(|failed| panic!("{:?}", failed.diagnostics))
}
