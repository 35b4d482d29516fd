//! Which Compose files make the project. What stands in them is read later.

use super::Global;
use super::environment::{self, Environment};
use crate::exit::{Exit, Failure, Outcome};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Looked for in this order, here and in the parent folders, as Docker Compose does.
const FILE_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// Override files, one of which is merged where it stands beside the found file.
const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
];

/// The files in the order of merging: those that are named, else the found one; over them the environment's, or for this machine the found one's override file.
pub(crate) fn find(
    global: &Global,
    variables: &BTreeMap<String, String>,
    current: &Path,
    environment: &Environment,
) -> Outcome<Vec<PathBuf>> {
    let mut files = match named(global, variables) {
        Some(files) => files,
        None => {
            let file = found(global, current)?;
            let extra = (*environment == Environment::Local).then(|| override_of(&file));
            std::iter::once(file).chain(extra.flatten()).collect()
        }
    };
    if let (Environment::Named(name), Some(first)) = (environment, files.first()) {
        let file = environment::file_of(name, first)?;
        if !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}

/// `-f`, else `COMPOSE_FILE`.
fn named(global: &Global, variables: &BTreeMap<String, String>) -> Option<Vec<PathBuf>> {
    if !global.files.is_empty() {
        return Some(global.files.clone());
    }
    let list = variables
        .get("COMPOSE_FILE")
        .filter(|list| !list.is_empty())?;
    let separator = variables
        .get("COMPOSE_PATH_SEPARATOR")
        .map_or(":", String::as_str);
    Some(list.split(separator).map(PathBuf::from).collect())
}

/// The first of the usual names here or above.
fn found(global: &Global, current: &Path) -> Outcome<PathBuf> {
    let start = global
        .project_directory
        .as_deref()
        .map_or_else(|| current.to_owned(), |folder| current.join(folder));
    for folder in start.ancestors() {
        if let Some(name) = FILE_NAMES.iter().find(|name| folder.join(name).is_file()) {
            return Ok(if folder == current {
                PathBuf::from(name)
            } else {
                folder.join(name)
            });
        }
    }
    Err(Failure::new(
        Exit::Usage,
        format!(
            "no compose.yaml in `{}` or any folder above it",
            start.display()
        ),
    )
    .help("go to the folder of your project, or name the file: `cais -f FILE …`"))
}

fn override_of(file: &Path) -> Option<PathBuf> {
    OVERRIDE_NAMES
        .iter()
        .map(|name| file.with_file_name(name))
        .find(|file| file.is_file())
}
