//! Which services a change of files is about. Pure: the files are read by the caller, paths are relative to the repository, with `/` between folders.

use super::cargo;
use crate::image::ignore::Ignore;
use cais_model::Loaded;
use cais_model::name::ServiceName;
use cais_model::node::Node;
use cais_model::stack::{FileOrigin, Service, Stack};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a file of the repository; `None` where there is none.
pub(crate) type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

/// What a service is made from.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// One file.
    File(String),
    /// Everything below a folder; `""` is the whole repository.
    Folder(String),
    /// A build context: everything below it that `.dockerignore` lets through, or only these folders and files of it.
    Context {
        folder: String,
        ignore: Ignore,
        only: Option<Vec<String>>,
    },
}

/// A service that a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Changed {
    pub(crate) service: ServiceName,
    /// Files, and what else is different; never empty.
    pub(crate) because: Vec<String>,
}

/// What every service is made from. `project` is the project's folder, relative to the repository.
pub(crate) fn inputs(
    loaded: &Loaded,
    project: &str,
    read: Read<'_>,
) -> BTreeMap<ServiceName, Inputs> {
    let tree = loaded.tree.get("services");
    loaded
        .stack
        .services
        .iter()
        .map(|(name, service)| {
            let node = tree.and_then(|tree| tree.get(name.as_str()));
            (
                name.clone(),
                of(service, node, &loaded.stack, project, read),
            )
        })
        .collect()
}

fn of(
    service: &Service,
    node: Option<&Node>,
    stack: &Stack,
    project: &str,
    read: Read<'_>,
) -> Inputs {
    let mut parts = Vec::new();
    if let Some(build) = &service.build {
        parts.extend(context(
            &build.context,
            build.dockerfile.as_deref(),
            project,
            read,
        ));
    } else if service
        .process
        .as_ref()
        .is_some_and(|it| it.build.is_some())
    {
        // A shell command says nothing about what it reads.
        parts.push(Part::Folder(project.to_owned()));
    }
    for path in items(node, &["develop", "watch"]).filter_map(|it| text(it, "path")) {
        parts.push(Part::Folder(join(project, &path)));
    }
    for path in items(node, &["env_file"]).filter_map(|it| text(it, "path")) {
        parts.push(Part::File(join(project, &path)));
    }
    for mount in &service.configs {
        if let Some(FileOrigin::File(path)) = stack.configs.get(&mount.source).map(|it| &it.origin)
            && let Ok(path) = path.strip_prefix(&stack.directory)
        {
            parts.push(Part::Folder(join(project, &path.to_string_lossy())));
        }
    }
    Inputs { parts }
}

/// The parts of a build: its context, or of a Cargo workspace the packages that its Dockerfile's package needs.
fn context(context: &str, dockerfile: Option<&str>, project: &str, read: Read<'_>) -> Vec<Part> {
    if context.contains("://") || context.starts_with("git@") {
        return Vec::new();
    }
    let folder = join(project, context);
    let name = dockerfile.unwrap_or("Dockerfile");
    let dockerfile = join(&folder, name);
    let own = format!("{dockerfile}.dockerignore");
    let general = join(&folder, ".dockerignore");
    let ignore = read(&own).or_else(|| read(&general)).unwrap_or_default();
    // Patterns that cannot be read let everything through: too much is built, never too little.
    let ignore = Ignore::parse(&ignore).unwrap_or_default();
    let package = parent(&dockerfile);
    let only = (package != folder)
        .then(|| cargo::closure(&folder, package, read))
        .flatten();
    vec![
        Part::File(dockerfile.clone()),
        Part::File(own),
        Part::File(general),
        Part::Context {
            folder,
            ignore,
            only,
        },
    ]
}

impl Inputs {
    /// Is it made from nothing here?
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Is a file one of them?
    pub(crate) fn has(&self, path: &str) -> bool {
        self.parts.iter().any(|part| match part {
            Part::File(file) => file == path,
            Part::Folder(folder) => below(folder, path).is_some() || folder == path,
            Part::Context {
                folder,
                ignore,
                only,
            } => below(folder, path).is_some_and(|inner| {
                let needed = only.as_ref().is_none_or(|only| {
                    only.iter()
                        .any(|it| it == path || below(it, path).is_some())
                });
                needed && !ignore.excludes(inner)
            }),
        })
    }
}

/// The services that changed files are about, and those whose definition differs from `before` (all of them where the file could not be read then).
pub(crate) fn changed(
    inputs: &BTreeMap<ServiceName, Inputs>,
    paths: &[String],
    now: &Stack,
    before: Option<&Stack>,
) -> Vec<Changed> {
    let mut found = Vec::new();
    for (name, inputs) in inputs {
        let files = paths.iter().filter(|path| inputs.has(path)).cloned();
        let mut because: Vec<String> = files.collect();
        let definition = |stack: &Stack| stack.services.get(name).map(|it| it.definition.clone());
        match before {
            None => because.push("the Compose file could not be read as it was".to_owned()),
            Some(before) => match definition(before) {
                None => because.push("it is new in the Compose file".to_owned()),
                Some(then) if Some(&then) != definition(now).as_ref() => {
                    because.push("its definition in the Compose file".to_owned());
                }
                Some(_) => {}
            },
        }
        if !because.is_empty() {
            found.push(Changed {
                service: name.clone(),
                because,
            });
        }
    }
    found
}

fn items<'n>(node: Option<&'n Node>, path: &[&str]) -> impl Iterator<Item = &'n Node> {
    let list = node
        .and_then(|node| node.at(path))
        .and_then(Node::as_sequence);
    list.unwrap_or_default().iter()
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar_text)
}

/// What of a path is below a folder.
fn below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path seen from a folder, without `.` and `..`.
pub(super) fn join(folder: &str, path: &str) -> String {
    let whole = Path::new(folder).join(path);
    let mut parts: Vec<String> = Vec::new();
    for part in whole.components() {
        match part {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cais_model::source::{LoadOptions, Source, SourceError};
    use std::path::PathBuf;

    const WORKSPACE: &[(&str, &str)] = &[
        (
            "compose.yaml",
            "services:
  clock: { build: { context: ., dockerfile: apps/clock/Dockerfile } }
  calendar: { build: { context: ., dockerfile: apps/calendar/Dockerfile }, env_file: [calendar.env] }
  site: { build: ./site, develop: { watch: [ { path: ./shared, action: rebuild } ] } }
  redis: { image: \"redis:7.4.6\" }
",
        ),
        (".dockerignore", "**/*.md\n"),
        ("Cargo.toml", "[workspace]\nmembers = [\"apps/*\"]\n[workspace.dependencies]\ncommon = { path = \"apps/common\" }\n"),
        ("apps/clock/Cargo.toml", "[package]\nname = \"clock\"\n[dependencies]\ncommon = { workspace = true }\n"),
        ("apps/calendar/Cargo.toml", "[package]\nname = \"calendar\"\n[dependencies]\ncommon.workspace = true\n"),
        ("apps/common/Cargo.toml", "[package]\nname = \"common\"\n[target.'cfg(unix)'.dependencies]\ncache = { path = \"../../crates/cache\" }\n"),
        ("crates/cache/Cargo.toml", "[package]\nname = \"cache\"\n[dev-dependencies]\nproof = { path = \"../proof\" }\n"),
        ("calendar.env", "A=1\n"),
    ];

    struct Files(BTreeMap<String, String>);

    impl Source for Files {
        fn read(&self, path: &Path) -> Result<String, SourceError> {
            let path = path.strip_prefix("/repo").unwrap_or(path);
            let text = self.0.get(path.to_str().unwrap());
            text.cloned().ok_or(SourceError::NotFound)
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn files(changes: &[(&str, &str)]) -> Files {
        let all = WORKSPACE.iter().chain(changes);
        Files(
            all.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    fn loaded(files: &Files) -> Loaded {
        let options = LoadOptions {
            files: vec![PathBuf::from("compose.yaml")],
            project_directory: PathBuf::from("/repo"),
            ..LoadOptions::default()
        };
        cais_model::load(files, &options).unwrap()
    }

    /// The services that are said to have changed, by name.
    fn check(paths: &[&str], want: &[&str]) {
        let now = files(&[]);
        let loaded = loaded(&now);
        let read = |path: &str| now.0.get(path).cloned();
        let inputs = inputs(&loaded, "", &read);
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let found = changed(&inputs, &paths, &loaded.stack, Some(&loaded.stack));
        let names: Vec<&str> = found.iter().map(|it| it.service.as_str()).collect();
        assert_eq!(names, want, "{paths:?}");
    }

    #[test]
    fn a_change_is_about_the_services_that_are_made_from_it() {
        check(&["apps/clock/src/main.rs"], &["clock"]);
        check(&["apps/clock/Dockerfile"], &["clock"]);
        check(&["apps/common/src/lib.rs"], &["calendar", "clock"]);
        check(&["crates/cache/src/lib.rs"], &["calendar", "clock"]);
        check(&["Cargo.lock"], &["calendar", "clock"]);
        check(&[".dockerignore"], &["calendar", "clock"]);
        check(&["calendar.env"], &["calendar"]);
        check(&["site/index.html"], &["site"]);
        check(&["shared/logo.svg"], &["site"]);
    }

    #[test]
    fn a_change_of_nothing_that_is_built_is_about_nobody() {
        check(&["docs/guide/check.md"], &[]);
        check(&["apps/clock/README.md"], &[]);
        check(&["crates/proof/src/lib.rs"], &[]);
        check(&[], &[]);
    }

    #[test]
    fn a_definition_that_differs_is_a_change_and_a_new_service_too() {
        let now = files(&[]);
        let now = loaded(&now);
        let old = files(&[(
            "compose.yaml",
            "services:
  clock: { build: { context: ., dockerfile: apps/clock/Dockerfile } }
  calendar: { build: { context: ., dockerfile: apps/calendar/Dockerfile }, env_file: [calendar.env] }
  redis: { image: \"redis:7.4.5\" }
",
        )]);
        let old = loaded(&old);
        let inputs = inputs(&now, "", &|_| None);
        let found = changed(&inputs, &[], &now.stack, Some(&old.stack));
        let names: Vec<&str> = found.iter().map(|it| it.service.as_str()).collect();
        assert_eq!(names, ["redis", "site"]);
        assert_eq!(changed(&inputs, &[], &now.stack, None).len(), 4);
    }
}
