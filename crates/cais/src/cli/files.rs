//! Which Compose files make the project. What stands in them is read later.

use super::Global;
use super::environment::{self, Environment};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::dotenv;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Looked for in this order, here and in the parent folders, as Docker Compose does.
pub(crate) const FILE_NAMES: [&str; 4] = [
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

/// Docker Compose's own variables: of the environment, else of the env files, which are read for them before the Compose file is known.
pub(crate) struct Settings {
    variables: BTreeMap<String, String>,
    /// `--env-file`, else `COMPOSE_ENV_FILES`; empty means `.env` where it exists, and [`NO_ENV_FILE`] none.
    pub(crate) env_files: Vec<PathBuf>,
}

impl Settings {
    /// Reads them; what is wrong with an env file is told when the project is loaded.
    ///
    /// # Errors
    /// When `COMPOSE_DISABLE_ENV_FILE` says neither yes nor no.
    pub(crate) fn read(
        global: &Global,
        variables: &BTreeMap<String, String>,
        current: &Path,
    ) -> Outcome<Self> {
        let mut env_files: Vec<PathBuf> = if global.env_files.is_empty() {
            let list = variables
                .get("COMPOSE_ENV_FILES")
                .map_or("", String::as_str);
            let names = list.split(',').filter(|name| !name.is_empty());
            names.map(|name| current.join(name)).collect()
        } else {
            let named = global.env_files.iter();
            named.map(|file| current.join(file)).collect()
        };
        if env_files.is_empty() && is_disabled(variables)? {
            env_files.push(PathBuf::from(NO_ENV_FILE));
        }
        let default = [project_directory(global, &global.files, current).join(".env")];
        let mut all = BTreeMap::new();
        let read = if env_files.is_empty() {
            &default[..]
        } else {
            &env_files
        };
        for text in read.iter().flat_map(std::fs::read_to_string) {
            let mut lookup = |name: &str| variables.get(name).cloned();
            for (name, value) in dotenv::parse(&text, &mut lookup).unwrap_or_default() {
                if let (true, Some(value)) = (name.starts_with("COMPOSE_"), value) {
                    all.insert(name, value);
                }
            }
        }
        all.extend(variables.clone());
        Ok(Self {
            variables: all,
            env_files,
        })
    }

    /// A variable that is set and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    /// `--profile`, and `COMPOSE_PROFILES`.
    pub(crate) fn profiles(&self, global: &Global) -> Vec<String> {
        let given = global.profiles.iter().map(String::as_str);
        let listed = self.get("COMPOSE_PROFILES").unwrap_or_default().split(',');
        let mut profiles: Vec<String> = given
            .chain(listed)
            .map(str::trim)
            .filter(|profile| !profile.is_empty())
            .map(str::to_owned)
            .collect();
        profiles.dedup();
        profiles
    }
}

/// Named in place of `.env`, it is a file of no variables, for the supervisor too.
const NO_ENV_FILE: &str = "/dev/null";

/// `COMPOSE_DISABLE_ENV_FILE`, in the words that Docker Compose takes (Go's `strconv.ParseBool`).
fn is_disabled(variables: &BTreeMap<String, String>) -> Outcome<bool> {
    const NAME: &str = "COMPOSE_DISABLE_ENV_FILE";
    match variables.get(NAME).map(String::as_str) {
        None | Some("" | "0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some(other) => {
            let what = format!("`{NAME}` is `{other}`, which is neither true nor false");
            Err(Failure::new(Exit::Usage, what).help(format!("write `{NAME}=true`, or unset it")))
        }
    }
}

/// What relative paths are relative to: the folder that is named, else that of the first file.
pub(crate) fn project_directory(global: &Global, files: &[PathBuf], current: &Path) -> PathBuf {
    let folder = match (&global.project_directory, files.first()) {
        (Some(folder), _) => current.join(folder),
        (None, Some(file)) if file != Path::new("-") => current
            .join(file)
            .parent()
            .map_or_else(|| current.to_owned(), Path::to_owned),
        _ => current.to_owned(),
    };
    // One folder, one project, whatever link it was reached by.
    folder.canonicalize().unwrap_or(folder)
}

/// The files in the order of merging: those that are named, else the found one; over them the environment's, or for this machine the found one's override file.
pub(crate) fn find(
    global: &Global,
    settings: &Settings,
    current: &Path,
    environment: &Environment,
) -> Outcome<Vec<PathBuf>> {
    let mut files = match named(global, settings) {
        Some(files) => files,
        None => {
            let file = found(global, current)?;
            let extra = (*environment == Environment::Local).then(|| override_of(&file));
            std::iter::once(file).chain(extra.flatten()).collect()
        }
    };
    if let Some(folder) = files.iter().find(|file| current.join(file).is_dir()) {
        let (exit, name) = (Exit::Usage, folder.display());
        return Err(
            Failure::new(exit, format!("`{name}` is a folder, not a Compose file")).help(format!(
                "name the file in it, or go there: `cais --project-directory {name} …`"
            )),
        );
    }
    if let (Environment::Named(name), Some(first)) = (environment, files.first()) {
        let file = environment::file_of(name, first)?;
        if !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}

/// `-f`, else `COMPOSE_FILE`.
fn named(global: &Global, settings: &Settings) -> Option<Vec<PathBuf>> {
    if !global.files.is_empty() {
        return Some(global.files.clone());
    }
    let separator = settings.get("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
    let list = settings.get("COMPOSE_FILE")?.split(separator);
    Some(
        list.filter(|file| !file.is_empty())
            .map(PathBuf::from)
            .collect(),
    )
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
