//! The project's name, which interpolation needs before anything else is known (Compose Specification, "Name").

use super::{ComposeFile, Loading};
use crate::diagnostic::Diagnostic;
use crate::name::ProjectName;
use crate::node::{Mapping, Node, Value};
use crate::variables::interpolate_tree;

const VARIABLE: &str = "COMPOSE_PROJECT_NAME";

impl Loading<'_> {
    /// `-p`, else `COMPOSE_PROJECT_NAME`, else the last file's `name:`, else the directory's base name; the last two made valid.
    pub(super) fn project_name(&mut self, files: &[ComposeFile]) -> Option<ProjectName> {
        let given = self
            .options
            .project_name
            .clone()
            .or_else(|| self.variables.peek(VARIABLE));
        let name = match given.filter(|name| !name.is_empty()) {
            Some(name) => ProjectName::parse(&name)
                .map_err(|error| Diagnostic::error_without_place(error.to_string())),
            None => match self.name_in_files(files) {
                Some(name) => Ok(name),
                None => self.name_of_directory(),
            },
        };
        match name {
            Ok(name) => {
                self.variables.fix(VARIABLE, name.as_str());
                Some(name)
            }
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        }
    }

    fn name_in_files(&mut self, files: &[ComposeFile]) -> Option<ProjectName> {
        let documents = files
            .iter()
            .rev()
            .flat_map(|file| file.documents.iter().rev());
        let written = documents
            .filter_map(|document| document.get("name"))
            .next()?
            .clone();
        let mut tree = Node::mapping_at(&written);
        let mut mapping = Mapping::default();
        mapping.set("name", written);
        tree.value = Value::Mapping(mapping);
        // What is wrong with it is reported when the whole file is interpolated.
        interpolate_tree(&mut tree, &mut self.variables, &mut Vec::new());
        let node = tree.get("name")?;
        let text = node.as_str()?;
        let name = ProjectName::parse(&made_valid(text)).ok()?;
        if name.as_str() != text {
            self.diagnostics.push(
                node.warning(format!("the project name `{text}` becomes `{name}`"))
                    .with_help("a project name has lowercase letters, digits, `_` and `-`"),
            );
        }
        Some(name)
    }

    fn name_of_directory(&self) -> Result<ProjectName, Diagnostic> {
        let directory = &self.options.project_directory;
        let base = directory.file_name().unwrap_or_default().to_string_lossy();
        ProjectName::parse(&made_valid(&base)).map_err(|_| {
            Diagnostic::error_without_place(format!(
                "no project name can be made of the folder `{}`",
                directory.display()
            ))
            .with_help("give one with `-p NAME` or a top-level `name:`")
        })
    }
}

fn made_valid(text: &str) -> String {
    let is_valid =
        |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let kept: String = text.to_lowercase().chars().filter(is_valid).collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}
