//! What a changed file means: which rules of `develop.watch` it falls under, and what is to be done then. Does nothing itself.

use crate::exit::{Exit, Failure, Outcome};
use crate::image::ignore::{self, Ignore};
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack, WatchAction, WatchRule};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folders of version control and editors: nothing there is a change of a program.
const FOLDERS: [&str; 4] = [".git", ".hg", ".svn", ".idea"];

/// Every rule of the services that are watched.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    service: ServiceName,
    action: WatchAction,
    /// What is watched, absolute.
    root: PathBuf,
    /// Where it goes in the container.
    target: Option<String>,
    ignore: Ignore,
    include: Option<Ignore>,
    context: Arc<Context>,
    initial_sync: bool,
}

/// What a service's build leaves out, and what it writes itself.
#[derive(Debug)]
struct Context {
    folder: PathBuf,
    ignore: Ignore,
    products: Vec<PathBuf>,
}

/// What changes bring about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Where changed files go in the containers of each service; one that is no longer there is removed there.
    pub(crate) copies: BTreeMap<ServiceName, BTreeSet<(PathBuf, String)>>,
    /// Services to build and roll out, each with a file that is a reason for it.
    pub(crate) rebuild: BTreeMap<ServiceName, PathBuf>,
    /// Services whose tasks are replaced, the same way.
    pub(crate) restart: BTreeMap<ServiceName, PathBuf>,
}

impl Rules {
    /// The rules of these services, all when none is named.
    ///
    /// # Errors
    /// None of them is watched; a path that is not there; a pattern that is none.
    pub(crate) fn of(stack: &Stack, services: &[ServiceName]) -> Outcome<Self> {
        let mut rules = Vec::new();
        for service in stack.services.values() {
            if service.watch.is_empty()
                || !(services.is_empty() || services.contains(&service.name))
            {
                continue;
            }
            let context = Arc::new(context(stack, service)?);
            for rule in &service.watch {
                // The field table has told of it.
                if rule.action != WatchAction::SyncExec {
                    rules.push(Rule::of(stack, service, rule, &context)?);
                }
            }
        }
        if rules.is_empty() {
            let what = match services {
                [] => "no service is".to_owned(),
                [one] => format!("`{one}` is not"),
                _ => "none of these services is".to_owned(),
            };
            return Err(
                Failure::new(Exit::Usage, format!("{what} watched by the file"))
                    .help("say what to watch: `develop: { watch: [{ action: rebuild, path: . }] }` in a service"),
            );
        }
        Ok(Self(rules))
    }

    /// What is watched.
    pub(crate) fn roots(&self) -> BTreeSet<&Path> {
        self.0.iter().map(|rule| rule.root.as_path()).collect()
    }

    /// Each service with what is watched for it and to what end, as lines for people.
    pub(crate) fn described(&self, directory: &Path) -> Vec<String> {
        let line = |rule: &Rule| {
            let (service, action) = (&rule.service, rule.action.as_str());
            format!("{service}: {} ({action})", shown(&rule.root, directory))
        };
        self.0.iter().map(line).collect()
    }

    /// Services with a rule of this action.
    pub(crate) fn with_action(&self, action: WatchAction) -> BTreeSet<&ServiceName> {
        let rules = self.0.iter().filter(|rule| rule.action == action);
        rules.map(|rule| &rule.service).collect()
    }

    /// Does a change of this file mean anything?
    pub(crate) fn counts(&self, path: &Path) -> bool {
        self.0.iter().any(|rule| rule.counts(path))
    }

    /// May something below this folder count?
    pub(crate) fn enters(&self, folder: &Path) -> bool {
        self.0.iter().any(|rule| rule.enters(folder))
    }

    /// What these changes bring about.
    pub(crate) fn work(&self, changed: &BTreeSet<PathBuf>) -> Work {
        let mut work = Work::default();
        for path in changed {
            for rule in self.0.iter().filter(|rule| rule.counts(path)) {
                rule.add(path, &mut work);
            }
        }
        // Tasks of what is built anew are new anyway.
        work.restart
            .retain(|service, _| !work.rebuild.contains_key(service));
        work
    }

    /// The copies that `initial_sync` asks for, of files that are there.
    pub(crate) fn first_copies(&self, files: &BTreeSet<PathBuf>) -> Work {
        let mut work = Work::default();
        for rule in self.0.iter().filter(|rule| rule.initial_sync) {
            for path in files.iter().filter(|path| rule.counts(path)) {
                rule.copy(path, &mut work);
            }
        }
        work
    }
}

impl Rule {
    fn of(
        stack: &Stack,
        service: &Service,
        rule: &WatchRule,
        context: &Arc<Context>,
    ) -> Outcome<Self> {
        let root = clean(&stack.directory.join(&rule.path));
        if !root.exists() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{}: `{}` is watched for `{}`, and is not there",
                    rule.position,
                    root.display(),
                    service.name
                ),
            )
            .help("correct `path`; it is relative to the Compose file's folder"));
        }
        let patterns = |of: &[String]| {
            Ignore::parse(&of.join("\n")).map_err(|(_, what)| {
                Failure::new(Exit::Usage, format!("{}: {what}", rule.position))
                    .help("a pattern is a path with `*`, `?`, `[…]` or `**`, relative to `path`")
            })
        };
        Ok(Self {
            service: service.name.clone(),
            action: rule.action,
            root,
            target: rule.target.clone(),
            ignore: patterns(&rule.ignore)?,
            include: match rule.include.as_slice() {
                [] => None,
                include => Some(patterns(include)?),
            },
            context: Arc::clone(context),
            initial_sync: rule.initial_sync,
        })
    }

    fn counts(&self, path: &Path) -> bool {
        let Some(below) = relative(path, &self.root) else {
            return false;
        };
        // A pattern that fits a path leaves it out: here it says what is taken in.
        let is_included = self
            .include
            .as_ref()
            .is_none_or(|include| below.is_empty() || include.excludes(&below));
        is_included && !is_temporary(&below) && !self.is_left_out(path, &below)
    }

    fn is_left_out(&self, path: &Path, below: &str) -> bool {
        let by_build = relative(path, &self.context.folder)
            .is_some_and(|below| self.context.ignore.excludes(&below));
        let is_product = self.context.products.iter().any(|it| it == path);
        by_build || is_product || self.ignore.excludes(below)
    }

    fn enters(&self, folder: &Path) -> bool {
        let Some(below) = relative(folder, &self.root) else {
            return false;
        };
        let pruned = |ignore: &Ignore, below: &str| {
            !below.is_empty() && ignore.excludes(below) && !ignore.may_include_below(below)
        };
        let by_build = relative(folder, &self.context.folder)
            .is_some_and(|below| pruned(&self.context.ignore, &below));
        !is_temporary(&below) && !by_build && !pruned(&self.ignore, &below)
    }

    fn add(&self, path: &Path, work: &mut Work) {
        if self.action.copies() {
            self.copy(path, work);
        }
        let list = match self.action {
            WatchAction::Rebuild => &mut work.rebuild,
            WatchAction::Restart | WatchAction::SyncRestart => &mut work.restart,
            WatchAction::Sync | WatchAction::SyncExec => return,
        };
        list.entry(self.service.clone())
            .or_insert_with(|| path.to_owned());
    }

    fn copy(&self, path: &Path, work: &mut Work) {
        let (Some(target), Some(below)) = (&self.target, relative(path, &self.root)) else {
            return;
        };
        let target = target.trim_end_matches('/');
        let place = match below.as_str() {
            "" => target.to_owned(),
            below => format!("{target}/{below}"),
        };
        let copies = work.copies.entry(self.service.clone()).or_default();
        copies.insert((path.to_owned(), place));
    }
}

/// What a service is built from: its build context, else the project's folder.
fn context(stack: &Stack, service: &Service) -> Outcome<Context> {
    let build = service.build.as_ref();
    let folder = build.map_or_else(
        || stack.directory.clone(),
        |build| clean(&stack.directory.join(&build.context)),
    );
    let dockerfile = build.and_then(|build| build.dockerfile.as_deref());
    let file = ignore::file_for(&folder, &folder.join(dockerfile.unwrap_or("Dockerfile")));
    let ignore = match file {
        None => Ignore::default(),
        Some(file) => {
            let text = std::fs::read_to_string(&file).map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("cannot read `{}`: {error}", file.display()),
                )
            })?;
            Ignore::parse(&text).map_err(|(line, what)| {
                Failure::new(Exit::Usage, format!("{}:{line}: {what}", file.display()))
            })?
        }
    };
    let program = service
        .local_command()
        .and_then(|argv| argv.first().cloned());
    let artifact = service
        .artifact
        .as_ref()
        .map(|artifact| artifact.path.clone());
    // A script that is run as it stands is what people edit; a program that a command builds is not.
    let is_built = service
        .process
        .as_ref()
        .is_some_and(|it| it.build.is_some());
    let products = program.filter(|_| is_built).into_iter().chain(artifact);
    let products = products.map(|path| clean(&stack.directory.join(path)));
    Ok(Context {
        products: products.collect(),
        folder,
        ignore,
    })
}

/// A path below a folder, with `/`; empty for the folder itself.
fn relative(path: &Path, folder: &Path) -> Option<String> {
    let below = path.strip_prefix(folder).ok()?;
    Some(below.to_string_lossy().into_owned())
}

/// What editors and version control write for themselves.
fn is_temporary(below: &str) -> bool {
    let mut parts = below.split('/');
    let name = below.rsplit('/').next().unwrap_or_default();
    let is_swap = name.starts_with('.')
        && [".swp", ".swx", ".swo"]
            .iter()
            .any(|end| name.ends_with(end));
    parts.any(|part| FOLDERS.contains(&part))
        || name.ends_with('~')
        || is_swap
        || name == "4913"
        || name.starts_with(".#")
        || (name.starts_with('#') && name.ends_with('#'))
        || name.starts_with(".goutputstream-")
        || name.ends_with("___jb_tmp___")
        || name.ends_with("___jb_old___")
}

/// Without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// A path as it is shown: relative where it is below.
pub(crate) fn shown(path: &Path, directory: &Path) -> String {
    match path.strip_prefix(directory) {
        Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Ok(below) => below.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: WatchAction, root: &str, ignore: &str, include: Option<&str>) -> Rule {
        Rule {
            service: ServiceName::parse("app").unwrap(),
            action,
            root: root.into(),
            target: action.copies().then(|| "/app/".to_owned()),
            ignore: Ignore::parse(ignore).unwrap(),
            include: include.map(|include| Ignore::parse(include).unwrap()),
            context: Arc::new(Context {
                folder: "/p".into(),
                ignore: Ignore::parse("target\n**/*.log\n!keep.log").unwrap(),
                products: vec!["/p/bin/app".into()],
            }),
            initial_sync: action == WatchAction::Sync,
        }
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_nobody_edits_does_not_count() {
        let rules = Rules(vec![rule(
            WatchAction::Rebuild,
            "/p",
            "node_modules/\n*.md",
            None,
        )]);
        let counts = [
            "/p/src/main.rs",
            "/p/keep.log",
            "/p/docs/a.md",
            "/p",
            "/p/.env",
        ];
        for path in counts {
            assert!(rules.counts(Path::new(path)), "{path}");
        }
        let counts_not = [
            "/p/target/debug/app",
            "/p/a/b.log",
            "/p/node_modules/x/y.js",
            "/p/README.md",
            "/p/bin/app",
            "/p/.git/index",
            "/p/src/.main.rs.swp",
            "/p/src/main.rs~",
            "/p/4913",
            "/q/main.rs",
            "/",
        ];
        for path in counts_not {
            assert!(!rules.counts(Path::new(path)), "{path}");
        }
        assert!(rules.enters(Path::new("/p/src")) && rules.enters(Path::new("/p")));
        for folder in ["/p/target", "/p/node_modules", "/p/.git", "/q"] {
            assert!(!rules.enters(Path::new(folder)), "{folder}");
        }
    }

    #[test]
    fn what_is_included_counts_alone() {
        let rules = Rules(vec![rule(
            WatchAction::Restart,
            "/p/src",
            "",
            Some("**/*.py"),
        )]);
        assert!(rules.counts(Path::new("/p/src/a/b.py")));
        assert!(!rules.counts(Path::new("/p/src/a/b.txt")));
        assert!(rules.enters(Path::new("/p/src/a")));
    }

    #[test]
    fn a_build_makes_a_restart_needless_and_copies_are_still_made() {
        let rules = Rules(vec![
            rule(WatchAction::SyncRestart, "/p/src", "", None),
            rule(WatchAction::Rebuild, "/p/src/deps", "", None),
            rule(WatchAction::Sync, "/p/one.txt", "", None),
        ]);
        let work = rules.work(&paths(&["/p/src/a.py", "/p/src/deps/b.txt", "/p/one.txt"]));
        let app = ServiceName::parse("app").unwrap();
        let places: Vec<&str> = work.copies[&app]
            .iter()
            .map(|(_, to)| to.as_str())
            .collect();
        assert_eq!(places, ["/app", "/app/a.py", "/app/deps/b.txt"]);
        assert_eq!(work.rebuild[&app], Path::new("/p/src/deps/b.txt"));
        assert!(work.restart.is_empty());
        let restart = rules.work(&paths(&["/p/src/a.py"]));
        assert!(restart.rebuild.is_empty() && restart.restart.contains_key(&app));
    }

    #[test]
    fn the_first_copy_is_of_those_who_ask_for_it() {
        let rules = Rules(vec![
            rule(WatchAction::Sync, "/p/a", "", None),
            rule(WatchAction::SyncRestart, "/p/b", "", None),
        ]);
        let work = rules.first_copies(&paths(&["/p/a/x", "/p/b/y"]));
        assert_eq!(work.copies.values().flatten().count(), 1);
        assert!(work.restart.is_empty());
    }
}
