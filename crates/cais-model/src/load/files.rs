//! Reads Compose files and env files and remembers the former for storing.

use super::{ComposeFile, Loading};
use crate::diagnostic::Diagnostic;
use crate::dotenv;
use crate::node::Node;
use crate::paths;
use crate::source::SourceError;
use crate::yaml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Loading<'_> {
    /// Reads a Compose file; `asked_by` is the node that names it, where one does.
    pub(super) fn read(&mut self, path: &Path, asked_by: Option<&Node>) -> Option<ComposeFile> {
        if let Some(written) = path.to_str().filter(|path| paths::is_remote(path)) {
            self.diagnostics.push(remote(written, asked_by));
            return None;
        }
        let text = match self.source.read(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", path.display());
                self.diagnostics.push(placed(message, asked_by));
                return None;
            }
        };
        let parsed = yaml::parse(&Arc::new(path.to_path_buf()), &text);
        if !self.files.iter().any(|(known, _)| known == path) {
            self.files.push((path.to_path_buf(), text));
        }
        match parsed {
            Ok(parsed) => {
                self.diagnostics.extend(parsed.errors);
                Some(ComposeFile {
                    path: path.to_path_buf(),
                    documents: parsed.documents,
                })
            }
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        }
    }

    /// Reads `--env-file`, or `.env` where it exists; of several the last wins.
    pub(super) fn env_files(&mut self) {
        let default = [self.options.project_directory.join(".env")];
        let is_default = self.options.env_files.is_empty();
        let paths: &[PathBuf] = if is_default {
            &default
        } else {
            &self.options.env_files
        };
        for path in paths {
            match self.source.read(path) {
                Ok(text) => match self.env_variables(path, &text) {
                    Ok(variables) => self.variables.add_file(variables, true),
                    Err(message) => self.without_place(message),
                },
                Err(SourceError::NotFound) if is_default => {}
                Err(error) => self.without_place(format!(
                    "env file `{}` cannot be read: {error}",
                    path.display()
                )),
            }
        }
    }

    /// The variables of an env file's text that have a value.
    pub(super) fn env_variables(
        &mut self,
        path: &Path,
        text: &str,
    ) -> Result<BTreeMap<String, String>, String> {
        let parsed = dotenv::parse(text, &mut |name| self.variables.get(name));
        match parsed {
            Ok(variables) => Ok(variables
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect()),
            Err(error) => Err(format!(
                "{}:{}: {}",
                path.display(),
                error.line,
                error.reason
            )),
        }
    }
}

/// A file that stands elsewhere.
pub(super) fn remote(written: &str, asked_by: Option<&Node>) -> Diagnostic {
    placed(format!("`{written}` is not a local file"), asked_by)
        .with_help("cais fetches no Compose file: download it and name the copy")
}

fn placed(message: String, asked_by: Option<&Node>) -> Diagnostic {
    match asked_by {
        Some(node) => node.error(message),
        None => Diagnostic::error_without_place(message),
    }
}
