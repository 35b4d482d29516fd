//! `cais down`: stops and removes everything that `up` started.

use super::progress::Display;
use super::project::Project;
use super::{Global, clean, output, supervise, verdict};
use crate::control::Request;
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;

/// Supervisors that may end under our hands before we give up.
const ATTEMPTS: u32 = 3;

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Remove this project's volumes and state too: journal, logs, kept programs
    #[arg(short, long)]
    volumes: bool,
}

pub(crate) async fn run(global: &Global, args: DownArgs) -> Outcome {
    let project = Project::load(global)?;
    let was_there = has_anything(&project);
    if was_there {
        take_down(Display::new(global), &project, false).await?;
    }
    if args.volumes {
        clean::remove_volumes(&project).await?;
        remove_state(&project)?;
    }
    if !was_there {
        output::say(&format!("`{}` is not running", project.name()));
    }
    Ok(())
}

/// Is a supervisor there, or something that a dead one left?
pub(crate) fn has_anything(project: &Project) -> bool {
    let left = |folder: &std::path::Path| {
        std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
    };
    left(&project.paths.runtime) || left(&project.paths.tasks())
}

/// Stops everything. A dead supervisor's tasks are adopted first: only a supervisor can end them well.
pub(crate) async fn take_down(mut display: Display, project: &Project, now: bool) -> Outcome {
    let mut attempts = 0;
    loop {
        let conversation = supervise::talk_or_start(project, &Request::Down { now }).await?;
        let result = verdict::follow(conversation, &mut display).await;
        attempts += 1;
        let Err(failure) = result else { break };
        let is_there = supervise::ask(&project.paths, &Request::Hello).await;
        if attempts == ATTEMPTS || is_there.is_ok_and(|reply| reply.is_some()) {
            display.finish();
            return Err(failure);
        }
        // It ended while it was asked: another `down` was quicker, or it was killed.
        supervise::wait_for_end(&project.paths).await;
        if !has_anything(project) {
            break;
        }
    }
    display.finish();
    supervise::wait_for_end(&project.paths).await;
    Ok(())
}

pub(crate) fn remove_state(project: &Project) -> Outcome {
    match std::fs::remove_dir_all(&project.paths.state) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!("cannot remove `{}`: {error}", project.paths.state.display()),
        )),
    }
}
