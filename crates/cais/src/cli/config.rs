//! `cais config`: the file as cais understands it, in the forms and under the flags of `docker compose config`; and what the process runtime reads differently.

mod lists;

use super::mask::{mask, mask_written};
use super::project::Project;
use super::runtime::Choice;
use super::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::supervisor::resolve::{self, Replacement, Surroundings};
use crate::supervisor::{address, definition};
use cais_model::name::ServiceName;
use cais_model::node::Node;
use cais_model::resolved::{Resolve, as_written, resolved};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Only check; print nothing
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    list: lists::List,
    /// Print variables as they are written, not filled in
    #[arg(long)]
    no_interpolate: bool,
    /// Leave relative paths as they are
    #[arg(long)]
    no_path_resolution: bool,
    /// Leave `env_file` as it is, instead of its variables
    #[arg(long)]
    no_env_resolution: bool,
    /// Leave out the default network and the names that resources get
    #[arg(long)]
    no_normalize: bool,
    /// Do not check entries against each other
    #[arg(long)]
    no_consistency: bool,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print values that look like secrets in clear
    #[arg(long)]
    show_secrets: bool,
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE", value_parser = super::verbs::parse_service)]
    services: Vec<ServiceName>,
}

pub(crate) fn run(global: &Global, args: &ConfigArgs) -> Outcome {
    let project = Project::look(global, args.no_interpolate, args.no_consistency)?;
    // Typed, and not only set by the variable: what does that runtime read differently?
    match global.runtime {
        Some(Choice::Process) => {
            project.check_runtime(Runtime::Process)?;
            return output::print_replacements(global, &replacements(&project)?);
        }
        Some(Choice::Docker) => {
            project.check_runtime(Runtime::Docker)?;
            return output::print_replacements(global, &[]);
        }
        Some(Choice::Auto) | None => {}
    }
    output::print_diagnostics(&project.loaded.warnings, &project.loaded.files);
    if args.quiet {
        return Ok(());
    }
    if let Some(list) = args.list.wanted(global) {
        return lists::print(global, args, &project, list);
    }
    let tree = tree(args, &project)?;
    let text = if global.json() {
        serde_json::to_string_pretty(&tree.to_json())
            .map_err(|error| Failure::new(Exit::Error, format!("cannot print as JSON: {error}")))?
    } else {
        tree.to_yaml().trim_end().to_owned()
    };
    match &args.output {
        None => output::print(&text),
        Some(file) => std::fs::write(file, text + "\n").map_err(|error| {
            let name = file.display();
            Failure::new(Exit::Error, format!("`{name}` cannot be written: {error}"))
        }),
    }
}

/// What is printed: resolved or as written, masked, with `$` doubled where a reader would take it for a variable.
fn tree(args: &ConfigArgs, project: &Project) -> Outcome<Node> {
    let what = Resolve {
        paths: !args.no_path_resolution && !args.no_interpolate,
        home: project.variables.get("HOME").map(PathBuf::from),
        environment: !args.no_env_resolution && !args.no_interpolate,
        names: !args.no_normalize,
    };
    let mut tree = resolved(&project.loaded, &what);
    let kept = super::up::selection(project, &args.services)?;
    if !kept.is_empty()
        && let Some(services) = tree
            .as_mapping_mut()
            .and_then(|top| top.get_mut("services"))
            .and_then(Node::as_mapping_mut)
    {
        services.retain(|name, _| kept.contains(name));
    }
    if args.no_interpolate {
        tree = as_written(&tree);
        if !args.show_secrets {
            mask_written(&mut tree, &project.loaded.files);
        }
        return Ok(tree);
    }
    if !args.show_secrets {
        mask(&mut tree, &project.loaded.variables);
    }
    Ok(tree.escaped())
}

/// What the process runtime would replace; addresses that are not kept yet are those that `up` would choose first.
fn replacements(project: &Project) -> Outcome<Vec<Replacement>> {
    let stack = &project.loaded.stack;
    let journal = crate::store::Journal::look(&project.paths.journal())
        .map_err(crate::supervisor::journal_failure)?;
    let mut kept = match journal {
        Some(journal) => journal
            .addresses()
            .map_err(crate::supervisor::journal_failure)?,
        None => BTreeMap::new(),
    };
    for service in stack.services.keys() {
        let taken = kept.values().copied().collect();
        kept.entry(service.to_string()).or_insert_with(|| {
            address::choose_address(
                &project.paths.state.display().to_string(),
                service.as_str(),
                0,
                &taken,
            )
        });
    }
    let skipped: BTreeSet<_> = crate::supervisor::skipped(stack, &project.variables)
        .into_keys()
        .collect();
    let around = Surroundings {
        addresses: definition::named_addresses(stack, &kept),
        skipped,
        mounts: resolve::mounts(stack, &project.paths.mounts()),
    };
    Ok(stack
        .services
        .values()
        .flat_map(|service| resolve::environment(service, &around).1)
        .collect())
}
