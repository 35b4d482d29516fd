//! Which environment is meant, and the file that says what it has otherwise. Loading is the project's.

use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::EnvironmentName;
use cais_model::suggest;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What stands between a Compose file's stem and its ending for the laptop: Docker Compose's own word.
const OVERRIDE: &str = "override";

const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// Where a stack runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Environment {
    /// This machine: the Compose file, with its override file where there is one.
    #[default]
    Local,
    /// The Compose file with `compose.<name>.yaml` over it.
    Named(EnvironmentName),
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            OVERRIDE => Err(format!(
                "`{OVERRIDE}` is no environment: compose.{OVERRIDE}.yaml is what this machine has otherwise"
            )),
            _ => EnvironmentName::parse(text)
                .map(Self::Named)
                .map_err(|error| error.to_string()),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.pad("local"),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// The names of the environments that have a file beside this Compose file, in order; `local`, which needs none, is not among them.
pub(crate) fn beside(compose_file: &Path) -> BTreeSet<EnvironmentName> {
    let Some(stem) = compose_file.file_stem().and_then(|stem| stem.to_str()) else {
        return BTreeSet::new();
    };
    let name_of = |file: PathBuf| {
        let ending = file.extension()?.to_str()?;
        let name = file.file_stem()?.to_str()?.strip_prefix(stem)?;
        let name = name.strip_prefix('.')?;
        let is_environment = ENDINGS.contains(&ending) && name != OVERRIDE && name != "local";
        is_environment.then(|| EnvironmentName::parse(name).ok())?
    };
    std::fs::read_dir(folder_of(compose_file))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| name_of(entry.file_name().into()))
        .collect()
}

/// The file of a named environment, beside this Compose file and named after it.
pub(crate) fn file_of(name: &EnvironmentName, compose_file: &Path) -> Outcome<PathBuf> {
    if compose_file == Path::new("-") {
        return Err(Failure::new(
            Exit::Usage,
            format!("standard input has no file for the environment `{name}` beside it"),
        )
        .help("give the Compose file by its name: `cais -f FILE …`, or all files with `-f`"));
    }
    let stem = compose_file.file_stem().unwrap_or_default();
    let spelled = |ending: &str| {
        let name = format!("{}.{name}.{ending}", stem.to_string_lossy());
        compose_file.with_file_name(name)
    };
    let written = ENDINGS.map(spelled);
    match written.iter().find(|file| file.is_file()) {
        Some(file) => Ok(file.clone()),
        None => Err(missing(name, &written[0], compose_file)),
    }
}

fn missing(name: &EnvironmentName, wanted: &Path, compose_file: &Path) -> Failure {
    let known = beside(compose_file);
    let names: Vec<&str> = known.iter().map(EnvironmentName::as_str).collect();
    let slip = suggest::did_you_mean(name.as_str(), names.iter().copied());
    let help = match (slip, names.is_empty()) {
        (Some(slip), _) => format!("{slip} there are: local, {}", names.join(", ")),
        (None, false) => format!("there are: local, {}", names.join(", ")),
        (None, true) => format!(
            "there is only `local`; to make one, write what it has otherwise into `{}`",
            wanted.display()
        ),
    };
    let message = format!(
        "there is no environment `{name}`: `{}` does not exist",
        wanted.display()
    );
    Failure::new(Exit::Usage, message).help(help)
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "services: {}\n").unwrap();
        }
        folder
    }

    #[test]
    fn environments_are_the_files_named_after_the_compose_file() {
        let folder = folder(&[
            "compose.yaml",
            "compose.staging.yaml",
            "compose.production.yml",
            "compose.override.yaml",
            "compose.local.yaml",
            "compose.Upper.yaml",
            "compose.notes.txt",
            "other.test.yaml",
        ]);
        let found = beside(&folder.path().join("compose.yaml"));
        let names: Vec<&str> = found.iter().map(EnvironmentName::as_str).collect();
        assert_eq!(names, ["production", "staging"]);
    }

    #[test]
    fn an_environment_without_a_file_is_told_those_that_have_one() {
        let full = folder(&["compose.yaml", "compose.staging.yaml"]);
        let empty = folder(&["compose.yaml"]);
        for (folder, name, want) in [
            (
                &full,
                "stagin",
                "did you mean `staging`? there are: local, staging",
            ),
            (&full, "test", "there are: local, staging"),
            (&empty, "test", "there is only `local`; to make one,"),
        ] {
            let name = EnvironmentName::parse(name).unwrap();
            let failure = file_of(&name, &folder.path().join("compose.yaml")).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(
                failure.help.as_ref().unwrap().starts_with(want),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn words_become_environments() {
        assert_eq!("local".parse(), Ok(Environment::Local));
        let staging = EnvironmentName::parse("staging").unwrap();
        assert_eq!("staging".parse(), Ok(Environment::Named(staging)));
        for bad in ["", "Staging", "a/b", "..", "override"] {
            assert!(bad.parse::<Environment>().is_err(), "{bad}");
        }
    }
}
