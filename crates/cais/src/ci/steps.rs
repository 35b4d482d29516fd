//! Which steps a pipeline has and what each runs: by the tools that a service's folder has files of. Pure: the files are read by the caller.

use super::changed::{Read, join};
use cais_model::name::ServiceName;
use cais_model::stack::Service;
use serde::Serialize;
use std::fmt;
use toml::{Table, Value};

/// A step, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// Formatters and linters of the services' languages
    Lint,
    /// Their tests
    Test,
    /// `cais check`
    Check,
    /// Their build commands
    Build,
    /// What a deploy would change
    Plan,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lint => "lint",
            Self::Test => "test",
            Self::Check => "check",
            Self::Build => "build",
            Self::Plan => "plan",
        })
    }
}

/// One command of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Task {
    pub(crate) step: Step,
    /// Whose it is; several where they have the same command in the same folder. None: the whole project's.
    pub(crate) services: Vec<ServiceName>,
    /// Where it runs, relative to the repository.
    pub(crate) folder: String,
    /// For `sh -c`.
    pub(crate) command: String,
}

/// The tasks of these services, equal ones once. `project` is the project's folder, relative to the repository.
pub(crate) fn tasks<'s>(
    services: impl Iterator<Item = &'s Service>,
    project: &str,
    read: Read<'_>,
) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for service in services {
        for (step, folder, command) in of(service, project, read) {
            let same = tasks
                .iter_mut()
                .find(|it| it.step == step && it.folder == folder && it.command == command);
            match same {
                Some(task) => task.services.push(service.name.clone()),
                None => tasks.push(Task {
                    step,
                    services: vec![service.name.clone()],
                    folder,
                    command,
                }),
            }
        }
    }
    tasks.sort_by_key(|task| task.step);
    tasks
}

fn of(service: &Service, project: &str, read: Read<'_>) -> Vec<(Step, String, String)> {
    let mut found = Vec::new();
    let declared = [
        (Step::Lint, &service.ci.lint),
        (Step::Test, &service.ci.test),
    ];
    for (step, command) in declared {
        if let Some(command) = command.as_ref().filter(|it| !it.trim().is_empty()) {
            found.push((step, project.to_owned(), command.clone()));
        }
    }
    let is_declared = |step| {
        declared
            .iter()
            .any(|(it, command)| *it == step && command.is_some())
    };
    if let Some(folder) = folder(service, project) {
        for (step, command) in conventions(&folder, read) {
            if !is_declared(step) {
                found.push((step, folder.clone(), command));
            }
        }
    }
    if let Some(command) = service.process.as_ref().and_then(|it| it.build.clone()) {
        found.push((Step::Build, project.to_owned(), command));
    } else if service.build.is_some() {
        let command = format!("cais build {}", service.name);
        found.push((Step::Build, project.to_owned(), command));
    }
    found
}

/// Where a service's sources are: beside its Dockerfile.
fn folder(service: &Service, project: &str) -> Option<String> {
    let build = service.build.as_ref()?;
    if build.context.contains("://") {
        return None;
    }
    let context = join(project, &build.context);
    let dockerfile = join(
        &context,
        build.dockerfile.as_deref().unwrap_or("Dockerfile"),
    );
    Some(
        dockerfile
            .rsplit_once('/')
            .map_or_else(String::new, |(folder, _)| folder.to_owned()),
    )
}

/// What people of each language type, where the folder shows that they do.
fn conventions(folder: &str, read: Read<'_>) -> Vec<(Step, String)> {
    let file = |name: &str| read(&join(folder, name));
    let mut found = Vec::new();
    let mut add = |step, command: &str| found.push((step, command.to_owned()));
    if let Some(manifest) = file("Cargo.toml").and_then(|text| text.parse::<Table>().ok())
        && manifest.contains_key("package")
    {
        add(
            Step::Lint,
            "cargo fmt --check && cargo clippy --all-targets --locked --quiet -- -D warnings",
        );
        add(Step::Test, "cargo test --locked --quiet");
    }
    if let Some(manifest) = file("package.json")
        && let Ok(manifest) = serde_json::from_str::<serde_json::Value>(&manifest)
    {
        let install = "[ -d node_modules ] || npm ci";
        if manifest["scripts"]["lint"].is_string() {
            add(Step::Lint, &format!("{install}; npm run --silent lint"));
        }
        if manifest["scripts"]["test"].is_string() {
            add(Step::Test, &format!("{install}; npm test --silent"));
        }
    }
    if let Some(manifest) = file("pyproject.toml").and_then(|text| text.parse::<Table>().ok()) {
        let tools = manifest.get("tool").and_then(Value::as_table);
        let has = |name: &str| tools.is_some_and(|tools| tools.contains_key(name));
        if has("ruff") {
            add(Step::Lint, "ruff check . && ruff format --check .");
        }
        if has("pytest") {
            add(Step::Test, "python3 -m pytest -q");
        }
    }
    if file("go.mod").is_some() {
        add(Step::Lint, "test -z \"$(gofmt -l .)\" && go vet ./...");
        add(Step::Test, "go test ./...");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(name: &str, text: &str) -> Vec<Step> {
        let read = |path: &str| (path == name).then(|| text.to_owned());
        conventions("app", &read)
            .into_iter()
            .map(|(step, _)| step)
            .collect()
    }

    #[test]
    fn a_folder_is_linted_and_tested_by_what_it_shows() {
        let both = vec![Step::Lint, Step::Test];
        assert_eq!(steps("app/Cargo.toml", "[package]\nname = \"a\"\n"), both);
        assert_eq!(steps("app/Cargo.toml", "[workspace]\n"), []);
        assert_eq!(
            steps("app/package.json", r#"{"scripts":{"test":"x"}}"#),
            [Step::Test]
        );
        assert_eq!(
            steps(
                "app/pyproject.toml",
                "[tool.ruff]\n[tool.pytest.ini_options]\n"
            ),
            both
        );
        assert_eq!(steps("app/go.mod", "module a\n"), both);
        assert_eq!(steps("app/README.md", ""), []);
    }

    /// The tasks of a file with one service in a Cargo package, as `step folder command`.
    fn declared(ci: &str) -> Vec<String> {
        struct OneFile(String);
        impl cais_model::Source for OneFile {
            fn read(&self, path: &std::path::Path) -> Result<String, cais_model::SourceError> {
                let is_it = path.ends_with("compose.yaml");
                is_it
                    .then(|| self.0.clone())
                    .ok_or(cais_model::SourceError::NotFound)
            }
            fn variable(&self, _: &str) -> Option<String> {
                None
            }
        }
        let text = format!("services: {{web: {{build: app, x-cais: {{ci: {ci}}}}}}}\n");
        let options = cais_model::LoadOptions {
            files: vec!["compose.yaml".into()],
            project_directory: "/project".into(),
            ..Default::default()
        };
        let loaded = cais_model::load(&OneFile(text), &options).unwrap();
        let read =
            |path: &str| (path == "app/Cargo.toml").then(|| "[package]\nname = \"a\"\n".to_owned());
        tasks(loaded.stack.services.values(), "", &read)
            .iter()
            .map(|it| {
                let first = it.command.split(' ').take(2).collect::<Vec<_>>().join(" ");
                format!("{} {} {first}", it.step, it.folder)
            })
            .collect()
    }

    #[test]
    fn what_the_file_says_takes_the_place_of_what_the_folder_shows() {
        let build = "build  cais build".to_owned();
        assert_eq!(
            declared("{}"),
            ["lint app cargo fmt", "test app cargo test", &build]
        );
        assert_eq!(
            declared("{lint: make lint}"),
            ["lint  make lint", "test app cargo test", &build]
        );
        assert_eq!(declared("{lint: '', test: ''}"), [build]);
    }
}
