//! `cais build`, `cais push` and `cais pull`: what was typed, what is seen meanwhile, and the digests at the end.

use super::output::{self, BOLD, DIM, GREEN};
use super::project::Project;
use super::runtime::Choice;
use super::{Global, Progress};
use crate::exit::Outcome;
use crate::image::{self, Destination, Event, ImageRef, Images, Platform, Registry, Report, Which};
use crate::runtime::docker::engine::Endpoint;
use bollard::Docker;
use cais_model::name::ServiceName;
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Set a build argument, as in NAME=VALUE; NAME alone takes the variable's value
    #[arg(long = "build-arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Do not use what earlier builds left
    #[arg(long)]
    no_cache: bool,
    /// Ask for newer base images
    #[arg(long)]
    pull: bool,
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    services: Vec<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Push there instead of to each service's image: REPOSITORY/<service>, or where {service} stands in it
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repository: Option<String>,
    /// What the images are built for, as in linux/arm64; by default what the file says, else this machine
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    pub(crate) platform: Option<Platform>,
    /// Push what was built last
    #[arg(long)]
    pub(crate) no_build: bool,
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    pub(crate) services: Vec<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    services: Vec<ServiceName>,
}

fn parse_platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "write it like linux/amd64 or linux/arm64".to_owned())
}

pub(crate) async fn build(global: &Global, args: BuildArgs) -> Outcome {
    let mut project = load(global, &args.services)?;
    for service in project.loaded.stack.services.values_mut() {
        let Some(build) = &mut service.build else {
            continue;
        };
        build.no_cache |= args.no_cache;
        build.pull |= args.pull;
        for argument in &args.arguments {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            build.args.insert(name.to_owned(), value);
        }
    }
    let services = args.services.into_iter().collect();
    let built = with_display(global, &project, async |display| {
        image::build_and_resolve(
            &project.images(),
            &services,
            Which::All,
            Destination::Here,
            display,
        )
        .await
    });
    let built = built.await?;
    if built.is_empty() {
        output::note("nothing to build: no service has `build` or `x-cais.image`");
    }
    print(global, &built, |image| {
        format!(
            "{}:{}  {DIM}{}{DIM:#}",
            image.name,
            image.tag.as_deref().unwrap_or("?"),
            image.digest
        )
    })
}

pub(crate) async fn push(global: &Global, args: PushArgs) -> Outcome {
    let project = load(global, &args.services)?;
    let registry = Registry {
        repository: args.repository,
        platform: args.platform,
        credentials: None,
    };
    push_to(global, &project, args.services, args.no_build, registry).await
}

/// Pushes the services that are named, or all, to a registry.
pub(crate) async fn push_to(
    global: &Global,
    project: &Project,
    services: Vec<ServiceName>,
    no_build: bool,
    registry: Registry,
) -> Outcome {
    let ours = |name: &ServiceName| {
        let service = &project.loaded.stack.services[name];
        service.build.is_some() || service.artifact.is_some()
    };
    let mut services: BTreeSet<ServiceName> = match services.is_empty() {
        true => project.loaded.stack.services.keys().cloned().collect(),
        false => services.into_iter().collect(),
    };
    services.retain(ours);
    if services.is_empty() {
        output::note(
            "nothing to push: images without `build` or `x-cais.image` are somebody else's",
        );
        return print(global, &BTreeMap::new(), ImageRef::pinned);
    }
    let which = if no_build { Which::None } else { Which::All };
    let pushed = with_display(global, project, async |display| {
        image::build_and_resolve(
            &project.images(),
            &services,
            which,
            Destination::Registry(&registry),
            display,
        )
        .await
    });
    print(global, &pushed.await?, ImageRef::pinned)
}

pub(crate) async fn pull(global: &Global, args: PullArgs) -> Outcome {
    let project = load(global, &args.services)?;
    let services = args.services.into_iter().collect();
    let engine = engine_for_pull(global, &project).await?;
    let pulled = with_display(global, &project, async |display| {
        image::pull(&project.images(), &services, engine.as_ref(), display).await
    });
    let pulled = pulled.await?;
    if pulled.is_empty() {
        output::note("nothing to pull: every image is built here");
    }
    print(global, &pulled, |image| match &image.tag {
        Some(tag) => format!("{}:{tag}  {DIM}{}{DIM:#}", image.name, image.digest),
        None => format!("{}  {DIM}{}{DIM:#}", image.name, image.digest),
    })
}

/// The engine that pulls; `None` where there is none, and nobody said that there is, or that it is wanted.
async fn engine_for_pull(global: &Global, project: &Project) -> Outcome<Option<Docker>> {
    if global.runtime == Some(Choice::Process) {
        return Ok(None);
    }
    let endpoint = Endpoint::of(&project.variables)?;
    match endpoint.connect().await {
        Ok(engine) => Ok(Some(engine)),
        Err(_) if endpoint.chosen_by == "default" => {
            let folder = project.paths.images();
            output::note(&format!(
                "there is no Docker engine; images go to `{}`",
                folder.display()
            ));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The project, its services known. Warnings about fields are the runtime's, and not said here.
fn load(global: &Global, named: &[ServiceName]) -> Outcome<Project> {
    let project = Project::load(global)?;
    output::print_diagnostics(&project.loaded.warnings, &project.loaded.files);
    let known = &project.loaded.stack.services;
    match named.iter().find(|name| !known.contains_key(*name)) {
        Some(name) => Err(project.unknown_service(name)),
        None => Ok(project),
    }
}

impl Project {
    /// Its images.
    pub(crate) fn images(&self) -> Images<'_> {
        Images {
            loaded: &self.loaded,
            paths: &self.paths,
            variables: &self.variables,
        }
    }
}

/// Runs with a display that leaves nothing half drawn, and tells what a build said where it was told to be quiet.
pub(crate) async fn with_display<T>(
    global: &Global,
    project: &Project,
    run: impl AsyncFnOnce(&Display<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let display = Display::new(global, &project.loaded.files);
    let outcome = run(&display).await;
    display.finish(outcome.is_err());
    outcome
}

/// Steps and builds' output as lines; on a terminal a bar for what is on its way.
pub(crate) struct Display<'f> {
    /// Texts that warnings point into.
    files: &'f [(PathBuf, String)],
    form: Form,
    /// Output that was not shown.
    kept: RefCell<Vec<String>>,
    /// Warnings that were given.
    warned: RefCell<BTreeSet<String>>,
}

enum Form {
    Live {
        bars: MultiProgress,
        moving: RefCell<BTreeMap<String, ProgressBar>>,
    },
    Plain,
    Quiet,
}

/// Lines that are kept for a failure.
const KEPT: usize = 200;

impl<'f> Display<'f> {
    pub(crate) fn new(global: &Global, files: &'f [(PathBuf, String)]) -> Self {
        let terminal =
            std::io::stderr().is_terminal() && global.ansi != super::Ansi::Never && !global.json();
        let live = || Form::Live {
            bars: MultiProgress::new(),
            moving: RefCell::default(),
        };
        let form = match global.progress {
            Progress::Quiet => Form::Quiet,
            Progress::Tty => live(),
            Progress::Auto if terminal => live(),
            Progress::Auto | Progress::Plain => Form::Plain,
        };
        Self {
            files,
            form,
            kept: RefCell::default(),
            warned: RefCell::default(),
        }
    }

    fn line(&self, line: &str) {
        match &self.form {
            Form::Live { bars, .. } => bars.suspend(|| output::say(line)),
            Form::Plain => output::say(line),
            Form::Quiet => {
                let mut kept = self.kept.borrow_mut();
                if kept.len() == KEPT {
                    kept.remove(0);
                }
                kept.push(line.to_owned());
            }
        }
    }

    fn finish(&self, failed: bool) {
        if let Form::Live { moving, .. } = &self.form {
            moving
                .borrow_mut()
                .values()
                .for_each(ProgressBar::finish_and_clear);
        }
        if failed {
            self.kept
                .borrow_mut()
                .drain(..)
                .for_each(|line| output::say(&line));
        }
    }

    fn bytes(&self, service: &ServiceName, what: &str, done: u64, total: u64) {
        let Form::Live { bars, moving } = &self.form else {
            return;
        };
        let mut moving = moving.borrow_mut();
        let bar = moving
            .entry(format!("{service} {what}"))
            .or_insert_with(|| {
                let style = ProgressStyle::with_template(
                    "  {prefix:<30} {bar:24.cyan/dim} {bytes:>10} of {total_bytes}",
                );
                let bar = ProgressBar::new(total)
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bars.add(bar.with_prefix(format!("{service} {what}")))
            });
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    }
}

impl Report for Display<'_> {
    fn event(&self, service: &ServiceName, event: Event<'_>) {
        match event {
            Event::Step(text) => self.line(&format!("{BOLD}{service}{BOLD:#}: {text}")),
            Event::Output(line) => self.line(&format!("{DIM}{service} |{DIM:#} {line}")),
            Event::Bytes { what, done, total } => self.bytes(service, what, done, total),
            Event::Warning(warning) => {
                // One finding may be told for several services.
                if self.warned.borrow_mut().insert(warning.to_string()) {
                    let print =
                        || output::print_diagnostics(std::slice::from_ref(warning), self.files);
                    match &self.form {
                        Form::Live { bars, .. } => bars.suspend(print),
                        Form::Plain | Form::Quiet => print(),
                    }
                }
            }
            Event::Done(image) => {
                let tag = image
                    .tag
                    .as_ref()
                    .map_or_else(String::new, |tag| format!(":{tag}"));
                self.line(&format!(
                    "{BOLD}{service}{BOLD:#}: {GREEN}done{GREEN:#} {}{tag}",
                    image.name
                ));
            }
        }
    }
}

/// One line a service, or one document.
fn print(
    global: &Global,
    images: &BTreeMap<ServiceName, ImageRef>,
    line: impl Fn(&ImageRef) -> String,
) -> Outcome {
    if global.json() {
        let row = |(service, image): (&ServiceName, &ImageRef)| {
            serde_json::json!({
                "service": service,
                "name": image.name,
                "tag": image.tag,
                "digest": image.digest,
                "pinned": image.pinned(),
            })
        };
        return output::print_json(&images.iter().map(row).collect::<Vec<_>>());
    }
    for (service, image) in images {
        output::print(&format!("{GREEN}{service:<12}{GREEN:#} {}", line(image)))?;
    }
    Ok(())
}
