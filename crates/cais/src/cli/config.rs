//! `cais config`: the file as cais understands it, and what the process runtime reads differently.

use super::project::Project;
use super::runtime::Choice;
use super::{Global, output};
use crate::exit::Outcome;
use crate::runtime::Runtime;
use crate::supervisor::resolve::{self, Replacement, Surroundings};
use crate::supervisor::{address, definition};
use cais_model::node::{Entry, Mapping, Node, Value};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in place of a secret.
const MASK: &str = "***";

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Only check; print nothing
    #[arg(short, long)]
    quiet: bool,
    /// Print the names of the services
    #[arg(long)]
    services: bool,
    /// Print values that look like secrets in clear
    #[arg(long)]
    show_secrets: bool,
}

pub(crate) fn run(global: &Global, args: &ConfigArgs) -> Outcome {
    let project = Project::load(global)?;
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
    if args.services {
        let names: Vec<String> = project
            .loaded
            .stack
            .services
            .keys()
            .map(ToString::to_string)
            .collect();
        return if global.json() {
            output::print_json(&names)
        } else {
            output::print(&names.join("\n"))
        };
    }
    let mut tree = project.loaded.tree;
    if !args.show_secrets {
        mask(&mut tree);
    }
    if global.json() {
        output::print_json(&tree.to_json())
    } else {
        output::print(tree.to_yaml().trim_end())
    }
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

/// Masks environment values whose name says that they are secret, passwords in URLs, and inline secrets.
pub(crate) fn mask(tree: &mut Node) {
    for (_, service) in entries(tree, "services") {
        for (name, value) in entries(&mut service.value, "environment") {
            let Some(text) = value.value.as_str() else {
                continue;
            };
            let masked = if is_secret_name(name) && !text.is_empty() {
                Some(MASK.to_owned())
            } else {
                without_password(text)
            };
            if let Some(masked) = masked {
                value.value.value = Value::String(masked);
            }
        }
    }
    for (_, secret) in entries(tree, "secrets") {
        if let Some(content) = secret
            .value
            .as_mapping_mut()
            .and_then(|mapping| mapping.get_mut("content"))
        {
            content.value = Value::String(MASK.to_owned());
        }
    }
}

/// The entries of the mapping under `key`.
fn entries<'n>(node: &'n mut Node, key: &str) -> impl Iterator<Item = (&'n String, &'n mut Entry)> {
    let inner = node
        .as_mapping_mut()
        .and_then(|mapping| mapping.get_mut(key))
        .and_then(Node::as_mapping_mut);
    inner.into_iter().flat_map(Mapping::iter_mut)
}

/// `…_FILE` names a path, not a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_secret = [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "PRIVATE_KEY",
        "API_KEY",
        "ACCESS_KEY",
        "CREDENTIAL",
    ]
    .iter()
    .any(|part| name.contains(part));
    is_secret && !name.ends_with("_FILE")
}

/// The same URL without its password; `None` when it has none.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, host) = authority.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    if password.is_empty() {
        return None;
    }
    Some(format!(
        "{scheme}://{user}:{MASK}@{host}{}",
        &rest[authority.len()..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_told_from_paths() {
        assert!(is_secret_name("DB_PASSWORD") && is_secret_name("github_token"));
        assert!(!is_secret_name("DB_PASSWORD_FILE") && !is_secret_name("CACHE_URL"));
    }

    #[test]
    fn a_password_in_a_url_is_masked() {
        assert_eq!(
            without_password("redis://me:hunter2@redis:6379/0").as_deref(),
            Some("redis://me:***@redis:6379/0")
        );
        assert_eq!(without_password("redis://me@redis:6379"), None);
        assert_eq!(without_password("redis://redis:6379"), None);
        assert_eq!(without_password("just text"), None);
    }
}
