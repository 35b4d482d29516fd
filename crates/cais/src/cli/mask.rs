//! What counts as a secret in a resolved file, and how it is hidden before a person or a log sees it. `docs/guide/compose.md` says the same in words.

use cais_model::node::{Entry, Mapping, Node, Value};
use cais_model::uses;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";

/// Words in a name that say that the value is a secret.
const SECRET_WORDS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "PRIVATE_KEY",
    "API_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
];

/// A secret value of so many characters is hidden wherever it stands; a shorter one could be part of any word.
const LEAST_LENGTH: usize = 8;

/// Hides, in a merged tree: values of environment variables and build arguments with a secret name, passwords in URLs,
/// inline secrets, what a variable with a secret name filled in anywhere, and longer secret values wherever they stand.
pub(crate) fn mask(tree: &mut Node, variables: &BTreeMap<String, Option<String>>) {
    let filled: Vec<(&str, &str)> = variables
        .iter()
        .filter(|(name, _)| is_secret_name(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    hide_filled(tree, &filled);
    hide_named(
        tree,
        filled
            .iter()
            .map(|(_, value)| (*value).to_owned())
            .collect(),
    );
}

/// The same in a tree whose variables are not filled in: there the defaults of variables with a secret name are secrets.
pub(crate) fn mask_written(tree: &mut Node, files: &[(PathBuf, String)]) {
    let said = uses::variables(files).into_iter();
    let secret = said.filter(|(name, _)| is_secret_name(name));
    hide_named(tree, secret.filter_map(|(_, said)| said.default).collect());
}

/// Hides by name, and then wherever a value stands that is known to be a secret.
fn hide_named(tree: &mut Node, mut known: BTreeSet<String>) {
    for (_, service) in entries(tree, "services") {
        hide_pairs(entries(&mut service.value, "environment"), &mut known);
        let fields = service.value.as_mapping_mut();
        if let Some(build) = fields.and_then(|fields| fields.get_mut("build")) {
            hide_pairs(entries(build, "args"), &mut known);
        }
    }
    for (_, secret) in entries(tree, "secrets") {
        let fields = secret.value.as_mapping_mut();
        if let Some(content) = fields.and_then(|fields| fields.get_mut("content")) {
            content.value = Value::String(MASK.to_owned());
        }
    }
    known.retain(|value| value.chars().count() >= LEAST_LENGTH);
    hide_known(tree, &known);
}

/// The same for one value of a variable.
pub(crate) fn mask_variable(name: &str, value: &str) -> String {
    if is_secret_name(name) && !value.is_empty() {
        return MASK.to_owned();
    }
    without_password(value).unwrap_or_else(|| value.to_owned())
}

fn hide_pairs<'n>(
    pairs: impl Iterator<Item = (&'n String, &'n mut Entry)>,
    known: &mut BTreeSet<String>,
) {
    for (name, entry) in pairs {
        let Some(text) = entry.value.scalar_text() else {
            continue;
        };
        // `${PASSWORD}` alone gives nothing away; a default in it is hidden as a value.
        let masked = if text.starts_with("${") && text.ends_with('}') {
            text.clone()
        } else {
            mask_variable(name, &text)
        };
        if masked != text {
            if masked == MASK && text != MASK {
                known.insert(text);
            }
            entry.value.value = Value::String(masked);
        }
    }
}

/// Where a text was written with a variable of a secret name, its value goes, however short.
fn hide_filled(node: &mut Node, filled: &[(&str, &str)]) {
    let raw = node.raw.clone();
    match &mut node.value {
        Value::String(text) => {
            for (name, value) in filled {
                if raw.as_deref().is_some_and(|raw| raw.contains(name)) {
                    *text = text.replace(value, MASK);
                }
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| hide_filled(item, filled)),
        Value::Mapping(mapping) => mapping
            .iter_mut()
            .for_each(|(_, entry)| hide_filled(&mut entry.value, filled)),
        _ => {}
    }
}

fn hide_known(node: &mut Node, known: &BTreeSet<String>) {
    match &mut node.value {
        Value::String(text) => {
            for value in known {
                if text.contains(value.as_str()) {
                    *text = text.replace(value.as_str(), MASK);
                }
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| hide_known(item, known)),
        Value::Mapping(mapping) => mapping
            .iter_mut()
            .for_each(|(_, entry)| hide_known(&mut entry.value, known)),
        _ => {}
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
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE")
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
        assert!(is_secret_name("X-Api-Key") && is_secret_name("SSH_PASSPHRASE"));
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
