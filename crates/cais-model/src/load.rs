//! From files to a stack, in Compose's order: read, interpolate, cast, include, extend, merge, validate, canonicalise, type.

use crate::canonical;
use crate::diagnostic::Diagnostic;
use crate::dotenv;
use crate::name::ProjectName;
use crate::node::{Node, Value};
use crate::schema;
use crate::source::{Failed, LoadOptions, Loaded, Source, SourceError};
use crate::typed;
use crate::variables::{Variables, interpolate_tree};
use crate::yaml;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Loads a project.
///
/// # Errors
/// [`Failed`] with everything that could be found wrong, by position. YAML that cannot be read ends the search in its file.
pub fn load(source: &dyn Source, options: &LoadOptions) -> Result<Loaded, Failed> {
    let mut loading = Loading {
        source,
        options,
        variables: Variables::new(source),
        diagnostics: Vec::new(),
        files: Vec::new(),
    };
    let outcome = loading.run();
    let mut diagnostics = loading.diagnostics;
    order(&mut diagnostics);
    match outcome {
        Some((stack, tree)) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(Loaded {
            stack,
            tree,
            warnings: diagnostics,
            files: loading.files,
            variables: loading.variables.asked,
        }),
        _ => Err(Failed {
            diagnostics,
            files: loading.files,
        }),
    }
}

/// By position; of several findings about one place the first made is kept with those that say something else.
fn order(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        (a.position.is_some(), &a.position).cmp(&(b.position.is_some(), &b.position))
    });
    diagnostics.dedup();
}

struct Loading<'l> {
    source: &'l dyn Source,
    options: &'l LoadOptions,
    variables: Variables<'l>,
    diagnostics: Vec<Diagnostic>,
    files: Vec<(PathBuf, String)>,
}

impl Loading<'_> {
    fn run(&mut self) -> Option<(crate::stack::Stack, Node)> {
        self.env_files();
        let file = self.options.files.first()?;
        let mut tree = self.file(file)?;
        let name = self.project_name(&tree)?;
        schema::check(&tree, &mut self.diagnostics);
        canonical::canonicalise(&mut tree, &mut self.diagnostics);
        let mut inputs = typed::Inputs {
            source: self.source,
            variables: &mut self.variables,
            directory: &self.options.project_directory,
            name,
        };
        let stack = typed::stack(&tree, &mut inputs, &mut self.diagnostics);
        Some((stack, tree))
    }

    fn env_files(&mut self) {
        let default = self.options.project_directory.join(".env");
        let is_default = self.options.env_files.is_empty();
        let paths = if is_default {
            std::slice::from_ref(&default)
        } else {
            &self.options.env_files[..]
        };
        for path in paths {
            match self.source.read(path) {
                Ok(text) => self.env_file(path, &text),
                Err(SourceError::NotFound) if is_default => {}
                Err(error) => self.without_place(format!(
                    "env file `{}` cannot be read: {error}",
                    path.display()
                )),
            }
        }
    }

    fn env_file(&mut self, path: &Path, text: &str) {
        match dotenv::parse(text, &mut |name| self.variables.get(name)) {
            Ok(variables) => {
                let values = variables
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                self.variables.add_file(values, true);
            }
            Err(error) => self.without_place(format!(
                "{}:{}: {}",
                path.display(),
                error.line,
                error.reason
            )),
        }
    }

    fn without_place(&mut self, message: String) {
        self.diagnostics
            .push(Diagnostic::error_without_place(message));
    }

    fn file(&mut self, path: &Path) -> Option<Node> {
        let text = match self.source.read(path) {
            Ok(text) => text,
            Err(error) => {
                self.without_place(format!("`{}` cannot be read: {error}", path.display()));
                return None;
            }
        };
        let parsed = yaml::parse(&Arc::new(path.to_path_buf()), &text);
        self.files.push((path.to_path_buf(), text));
        let documents = match parsed {
            Ok(documents) => documents,
            Err(error) => {
                self.diagnostics.push(error);
                return None;
            }
        };
        self.diagnostics.extend(documents.errors);
        let mut tree = documents.documents.into_iter().next()?;
        if !matches!(tree.value, Value::Mapping(_)) {
            self.diagnostics
                .push(tree.error("a Compose file is a mapping"));
            return None;
        }
        interpolate_tree(&mut tree, &mut self.variables, &mut self.diagnostics);
        Some(tree)
    }

    fn project_name(&mut self, tree: &Node) -> Option<ProjectName> {
        let given = self
            .options
            .project_name
            .clone()
            .or_else(|| self.variables.get("COMPOSE_PROJECT_NAME"));
        let written = given.or_else(|| tree.get("name").and_then(Node::scalar_text));
        let name = written.unwrap_or_else(|| {
            let base = self
                .options
                .project_directory
                .file_name()
                .unwrap_or_default();
            let valid =
                |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            let lower = base.to_string_lossy().to_lowercase();
            lower
                .chars()
                .filter(valid)
                .collect::<String>()
                .trim_start_matches(['_', '-'])
                .to_owned()
        });
        match ProjectName::parse(&name) {
            Ok(name) => Some(name),
            Err(error) => {
                self.without_place(error.to_string());
                None
            }
        }
    }
}
