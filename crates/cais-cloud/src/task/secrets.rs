//! Which variables of a service ECS fetches from Secrets Manager, and how the addresses of a managed cache reach it.
//!
//! Fargate has no files of secrets: a secret arrives as a variable. Where the file names its path in `NAME_FILE`, that
//! becomes `NAME`, the pair that images know; else the variable is the secret's name in capitals.

use crate::names::Names;
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::{Service, Stack};
use std::collections::BTreeMap;

/// A variable whose value ECS fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVariable {
    /// The variable.
    pub name: String,
    /// The secret's name in Secrets Manager.
    pub secret: String,
    /// The key of the secret's JSON text; `None` is the whole text.
    pub key: Option<String>,
}

/// A service's variables.
pub(super) struct Variables {
    pub(super) plain: BTreeMap<String, String>,
    pub(super) secret: Vec<SecretVariable>,
}

/// Sorts a service's variables into those with a value and those with a secret.
pub(super) fn variables(
    stack: &Stack,
    service: &Service,
    names: &Names,
    diagnostics: &mut Vec<Diagnostic>,
) -> Variables {
    let mut plain = service.environment.clone();
    let mut secret = BTreeMap::new();
    for mount in &service.secrets {
        let (source, key) = place(stack, &mount.source, names);
        let file = plain
            .iter()
            .find(|(name, value)| name.ends_with("_FILE") && **value == mount.target)
            .map(|(name, _)| name.clone());
        let variable = match &file {
            Some(name) => name.trim_end_matches("_FILE").to_owned(),
            None => in_capitals(&mount.source),
        };
        if let Some(file) = file {
            plain.remove(&file);
        }
        plain.remove(&variable);
        secret.insert(variable, (source, key));
    }
    let addresses: Vec<(String, (String, Option<String>))> = plain
        .iter()
        .filter_map(|(name, value)| {
            let found = cache_address(stack, service, (name, value), names, diagnostics)?;
            Some((name.clone(), found))
        })
        .collect();
    for (name, found) in addresses {
        plain.remove(&name);
        secret.insert(name, found);
    }
    let ports_are_named = !service.ports.is_empty() || !service.expose.is_empty();
    if let (false, Some(port)) = (ports_are_named, service.container_ports().first()) {
        plain
            .entry("PORT".to_owned())
            .or_insert_with(|| port.to_string());
    }
    Variables {
        plain,
        secret: secret
            .into_iter()
            .map(|(name, (secret, key))| SecretVariable { name, secret, key })
            .collect(),
    }
}

/// The managed cache among a stack's services that mounts this secret: the secret is its password.
pub(crate) fn cache_of_password<'s>(stack: &'s Stack, secret: &str) -> Option<&'s Service> {
    stack.services.values().find(|service| {
        service.cloud.aws.managed.is_some()
            && service.secrets.iter().any(|mount| mount.source == secret)
    })
}

/// Where in Secrets Manager a Compose secret is.
fn place(stack: &Stack, secret: &str, names: &Names) -> (String, Option<String>) {
    if let Some(cache) = cache_of_password(stack, secret) {
        return (
            names.cache_secret(cache.name.as_str()),
            Some("password".to_owned()),
        );
    }
    (names.secret(secret), None)
}

/// `redis://redis:6379`, `redis:6379` or `redis`, where `redis` is a managed cache.
fn cache_address(
    stack: &Stack,
    service: &Service,
    (variable, value): (&str, &str),
    names: &Names,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(String, Option<String>)> {
    let (key, host, path) = match value.split_once("://") {
        Some(("redis" | "rediss" | "valkey" | "valkeys", rest)) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            let host_port = authority.rsplit('@').next().unwrap_or_default();
            let host = host_port.split(':').next().unwrap_or_default();
            ("url", host, &rest[authority.len()..])
        }
        Some(_) => return None,
        None => match value.split_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => ("address", host, ""),
            Some(_) => return None,
            None => ("host", value, ""),
        },
    };
    let cache = stack
        .services
        .values()
        .find(|other| other.cloud.aws.managed.is_some() && other.name.as_str() == host)?;
    if !matches!(path, "" | "/" | "/0") {
        let message = format!(
            "service `{}` names `{value}`, and the address of a managed cache has nothing behind its port",
            service.name
        );
        diagnostics.push(
            stack
                .places
                .error(
                    &["services", service.name.as_str(), "environment", variable],
                    message,
                )
                .with_help(format!("write `redis://{host}:6379`")),
        );
    }
    Some((
        names.cache_secret(cache.name.as_str()),
        Some(key.to_owned()),
    ))
}

/// A name as variables have it.
pub(crate) fn in_capitals(name: &str) -> String {
    let letters = name.chars().map(|c| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    });
    letters.collect()
}
