//! `cais ci run`: the pipeline's steps here, one after the other, each with a log of its own. What passed is not run again until a file changes.

use super::changed::services_changed;
use super::tree::Tree;
use crate::ci::changed;
use crate::ci::git::Repository;
use crate::ci::steps::{self, Step, Task};
use crate::cli::Global;
use crate::cli::output::{self, BOLD, DIM};
use crate::cli::project::Project;
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::ServiceName;
use clap::Args;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Lines of a failed task's log that are shown with it.
const LAST_LINES: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Begin at this step: lint, test, check, build or plan
    #[arg(long, value_enum, hide_possible_values = true, value_name = "STEP")]
    from: Option<Step>,
    /// Only services that differ from this commit, branch or tag
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Run what passed before on the same files too
    #[arg(long)]
    no_cache: bool,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Passed,
    /// It passed before, on the same files.
    Cached,
    Failed,
}

pub(super) fn run(global: &Global, args: &RunArgs) -> Outcome {
    let project = Project::load(global)?;
    let directory = project.loaded.stack.directory.clone();
    let repository = Repository::of(&directory)?;
    let tasks = tasks(&project, &repository, args)?;
    let cache = Cache::open(global, &project, &repository)?;
    let began = Instant::now();
    let mut tree = Tree::new(global, &tasks);
    let mut rows = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        tree.begin(index);
        let started = Instant::now();
        let log = cache.log(task);
        let verdict = if !args.no_cache && cache.has(task) {
            Verdict::Cached
        } else {
            perform(task, repository.root(), &log)?
        };
        let seconds = started.elapsed().as_secs_f32();
        tree.end(index, task, verdict, seconds);
        rows.push(serde_json::json!({
            "step": task.step, "services": task.services, "command": task.command,
            "verdict": verdict, "seconds": seconds, "log": log,
        }));
        match verdict {
            Verdict::Passed => cache.keep(task)?,
            Verdict::Cached => {}
            Verdict::Failed => {
                tree.close();
                if global.json() {
                    output::print_json(&rows)?;
                }
                return Err(failed(task, &log));
            }
        }
    }
    tree.close();
    if global.json() {
        return output::print_json(&rows);
    }
    let count = rows.iter().filter(|row| row["verdict"] == "cached").count();
    output::print(&format!(
        "{} passed in {:.1} s, {count} of them before",
        match tasks.len() {
            1 => "1 task".to_owned(),
            n => format!("{n} tasks"),
        },
        began.elapsed().as_secs_f32()
    ))
}

/// What is due: the services' own tasks, and those of the project.
fn tasks(project: &Project, repository: &Repository, args: &RunArgs) -> Outcome<Vec<Task>> {
    let stack = &project.loaded.stack;
    let folder = repository.relative(&stack.directory);
    let selected: Option<BTreeSet<ServiceName>> = match &args.base {
        Some(base) => {
            let changed = services_changed(project, base)?;
            Some(changed.into_iter().map(|it| it.service).collect())
        }
        None => None,
    };
    let services = stack.services.values().filter(|service| {
        selected
            .as_ref()
            .is_none_or(|it| it.contains(&service.name))
    });
    let read = |path: &str| std::fs::read_to_string(repository.root().join(path)).ok();
    let mut tasks = steps::tasks(services, &folder, &read);
    for (step, command) in [(Step::Check, "cais check"), (Step::Plan, "cais plan")] {
        tasks.push(Task {
            step,
            services: Vec::new(),
            folder: folder.clone(),
            command: command.to_owned(),
        });
    }
    tasks.retain(|task| args.from.is_none_or(|from| task.step >= from));
    tasks.sort_by_key(|task| task.step);
    Ok(tasks)
}

/// Runs a task with its output in the log. `cais` in a command is this program.
fn perform(task: &Task, root: &Path, log: &Path) -> Outcome<Verdict> {
    let cannot = |what: &str, error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("cannot {what} `{}`: {error}", log.display()),
        )
    };
    let file = File::create(log).map_err(|error| cannot("write", error))?;
    let both = file.try_clone().map_err(|error| cannot("write", error))?;
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).unwrap_or(path);
    let status = Command::new("/bin/sh")
        .args(["-c", &task.command])
        .current_dir(root.join(&task.folder))
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .status()
        .map_err(|error| Failure::new(Exit::Error, format!("cannot run /bin/sh: {error}")))?;
    Ok(if status.success() {
        Verdict::Passed
    } else {
        Verdict::Failed
    })
}

fn failed(task: &Task, log: &Path) -> Failure {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    output::say(&format!(
        "{BOLD}the last lines of {}:{BOLD:#}",
        task.command
    ));
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        output::say(&format!("  {DIM}|{DIM:#} {line}"));
    }
    Failure::new(
        Exit::CheckFailed,
        format!("{} failed: `{}`", task.step, task.command),
    )
    .help(format!(
        "all of its output: {}; go on with `cais ci run --from {}`",
        log.display(),
        task.step
    ))
}

/// What passed, by everything that it was made from.
struct Cache {
    folder: PathBuf,
    project: String,
    inputs: std::collections::BTreeMap<ServiceName, changed::Inputs>,
    /// Every file of the repository with the hash of its content.
    files: Vec<(String, blake3::Hash)>,
    /// This program and the values of variables that the file names: they decide as files do.
    around: blake3::Hash,
}

impl Cache {
    fn open(global: &Global, project: &Project, repository: &Repository) -> Outcome<Self> {
        let folder = project.paths.state.join("ci");
        crate::paths::private_dir(&project.paths.state)?;
        crate::paths::private_dir(&folder)?;
        let root = repository.root();
        let mut names = repository.files()?;
        names.sort();
        names.dedup();
        let hash = |name: String| {
            let content = std::fs::read(root.join(&name)).ok()?;
            Some((name, blake3::hash(&content)))
        };
        let inner = repository.relative(&project.loaded.stack.directory);
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let mut around = blake3::Hasher::new();
        around.update(format!("{:?}", project.loaded.variables).as_bytes());
        around.update(global.environment().to_string().as_bytes());
        if let Some(own) = std::env::current_exe()
            .ok()
            .and_then(|own| own.metadata().ok())
        {
            around.update(format!("{:?} {}", own.modified().ok(), own.len()).as_bytes());
        }
        Ok(Self {
            inputs: changed::inputs(&project.loaded, &inner, &read),
            files: names.into_iter().filter_map(hash).collect(),
            around: around.finalize(),
            project: inner,
            folder,
        })
    }

    /// The files that a task's services are made from; for the project's own tasks, all.
    fn key(&self, task: &Task) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(task.command.as_bytes());
        hasher.update(task.folder.as_bytes());
        hasher.update(self.around.as_bytes());
        let known = |it: &ServiceName| self.inputs.get(it).is_some_and(|inputs| !inputs.is_empty());
        // A build of the whole project reads what it likes; so does a task of a service that is made from nothing here.
        let all = task.services.is_empty()
            || !task.services.iter().all(known)
            || (task.step == Step::Build && task.folder == self.project);
        for (name, content) in &self.files {
            let services = task.services.iter().filter_map(|it| self.inputs.get(it));
            if all || services.into_iter().any(|inputs| inputs.has(name)) {
                hasher.update(name.as_bytes());
                hasher.update(&[0]);
                hasher.update(content.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    fn has(&self, task: &Task) -> bool {
        let kept = std::fs::read_to_string(self.mark(task)).unwrap_or_default();
        // What a deploy would change is asked of what runs, not of files.
        task.step != Step::Plan && kept == self.key(task)
    }

    fn keep(&self, task: &Task) -> Outcome {
        let mark = self.mark(task);
        std::fs::write(&mark, self.key(task)).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("cannot write `{}`: {error}", mark.display()),
            )
        })
    }

    fn name(task: &Task) -> String {
        let command =
            blake3::hash(format!("{}\n{}", task.folder, task.command).as_bytes()).to_hex();
        format!("{}-{}", task.step, &command[..8])
    }

    fn mark(&self, task: &Task) -> PathBuf {
        self.folder.join(format!("{}.passed", Self::name(task)))
    }

    fn log(&self, task: &Task) -> PathBuf {
        self.folder.join(format!("{}.log", Self::name(task)))
    }
}
