//! Where a stack runs: what was asked for, what it is in already, what its file needs. Decides, and checks the file against it.

use super::Global;
use super::build::Which;
use super::image::{Display, with_display};
use super::project::Project;
use crate::exit::{Exit, Failure, Outcome};
use crate::image::{self, Destination, Event, Report};
use crate::runtime::Runtime;
use crate::runtime::docker::engine::Endpoint;
use crate::runtime::docker::image::{look, reference};
use crate::store::Journal;
use crate::supervisor::containers::{ENGINE, RUNTIME, other_runtime};
use crate::supervisor::journal_failure;
use bollard::Docker;
use cais_model::name::ServiceName;
use cais_model::stack::{Service, Stack};
use clap::ValueEnum;
use std::collections::{BTreeMap, BTreeSet};

/// The variable that says what `--runtime` says.
const VARIABLE: &str = "CAIS_RUNTIME";

/// `--runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Docker where a service has an image or a build and no local command of its own, else processes
    Auto,
    /// Supervised processes
    Process,
    /// Containers of a Docker engine
    Docker,
}

impl Choice {
    fn named(self) -> Option<Runtime> {
        match self {
            Self::Auto => None,
            Self::Process => Some(Runtime::Process),
            Self::Docker => Some(Runtime::Docker),
        }
    }
}

/// The runtime that this command means, with the file checked against it: what it refuses is an error, what has no effect a
/// warning.
pub(crate) fn choose(global: &Global, project: &Project) -> Outcome<Runtime> {
    let asked = asked(global, &project.variables)?;
    let runs = running(project)?;
    let runtime = match (asked, runs) {
        (Some(asked), Some(runs)) if asked != runs => {
            return Err(other_runtime(project.name(), runs, asked));
        }
        (Some(runtime), _) | (None, Some(runtime)) => runtime,
        (None, None) => needed(&project.loaded.stack),
    };
    project.check_runtime(runtime)?;
    Ok(runtime)
}

/// `--runtime`, `--docker`, else the variable.
fn asked(global: &Global, variables: &BTreeMap<String, String>) -> Outcome<Option<Runtime>> {
    if global.docker {
        return Ok(Some(Runtime::Docker));
    }
    if let Some(choice) = global.runtime {
        return Ok(choice.named());
    }
    let Some(text) = variables.get(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Choice::from_str(text, true)
        .map(Choice::named)
        .map_err(|_| {
            Failure::new(Exit::Usage, format!("`{text}` is no runtime ({VARIABLE})"))
                .help("write `auto`, `process` or `docker`")
        })
}

/// The runtime of a stack that has services, running or stopped.
pub(crate) fn running(project: &Project) -> Outcome<Option<Runtime>> {
    let Some(journal) = Journal::look(&project.paths.journal()).map_err(journal_failure)? else {
        return Ok(None);
    };
    let state = journal.state().map_err(journal_failure)?;
    if cais_engine::state::views(&state).is_empty() {
        return Ok(None);
    }
    let kept = journal.fact(RUNTIME).map_err(journal_failure)?;
    Ok(Some(
        kept.as_deref().and_then(Runtime::named).unwrap_or_default(),
    ))
}

/// What the file needs: containers, where a service has an image or a build and says nothing about processes.
fn needed(stack: &Stack) -> Runtime {
    let wants_image = |service: &Service| {
        let has_image =
            service.image.is_some() || service.build.is_some() || service.artifact.is_some();
        has_image && service.process.is_none()
    };
    if stack.services.values().any(wants_image) {
        Runtime::Docker
    } else {
        Runtime::Process
    }
}

/// The engine that the stack last ran in.
pub(crate) fn kept_endpoint(project: &Project) -> Option<Endpoint> {
    let journal = Journal::look(&project.paths.journal()).ok()??;
    serde_json::from_str(&journal.fact(ENGINE).ok()??).ok()
}

/// The engine that this command means: the one that the stack runs in, else the one that Docker's own command line would take.
///
/// # Errors
/// It does not answer: how to start it, and whether the stack could do without.
pub(crate) async fn engine(project: &Project) -> Outcome<Docker> {
    let kept = match running(project)? {
        Some(Runtime::Docker) => kept_endpoint(project),
        Some(Runtime::Process) | None => None,
    };
    let endpoint = match kept {
        Some(endpoint) => endpoint,
        None => Endpoint::of(&project.variables)?,
    };
    endpoint.must_be_local()?;
    endpoint.connect().await.map_err(|mut failure| {
        let services = &project.loaded.stack.services;
        if services
            .values()
            .all(|service| service.local_command().is_some())
        {
            let without = "or run it without: `cais --runtime process up`";
            failure.help = Some(match failure.help.take() {
                Some(help) => format!("{help}; {without}"),
                None => without.to_owned(),
            });
        }
        failure
    })
}

/// Builds and pulls what is due of these services' images (all when none is named), into the engine; answers with their ids.
pub(crate) async fn prepare_images(
    global: &Global,
    project: &Project,
    selected: &BTreeSet<ServiceName>,
    which: Which,
) -> Outcome<BTreeMap<ServiceName, String>> {
    let client = engine(project).await?;
    let which = match which {
        Which::All => image::Which::All,
        Which::Missing => image::Which::Missing,
        Which::None => image::Which::None,
    };
    let resolved = with_display(global, project, async |display| {
        let (images, engine) = (project.images(), Destination::Engine(&client));
        image::build_and_resolve(&images, selected, which, engine, &Unfinished(display)).await
    });
    let resolved = resolved.await?.into_iter();
    Ok(resolved
        .map(|(service, image)| (service, image.digest))
        .collect())
}

/// Tells of what is done meanwhile; that everything is there is what was expected.
struct Unfinished<'d>(&'d Display<'d>);

impl Report for Unfinished<'_> {
    fn event(&self, service: &ServiceName, event: Event<'_>) {
        if !matches!(event, Event::Done(_)) {
            self.0.event(service, event);
        }
    }
}

/// The id of each service's image, where the engine has it.
pub(crate) async fn images(project: &Project) -> Outcome<BTreeMap<ServiceName, String>> {
    let client = engine(project).await?;
    let stack = &project.loaded.stack;
    let mut images = BTreeMap::new();
    for service in stack.services.values() {
        let found = look(&client, &reference(stack, service))
            .await
            .map_err(|error| Failure::new(Exit::Error, error))?;
        images.extend(found.map(|image| (service.name.clone(), image.id)));
    }
    Ok(images)
}
