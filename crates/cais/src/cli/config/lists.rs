//! The lists of `cais config`: names of services, images, volumes, networks, profiles; variables; hashes.

use super::ConfigArgs;
use crate::cli::mask::{is_secret_name, mask_variable};
use crate::cli::project::Project;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::ServiceName;
use cais_model::stack::Service;
use cais_model::uses;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct List {
    /// Print the names of the services
    #[arg(long = "services")]
    service_names: bool,
    /// Print the images
    #[arg(long)]
    images: bool,
    /// Print the names of the volumes
    #[arg(long)]
    volumes: bool,
    /// Print the names of the networks
    #[arg(long)]
    networks: bool,
    /// Print the names of all profiles
    #[arg(long = "profiles")]
    profile_names: bool,
    /// Print the variables that the files name, with what they say about each
    #[arg(long)]
    variables: bool,
    /// Print a hash of each service's definition, or of the named ones, separated by commas; `*` is all
    #[arg(long, value_name = "SERVICE")]
    hash: Option<String>,
}

/// One list.
pub(super) enum Wanted<'l> {
    Services,
    Images,
    Volumes,
    Networks,
    Profiles,
    Variables,
    Environment,
    Hash(&'l str),
}

impl List {
    /// Which list was asked for; `--environment` without a name asks for one too, as in Docker Compose.
    pub(super) fn wanted(&self, global: &Global) -> Option<Wanted<'_>> {
        let flags = [
            (self.service_names, Wanted::Services),
            (self.images, Wanted::Images),
            (self.volumes, Wanted::Volumes),
            (self.networks, Wanted::Networks),
            (self.profile_names, Wanted::Profiles),
            (self.variables, Wanted::Variables),
            (global.environment_is_asked(), Wanted::Environment),
        ];
        let flag = flags.into_iter().find(|(is_set, _)| *is_set);
        let hash = || self.hash.as_deref().map(Wanted::Hash);
        flag.map(|(_, wanted)| wanted).or_else(hash)
    }
}

/// Prints it: a line each, or JSON.
pub(super) fn print(
    global: &Global,
    args: &ConfigArgs,
    project: &Project,
    wanted: Wanted<'_>,
) -> Outcome {
    let stack = &project.loaded.stack;
    let named = crate::cli::up::selection(project, &args.services)?;
    let services: Vec<&Service> = stack
        .services
        .values()
        .filter(|service| named.is_empty() || named.contains(&service.name))
        .collect();
    match wanted {
        Wanted::Services => names(global, services.iter().map(|it| it.name.to_string())),
        Wanted::Images => names(global, services.iter().map(|it| image(project, it))),
        Wanted::Volumes => names(global, stack.volumes.keys().cloned()),
        Wanted::Networks => names(global, stack.networks.keys().cloned()),
        Wanted::Profiles => names(global, Project::all_profiles(global)?.into_iter()),
        Wanted::Variables => variables(global, args, project),
        Wanted::Environment => environment(global, args, project),
        Wanted::Hash(list) => hashes(global, project, list),
    }
}

fn names(global: &Global, names: impl Iterator<Item = String>) -> Outcome {
    let names: Vec<String> = names.collect();
    if global.json() {
        output::print_json(&names)
    } else if names.is_empty() {
        Ok(())
    } else {
        output::print(&names.join("\n"))
    }
}

/// A service that is only built has the name that Docker Compose gives its image.
fn image(project: &Project, service: &Service) -> String {
    let built = || format!("{}-{}", project.name(), service.name);
    service.image.clone().unwrap_or_else(built)
}

/// Values that are used, with their defaults; what is secret by name is masked.
fn variables(global: &Global, args: &ConfigArgs, project: &Project) -> Outcome {
    let mut found = uses::variables(&project.loaded.files);
    for (name, said) in &mut found {
        if !args.show_secrets && is_secret_name(name) {
            for text in [&mut said.default, &mut said.alternative]
                .into_iter()
                .flatten()
            {
                *text = mask_variable(name, text);
            }
        }
    }
    if global.json() {
        return output::print_json(&found);
    }
    let mut table = output::new_table(&["NAME", "REQUIRED", "DEFAULT", "ALTERNATIVE"]);
    for (name, said) in found {
        table.add_row([
            name,
            said.required.to_string(),
            said.default.unwrap_or_default(),
            said.alternative.unwrap_or_default(),
        ]);
    }
    output::print_table(&table)
}

/// The variables that the files asked for and that have a value, as an env file has them.
fn environment(global: &Global, args: &ConfigArgs, project: &Project) -> Outcome {
    let asked = &project.loaded.variables;
    let values: BTreeMap<&str, String> = asked
        .iter()
        .filter_map(|(name, value)| {
            let value = value.as_deref()?;
            let shown = if args.show_secrets {
                value.to_owned()
            } else {
                mask_variable(name, value)
            };
            Some((name.as_str(), shown))
        })
        .collect();
    if global.json() {
        return output::print_json(&values);
    }
    names(
        global,
        values.iter().map(|(name, value)| format!("{name}={value}")),
    )
}

fn hashes(global: &Global, project: &Project, list: &str) -> Outcome {
    let services = &project.loaded.stack.services;
    let mut wanted = BTreeSet::new();
    for name in list.split(',').map(str::trim) {
        if name == "*" {
            wanted.extend(services.keys().cloned());
            continue;
        }
        let name = ServiceName::parse(name)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        if !services.contains_key(&name) {
            return Err(project.unknown_service(&name));
        }
        wanted.insert(name);
    }
    let of = |name: &ServiceName| {
        let hash = blake3::hash(services[name].definition.as_bytes());
        (name.to_string(), hash.to_hex().to_string())
    };
    let hashes: BTreeMap<String, String> = wanted.iter().map(of).collect();
    if global.json() {
        return output::print_json(&hashes);
    }
    names(
        global,
        hashes.iter().map(|(name, hash)| format!("{name} {hash}")),
    )
}
