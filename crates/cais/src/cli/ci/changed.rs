//! `cais ci changed`: which services differ from a revision. Deciding is `crate::ci::changed`'s; git and the disk are asked here.

use crate::ci::changed::{self, Changed};
use crate::ci::git::{Repository, RevisionSource};
use crate::cli::project::Project;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::LoadOptions;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ChangedArgs {
    /// Compare with this commit, branch or tag; without it every service counts
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Say why: the files, or what else is different
    #[arg(long)]
    why: bool,
}

pub(super) fn run(global: &Global, args: &ChangedArgs) -> Outcome {
    let project = Project::load(global)?;
    let changed = match &args.base {
        Some(base) => services_changed(&project, base)?,
        None => every_service(&project),
    };
    if global.json() {
        return output::print_json(&changed);
    }
    for it in changed {
        if args.why {
            output::print(&format!("{}: {}", it.service, summary(&it.because)))?;
        } else {
            output::print(it.service.as_str())?;
        }
    }
    Ok(())
}

fn every_service(project: &Project) -> Vec<Changed> {
    let services = project.loaded.stack.services.keys();
    services
        .map(|service| Changed {
            service: service.clone(),
            because: vec!["there is nothing to compare with".to_owned()],
        })
        .collect()
}

/// The first three reasons.
fn summary(because: &[String]) -> String {
    let shown = because
        .iter()
        .take(3)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match because.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The services of a project that differ from a revision of its repository.
pub(crate) fn services_changed(project: &Project, revision: &str) -> Outcome<Vec<Changed>> {
    let directory = &project.loaded.stack.directory;
    let repository = Repository::of(directory)?;
    let paths = repository.changed_since(revision)?;
    let folder = repository.relative(directory);
    let read = |path: &str| std::fs::read_to_string(repository.root().join(path)).ok();
    let inputs = changed::inputs(&project.loaded, &folder, &read);
    let current = std::env::current_dir()
        .and_then(|current| current.canonicalize())
        .map_err(|error| {
            Failure::new(Exit::Error, format!("the current folder is gone: {error}"))
        })?;
    let then = RevisionSource {
        repository: &repository,
        revision,
        current: &current,
        variables: &project.variables,
    };
    let release = &project.release;
    let options = LoadOptions {
        files: release.files.clone(),
        project_directory: release.directory.clone(),
        project_name: Some(release.name.clone()),
        profiles: release.profiles.clone(),
        env_files: release.env_files.clone(),
    };
    // A file that could not be loaded then deployed nothing: everything is new.
    let before = cais_model::load(&then, &options).ok();
    Ok(changed::changed(
        &inputs,
        &paths,
        &project.loaded.stack,
        before.as_ref().map(|loaded| &loaded.stack),
    ))
}
