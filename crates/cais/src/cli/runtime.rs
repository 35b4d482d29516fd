//! Where a stack runs: what was asked for, what it is in already, what its file needs. Decides, and checks the file against it.

use super::Global;
use super::output;
use super::project::Project;
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::runtime::docker::engine::{Endpoint, said};
use crate::runtime::docker::image;
use crate::store::Journal;
use crate::supervisor::containers::{RUNTIME, other_runtime};
use crate::supervisor::journal_failure;
use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use cais_model::name::ServiceName;
use cais_model::stack::{PullPolicy, Service, Stack};
use clap::ValueEnum;
use futures_util::StreamExt;
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
        (service.image.is_some() || service.build.is_some()) && service.process.is_none()
    };
    if stack.services.values().any(wants_image) {
        Runtime::Docker
    } else {
        Runtime::Process
    }
}

/// The engine that this command means.
///
/// # Errors
/// It does not answer: how to start it, and whether the stack could do without.
pub(crate) async fn engine(project: &Project) -> Outcome<Docker> {
    let endpoint = Endpoint::of(&project.variables)?;
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

/// Sees to it that the engine has the images of these services (all when none is named), pulling what is missing or asked
/// for anew.
pub(crate) async fn ensure_images(project: &Project, selected: &BTreeSet<ServiceName>) -> Outcome {
    let client = engine(project).await?;
    let stack = &project.loaded.stack;
    let mut done = BTreeSet::new();
    for service in stack.services.values() {
        let reference = image::reference(stack, service);
        let is_selected = selected.is_empty() || selected.contains(&service.name);
        // What the file builds is not pulled; the supervisor says so where it is missing.
        if !is_selected || service.build.is_some() || !done.insert(reference.clone()) {
            continue;
        }
        let is_there = image::look(&client, &reference)
            .await
            .map_err(|error| Failure::new(Exit::Error, error))?
            .is_some();
        match service.container.pull_policy {
            PullPolicy::Always => pull(&client, service, &reference).await?,
            PullPolicy::Missing | PullPolicy::Build | PullPolicy::Every(_) if !is_there => {
                pull(&client, service, &reference).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The id of each service's image, where the engine has it.
pub(crate) async fn images(project: &Project) -> Outcome<BTreeMap<ServiceName, String>> {
    let client = engine(project).await?;
    let stack = &project.loaded.stack;
    let mut images = BTreeMap::new();
    for service in stack.services.values() {
        let found = image::look(&client, &image::reference(stack, service))
            .await
            .map_err(|error| Failure::new(Exit::Error, error))?;
        images.extend(found.map(|image| (service.name.clone(), image.id)));
    }
    Ok(images)
}

async fn pull(client: &Docker, service: &Service, reference: &str) -> Outcome {
    output::say(&format!("pulling {reference}"));
    let options = CreateImageOptionsBuilder::default()
        .from_image(&with_tag(reference))
        .build();
    let mut news = Box::pin(client.create_image(Some(options), None, None));
    while let Some(news) = news.next().await {
        let failed = match news {
            Ok(info) => info.error_detail.and_then(|detail| detail.message),
            Err(error) => Some(said(&error)),
        };
        if let Some(reason) = failed {
            return Err(Failure::new(
                Exit::Error,
                format!(
                    "{}: the image of `{}`, `{reference}`, cannot be pulled: {reason}",
                    service.position, service.name
                ),
            )
            .help("check its name and the network; an image that you built yourself needs `build:` or `pull_policy: never`"));
        }
    }
    Ok(())
}

/// Without a tag the engine would pull all of them.
fn with_tag(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains(':') || reference.contains('@') {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_tag_means_one_image() {
        for (reference, want) in [
            ("redis", "redis:latest"),
            ("redis:7", "redis:7"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("a@sha256:1", "a@sha256:1"),
        ] {
            assert_eq!(with_tag(reference), want);
        }
    }
}
