//! `cais clean`: takes the stack down and removes what is left of it on this machine: state, volumes, images built for it. And
//! what `down -v` removes of that.

use super::progress::Display;
use super::project::Project;
use super::runtime::kept_endpoint;
use super::{Global, down, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::clean::{self, Leftover};
use crate::runtime::docker::engine::Endpoint;
use crate::runtime::docker::{Scope, image, network};
use bollard::Docker;
use clap::Args;
use std::io::{IsTerminal, Write};

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(global: &Global, args: CleanArgs) -> Outcome {
    let project = Project::load(global)?;
    let engine = engine(&project).await?;
    let scope = scope(&project);
    let runs = down::has_anything(&project);
    let mut leftovers = Vec::new();
    if let Some(engine) = &engine {
        let failed =
            |error| Failure::new(Exit::Error, crate::runtime::docker::engine::said(&error));
        if !runs {
            leftovers.extend(clean::containers(engine, &scope).await.map_err(failed)?);
        }
        leftovers.extend(clean::volumes(engine, &scope).await.map_err(failed)?);
        leftovers.extend(
            clean::images(engine, &scope, &built(&project))
                .await
                .map_err(failed)?,
        );
    }
    let has_state = project.paths.state.exists();
    if leftovers.is_empty() && !runs && !has_state {
        output::say(&format!("nothing of `{}` is left here", project.name()));
        return Ok(());
    }
    list(&project, runs, has_state, &leftovers);
    if !args.yes && !agreed()? {
        return Ok(());
    }
    if runs {
        down::take_down(Display::new(global), &project, false).await?;
    }
    if let Some(engine) = &engine {
        // Of a state that was deleted, say: no supervisor knew of them.
        let orphans = clean::containers(engine, &scope).await.unwrap_or_default();
        leftovers.retain(|leftover| !orphans.contains(leftover));
        remove(engine, &[orphans, leftovers].concat()).await?;
        network::remove(engine, &scope).await;
    }
    down::remove_state(&project)?;
    output::say("clean");
    Ok(())
}

fn list(project: &Project, runs: bool, has_state: bool, leftovers: &[Leftover]) {
    let name = project.name();
    output::say(&format!("this removes, of `{name}`:"));
    if runs {
        output::say("  what runs");
    }
    if has_state {
        output::say(&format!(
            "  its journal, logs and kept programs in {}",
            project.paths.state.display()
        ));
    }
    for leftover in leftovers {
        output::say(&format!("  {leftover}"));
    }
}

/// Without a terminal nobody can say yes.
fn agreed() -> Outcome<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new(Exit::Error, "nothing was removed: nobody was there to ask")
                .help("type `cais clean -y`"),
        );
    }
    let _ = write!(anstream::stderr(), "Remove all of it? [y/N] ");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes" | "Yes");
    if !agreed {
        output::say("nothing was removed");
    }
    Ok(agreed)
}

/// What `down -v` removes beside the state: the volumes of a stack that ran in containers.
pub(crate) async fn remove_volumes(project: &Project) -> Outcome {
    let Some(endpoint) = kept_endpoint(project) else {
        return Ok(());
    };
    let engine = endpoint.connect().await?;
    let volumes = clean::volumes(&engine, &scope(project))
        .await
        .map_err(|error| endpoint.unreachable(&error))?;
    remove(&engine, &volumes).await
}

/// All of them are tried; the first that stays is the failure.
async fn remove(engine: &Docker, leftovers: &[Leftover]) -> Outcome {
    let mut failed = None;
    for leftover in leftovers {
        match clean::remove(engine, leftover).await {
            Ok(()) => {}
            Err(reason) => {
                let failure = Failure::new(Exit::Error, format!("the {leftover} stays: {reason}"));
                let failure = match leftover {
                    Leftover::Container(name) => {
                        failure.help(format!("look at it: `docker inspect {name}`"))
                    }
                    Leftover::Volume(name) => failure.help(format!(
                        "see who uses it: `docker ps -a --filter volume={name}`"
                    )),
                    Leftover::Image { name, .. } => failure.help(format!(
                        "see who uses it: `docker ps -a --filter ancestor={name}`"
                    )),
                };
                failed.get_or_insert(failure);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The engine that the stack ran in, else the one that is meant where it answers: without one there is nothing in it.
async fn engine(project: &Project) -> Outcome<Option<Docker>> {
    if let Some(endpoint) = kept_endpoint(project) {
        return endpoint.connect().await.map(Some);
    }
    Ok(match Endpoint::of(&project.variables) {
        Ok(endpoint) => endpoint.connect().await.ok(),
        Err(_) => None,
    })
}

fn scope(project: &Project) -> Scope {
    Scope::of(project.name(), &project.paths.state)
}

/// What builds of the stack's services are called, by cais, Docker Compose and its first version.
fn built(project: &Project) -> Vec<String> {
    let stack = &project.loaded.stack;
    let services = stack.services.values();
    services
        .filter(|service| service.build.is_some() && service.image.is_none())
        .flat_map(|service| {
            [
                image::reference(stack, service),
                format!("{}_{}", stack.name, service.name),
            ]
        })
        .chain(crate::image::names(&project.paths))
        .collect()
}
