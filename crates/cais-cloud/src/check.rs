//! What of a file cannot go to AWS as it stands, found in the tree, where every value has its place: secrets in clear text,
//! and files that Fargate does not mount.

use cais_model::Loaded;
use cais_model::diagnostic::Diagnostic;
use cais_model::node::{Entry, Mapping, Node};

/// Errors and warnings, by service.
pub fn check(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (name, service) in entries(loaded.tree.get("services")) {
        let managed = service.value.at(&["x-cais", "aws", "managed"]).is_some();
        if managed {
            continue;
        }
        for (variable, entry) in entries(service.value.get("environment")) {
            let text = entry.value.scalar_text().unwrap_or_default();
            if is_secret(variable, &text) {
                diagnostics.push(
                    Diagnostic::error(
                        &entry.key_position,
                        format!("`{variable}` of service `{name}` looks like a secret, and would stand in the rendered files"),
                    )
                    .with_width(crate::task::width(variable))
                    .with_help(format!(
                        "make it a secret of the file: `secrets: [{}]`, which AWS hands over as `{variable}`",
                        variable.to_ascii_lowercase()
                    )),
                );
            }
        }
        secrets(name, &service.value, &mut diagnostics);
    }
    diagnostics
}

/// A secret that no `NAME_FILE` names arrives under a name that the program may not expect.
fn secrets(service: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let items = node.get("secrets").and_then(Node::as_sequence);
    for item in items.unwrap_or_default() {
        let Some(source) = item.get("source").and_then(Node::scalar_text) else {
            continue;
        };
        let target = item.get("target").and_then(Node::scalar_text);
        let path = match &target {
            Some(target) if target.starts_with('/') => target.clone(),
            Some(target) => format!("/run/secrets/{target}"),
            None => format!("/run/secrets/{source}"),
        };
        let is_named = entries(node.get("environment")).any(|(name, entry)| {
            name.ends_with("_FILE") && entry.value.scalar_text().as_deref() == Some(path.as_str())
        });
        if !is_named {
            let variable = crate::task::in_capitals(&source);
            diagnostics.push(
                item.warning(format!(
                    "secret `{source}` of service `{service}` is no file on AWS: it arrives as the variable `{variable}`"
                ))
                .with_help(format!("where the program reads a file, name it: `environment: {{{variable}_FILE: {path}}}`, which becomes `{variable}` on AWS")),
            );
        }
    }
}

/// Does the name say that the value is secret, or has it a password in a URL?
fn is_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 7] = [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "PRIVATE_KEY",
        "API_KEY",
        "ACCESS_KEY",
    ];
    let name = name.to_ascii_uppercase();
    let is_named = WORDS.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE");
    (is_named && !value.is_empty()) || has_password(value)
}

/// `scheme://user:password@host`
fn has_password(value: &str) -> bool {
    let authority = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority
        .and_then(|authority| authority.rsplit_once('@'))
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

fn entries(node: Option<&Node>) -> impl Iterator<Item = (&String, &Entry)> {
    node.and_then(Node::as_mapping)
        .into_iter()
        .flat_map(Mapping::iter)
}
