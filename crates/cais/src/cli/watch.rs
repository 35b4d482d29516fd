//! `cais watch`, and `up --watch`: while somebody works, builds, copies and restarts what `develop.watch` says, each time by a
//! rollout. What is built and does not build, or does not turn healthy, leaves what runs alone.

use super::build::{self, Which};
use super::progress::Display;
use super::project::Project;
use super::verdict::{self, Interrupts};
use super::{Global, deploy, output, runtime, supervise, up, verbs};
use crate::control::{Request, Until, Wait};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::runtime::docker::Scope;
use crate::runtime::docker::sync::{self, Layer};
use crate::watch::rules::shown;
use crate::watch::{Changes, Rules, Work};
use bollard::Docker;
use cais_model::name::ServiceName;
use cais_model::stack::WatchAction;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

const SETTLED: Wait = Wait {
    until: Until::Settled,
    timeout_ms: None,
};

/// Files and their places in a container.
type Copies = BTreeSet<(PathBuf, String)>;

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Do not build and start the services first
    #[arg(long)]
    no_up: bool,
    /// Only these services
    #[arg(value_name = "SERVICE", value_parser = verbs::parse_service)]
    services: Vec<ServiceName>,
}

pub(crate) async fn run(global: &Global, args: &WatchArgs) -> Outcome {
    let project = Project::load(global)?;
    let runtime = runtime::choose(global, &project)?;
    // From before the first build: what is saved meanwhile counts.
    let mut watch = Watch::begin(global, &project, runtime, &args.services)?;
    if args.no_up {
        if supervise::ask(&project.paths, &Request::Hello)
            .await?
            .is_none()
        {
            return Err(verbs::not_running(&project));
        }
    } else {
        up::run(global, up::UpArgs::before_watching(&args.services)).await?;
    }
    let mut interrupts = Interrupts::new()?;
    tokio::select! {
        result = watch.run() => result,
        () = interrupts.next() => {
            output::say("no longer watching; the stack runs on: `cais down` stops it");
            Ok(())
        }
    }
}

/// What is watched, and for whom.
pub(super) struct Watch {
    global: Global,
    runtime: Runtime,
    rules: Rules,
    changes: Changes,
    project: Project,
    /// Another command has the terminal, with a log in it.
    is_beside: bool,
}

impl Watch {
    /// Begins to notice changes; `run` acts on them.
    ///
    /// # Errors
    /// Nothing is to be watched, or the system does not let us.
    pub(super) fn begin(
        global: &Global,
        project: &Project,
        runtime: Runtime,
        services: &[ServiceName],
    ) -> Outcome<Self> {
        let known = &project.loaded.stack.services;
        if let Some(name) = services.iter().find(|name| !known.contains_key(*name)) {
            return Err(project.unknown_service(name));
        }
        let rules = Rules::of(&project.loaded.stack, services)?;
        Ok(Self {
            changes: Changes::of(&rules)?,
            rules,
            runtime,
            global: global.clone(),
            project: Project::load(global)?,
            is_beside: false,
        })
    }

    /// Acts on changes beside a command that has the terminal, until `end`. On a thread of its own: a build blocks it.
    pub(super) fn beside(mut self, end: CancellationToken) -> Outcome {
        let failed =
            |error: std::io::Error| Failure::new(Exit::Error, format!("cannot watch: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        // Its log has the terminal: nothing is redrawn there.
        self.is_beside = true;
        self.global.progress = super::Progress::Plain;
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        result = self.run() => {
                            if let Err(failure) = result {
                                output::print_failure(&failure, false);
                            }
                        }
                        () = end.cancelled() => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok(())
    }

    /// Acts on changes; ends only when it cannot go on.
    async fn run(&mut self) -> Outcome {
        let stack = &self.project.loaded.stack;
        for line in self.rules.described(&stack.directory) {
            output::say(&format!("watching {line}"));
        }
        let copied = self.rules.with_action(WatchAction::Sync);
        if self.runtime == Runtime::Process && !copied.is_empty() {
            let names: Vec<&str> = copied.iter().map(|name| name.as_str()).collect();
            output::note(&format!(
                "`sync` copies nothing here: the process of {} reads the files where they are",
                names.join(", ")
            ));
        }
        let first = self.rules.first_copies(self.changes.files());
        self.act(&first).await;
        loop {
            let changed = self.changes.next(&self.rules).await;
            let work = self.rules.work(&changed);
            self.act(&work).await;
        }
    }

    /// Does what changes bring about; what fails is told, and the next change is another chance.
    async fn act(&mut self, work: &Work) {
        if self.runtime == Runtime::Docker {
            for (service, copies) in &work.copies {
                // Tasks that are replaced are left as they are: the engine does not swap a file at one stroke, and a request could
                // come in between.
                let is_replaced = work.restart.contains_key(service);
                self.report(self.copy(service, copies, is_replaced).await);
            }
        }
        if !work.rebuild.is_empty() {
            self.tell("rebuilding", &work.rebuild);
            let done = self.rebuild(work.rebuild.keys().cloned().collect()).await;
            self.report(done);
        }
        if !work.restart.is_empty() {
            self.tell("restarting", &work.restart);
            let done = self.restart(work.restart.keys().cloned().collect()).await;
            self.report(done);
        }
    }

    fn tell(&self, what: &str, reasons: &BTreeMap<ServiceName, PathBuf>) {
        for (service, path) in reasons {
            let path = shown(path, &self.project.loaded.stack.directory);
            output::say(&format!("{service}: `{path}` changed, {what}"));
        }
    }

    fn report(&self, done: Outcome) {
        if let Err(failure) = done {
            output::print_failure(&failure, self.global.json());
            output::say("what ran before still runs; save again when it is mended");
        }
    }

    /// Builds, then moves the services to what the file says now.
    async fn rebuild(&mut self, services: BTreeSet<ServiceName>) -> Outcome {
        let project = Project::load(&self.global)?;
        if project.release.texts != self.project.release.texts {
            project.check_runtime(self.runtime)?;
        }
        self.project = project;
        let project = &self.project;
        let images = match self.runtime {
            Runtime::Process => {
                build::run(project, &services, Which::All)?;
                BTreeMap::new()
            }
            Runtime::Docker => {
                runtime::prepare_images(&self.global, project, &services, Which::All).await?
            }
        };
        // A process may run what no revision knows of: a script, a module that its build wrote.
        let force = self.runtime == Runtime::Process;
        let request = deploy::request(project, self.runtime, images, services, force, SETTLED);
        self.follow(&request).await
    }

    async fn restart(&self, services: BTreeSet<ServiceName>) -> Outcome {
        let wait = SETTLED;
        self.follow(&Request::Restart { services, wait }).await
    }

    async fn follow(&self, request: &Request) -> Outcome {
        let Some(conversation) = supervise::talk(&self.project.paths, request).await? else {
            return Err(verbs::not_running(&self.project));
        };
        let mut display = if self.is_beside {
            Display::brief()
        } else {
            Display::new(&self.global)
        };
        let answer = verdict::follow(conversation, &mut display).await;
        display.finish();
        verdict::judge(&self.project, &answer?)
    }

    /// Keeps files for every container of a service that follows, and copies them into those that are there unless these are
    /// replaced anyway.
    async fn copy(&self, service: &ServiceName, copies: &Copies, is_replaced: bool) -> Outcome {
        let client = runtime::engine(&self.project).await?;
        let (there, gone): (Vec<_>, Vec<_>) =
            copies.iter().cloned().partition(|(file, _)| file.is_file());
        let gone: Vec<String> = gone.into_iter().map(|(_, place)| place).collect();
        let failed = |reason: String| {
            Failure::new(
                Exit::Error,
                format!("not every file of `{service}` is copied: {reason}"),
            )
            .help("`action: rebuild` in its place builds the image and rolls it out")
        };
        let paths = &self.project.paths;
        let scope = Scope::of(self.project.name(), &paths.state);
        let containers = sync::containers(&client, &scope, service).await;
        let containers = containers.map_err(failed)?;
        // Kept first: a container that is made from now on has them from there.
        for image in containers.values().collect::<BTreeSet<_>>() {
            let layer = Layer::of(&paths.layers(), service, image);
            keep(&layer, &there, &gone).map_err(|error| failed(error.to_string()))?;
        }
        if !is_replaced {
            // Asked again: one that was made before that is listed by now.
            let containers = sync::containers(&client, &scope, service).await;
            for container in containers.map_err(failed)?.keys() {
                change(&client, container, &there, &gone)
                    .await
                    .map_err(failed)?;
            }
        }
        for (file, place) in &there {
            let file = shown(file, &self.project.loaded.stack.directory);
            output::say(&format!("{service}: `{file}` is copied to `{place}`"));
        }
        for place in &gone {
            output::say(&format!("{service}: `{place}` is removed"));
        }
        Ok(())
    }
}

/// Brings one container to what was saved.
async fn change(
    client: &Docker,
    container: &str,
    there: &[(PathBuf, String)],
    gone: &[String],
) -> Result<(), String> {
    if !there.is_empty() {
        sync::copy(client, container, there).await?;
    }
    if gone.is_empty() {
        return Ok(());
    }
    sync::remove(client, container, gone).await
}

fn keep(layer: &Layer, there: &[(PathBuf, String)], gone: &[String]) -> std::io::Result<()> {
    for (file, place) in there {
        layer.keep(file, place)?;
    }
    gone.iter().try_for_each(|place| layer.drop(place))
}
