//! A project of one file in memory, which may name itself and nothing else.

use cais_model::diagnostic::Diagnostic;
use cais_model::fields::{self, Runtime};
use cais_model::resolved::{Resolve, as_written, resolved};
use cais_model::{Failed, LoadOptions, Loaded, Source, SourceError, load, render};
use std::path::{Path, PathBuf};

struct One<'t>(&'t str);

impl Source for One<'_> {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        match path.to_str() {
            Some("compose.yaml" | "/project/compose.yaml") => Ok(self.0.to_owned()),
            _ => Err(SourceError::NotFound),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name.len() == 1).then(|| "v".to_owned())
    }
}

fn loaded(text: &str) -> Result<Loaded, Failed> {
    let options = LoadOptions {
        files: vec![PathBuf::from("compose.yaml")],
        project_directory: PathBuf::from("/project"),
        ..LoadOptions::default()
    };
    load(&One(text), &options)
}

/// Loads a text and holds the answer against what the loader promises.
pub fn check(text: &str) {
    match loaded(text) {
        Err(failed) => {
            assert!(failed.diagnostics.iter().any(Diagnostic::is_error));
            for diagnostic in &failed.diagnostics {
                render(diagnostic, &failed.files, false);
            }
        }
        Ok(first) => accepted(&first),
    }
}

fn accepted(first: &Loaded) {
    for runtime in [Runtime::Process, Runtime::Docker, Runtime::Aws] {
        for diagnostic in fields::unsupported(first, runtime) {
            render(&diagnostic, &first.files, false);
        }
    }
    let what = Resolve {
        paths: true,
        home: Some(PathBuf::from("/home")),
        environment: true,
        names: true,
    };
    resolved(first, &what).to_json();
    as_written(&first.tree).to_yaml();
    let printed = first.tree.escaped().to_yaml();
    let again = loaded(&printed);
    let again = again.unwrap_or_else(|failed| {
        panic!("what was printed is refused: {:?}\n{printed}", failed.diagnostics)
    });
    assert_eq!(again.tree.to_yaml(), first.tree.to_yaml());
}
