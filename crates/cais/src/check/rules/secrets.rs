//! Secrets that stand where everybody reads them. No message repeats one.

use super::super::Service;
use super::super::finding::Severity;
use super::super::secret;
use super::Hit;
use cais_model::diagnostic::Position;
use cais_model::node::{Entry, Node};

/// The text of a value as it stands in the file, where no variable has a part in it.
fn literal(node: &Node) -> Option<&str> {
    let has_variables = node.raw.as_ref().is_some_and(|raw| variables(raw));
    if has_variables { None } else { node.as_str() }
}

/// Is there a `$` that is not doubled?
fn variables(raw: &str) -> bool {
    raw.replace("$$", "").contains('$')
}

/// A value of the environment whose name says that it is secret, or a URL with its password.
pub(super) fn in_environment(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for (name, entry) in service.entries(&["environment"]) {
        let Some(value) = literal(&entry.value) else {
            continue;
        };
        if secret::known_token(value).is_some() {
            continue;
        }
        let key = &entry.key_position;
        if secret::is_secret_name(name) && secret::is_secret_value(value) {
            let hit = Hit::on_secret(
                key,
                &entry.value,
                format!("the value of `{name}` stands in the file"),
            );
            hits.push(if secret::looks_generated(value) {
                hit.at_least(Severity::Warning)
            } else {
                hit
            });
        } else if secret::url_password(value).is_some() {
            hits.push(Hit::on_secret(
                key,
                &entry.value,
                format!("the URL of `{name}` has its password in it"),
            ));
        }
    }
}

/// A token that its provider's own form gives away, wherever it stands.
pub(super) fn known_token(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let mappings = [&["environment"][..], &["labels"], &["build", "args"]];
    for (name, entry) in mappings.iter().flat_map(|path| service.entries(path)) {
        if let Some(kind) = literal(&entry.value).and_then(secret::known_token) {
            let message = format!("`{name}` holds {kind}");
            hits.push(Hit::on_secret(&entry.key_position, &entry.value, message));
        }
    }
    for key in ["command", "entrypoint"] {
        for node in service.items(key) {
            if let Some(kind) = literal(node).and_then(secret::known_token) {
                hits.push(Hit::on_secret(
                    &elsewhere(node),
                    node,
                    format!("`{key}` holds {kind}"),
                ));
            }
        }
    }
}

/// `${PASSWORD:-postgres}`: who forgets the variable deploys the default.
pub(super) fn default_value(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for (name, entry) in service.entries(&["environment"]) {
        let Some(raw) = entry.value.raw.as_deref() else {
            continue;
        };
        if secret::is_secret_name(name) && default_of(raw).is_some_and(secret::is_secret_value) {
            let message = format!("`{name}` falls back on a value that stands in the file");
            hits.push(Hit::on_secret(&entry.key_position, &entry.value, message));
        }
    }
}

/// The default of a text that is one variable: `${X:-default}`.
fn default_of(raw: &str) -> Option<&str> {
    // `- NAME=${X:-default}` keeps the whole item.
    let start = raw.find("${")?;
    let inner = raw[start + 2..].strip_suffix('}')?;
    let (_, default) = inner.split_once(":-").or_else(|| inner.split_once('-'))?;
    (!default.contains('$')).then_some(default)
}

/// An argument of the build: it stays in the image's history.
pub(super) fn in_build_args(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for (name, entry) in service.entries(&["build", "args"]) {
        let Entry {
            key_position,
            value,
            ..
        } = entry;
        let could_be = value.is_null()
            || value.raw.is_some()
            || value.as_str().is_some_and(secret::is_secret_value);
        if secret::is_secret_name(name) && could_be {
            let message = format!("build argument `{name}` stays readable in the image's history");
            hits.push(Hit::on_secret(key_position, value, message));
        }
    }
}

/// A password among the arguments: every user of the machine reads them.
pub(super) fn in_command(service: &Service<'_>, hits: &mut Vec<Hit>) {
    for key in ["command", "entrypoint"] {
        let words = service.items(key);
        for (index, node) in words.iter().enumerate() {
            let word = node.as_str().unwrap_or_default();
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word, words.get(index + 1).and_then(Node::as_str)),
            };
            if !flag.starts_with("--") || flag.contains(char::is_whitespace) {
                continue;
            }
            let name = flag.trim_start_matches('-');
            let is_secret =
                name == "requirepass" || name == "masterauth" || secret::is_secret_name(name);
            let Some(value) = value.filter(|value| !value.starts_with('-')) else {
                continue;
            };
            if is_secret && secret::is_secret_value(value) {
                hits.push(Hit::on_secret(
                    &elsewhere(node),
                    node,
                    format!("the value of `{flag}` is an argument"),
                ));
            }
        }
    }
}

/// A switch that turns authentication or the check of certificates off.
pub(super) fn no_authentication(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const SWITCHES: [(&str, &[&str]); 12] = [
        ("ALLOW_EMPTY_PASSWORD", &["yes", "true", "1"]),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", &["yes", "true", "1"]),
        ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", &["yes", "true", "1"]),
        ("ALLOW_ANONYMOUS_LOGIN", &["yes", "true", "1"]),
        ("ALLOW_PLAINTEXT_LISTENER", &["yes", "true", "1"]),
        ("POSTGRES_HOST_AUTH_METHOD", &["trust"]),
        ("xpack.security.enabled", &["false"]),
        ("DISABLE_SECURITY_PLUGIN", &["true"]),
        ("plugins.security.disabled", &["true"]),
        ("NODE_TLS_REJECT_UNAUTHORIZED", &["0"]),
        ("PYTHONHTTPSVERIFY", &["0"]),
        ("GIT_SSL_NO_VERIFY", &["1", "true"]),
    ];
    for (name, entry) in service.entries(&["environment"]) {
        let value = entry
            .value
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let off = SWITCHES
            .iter()
            .any(|(switch, values)| switch == name && values.contains(&value.as_str()));
        if off {
            hits.push(Hit::on(
                &entry.value,
                format!("`{name}: {value}` lets anybody in"),
            ));
        }
    }
    for node in service.items("command") {
        if node.as_str() == Some("--api.insecure=true") || node.as_str() == Some("--api.insecure") {
            hits.push(Hit::on(
                node,
                "Traefik's dashboard answers without a password",
            ));
        }
    }
}

/// A key's place that is none of a value's: words of a command have no key.
fn elsewhere(node: &Node) -> Position {
    Position {
        column: 0,
        ..node.position.clone()
    }
}
