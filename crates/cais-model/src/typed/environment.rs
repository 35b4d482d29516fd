//! A task's environment: the env files in order, then `environment`, which wins (Compose, "Environment variables precedence").

use super::read::{Reader, text};
use super::{Inputs, entries, resolve};
use crate::dotenv;
use crate::node::Node;
use crate::source::SourceError;
use std::collections::BTreeMap;

/// Merges the env files and `environment` of a service.
pub(super) fn of(
    service: &Node,
    inputs: &mut Inputs<'_, '_>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for file in service
        .get("env_file")
        .and_then(Node::as_sequence)
        .unwrap_or_default()
    {
        env_file(file, &mut environment, inputs, reader);
    }
    for (name, entry) in entries(service.get("environment")) {
        if name.ends_with(char::is_whitespace) {
            reader.error(
                &entry.value,
                format!("the variable name `{name}` ends with a space"),
            );
        }
        // A name without a value takes the caller's; without one there it stays what the env files said.
        let value = entry
            .value
            .scalar_text()
            .or_else(|| inputs.variables.get(name));
        if let Some(value) = value {
            environment.insert(name.clone(), value);
        }
    }
    environment
}

fn env_file(
    file: &Node,
    environment: &mut BTreeMap<String, String>,
    inputs: &mut Inputs<'_, '_>,
    reader: &mut Reader<'_>,
) {
    if !inputs.reads_env_files {
        return;
    }
    let Some(path) = file.get("path") else { return };
    let Some(name) = text(Some(path)) else { return };
    let required = reader.boolean(file.get("required")).unwrap_or(true);
    let contents = match inputs.source.read(&resolve(&name, inputs)) {
        Ok(contents) => contents,
        Err(SourceError::NotFound) if !required => return,
        Err(error) => {
            let diagnostic = path.error(format!("env file `{name}` cannot be read: {error}"));
            let help = "create it, or write `required: false` beside its `path`";
            return reader.diagnostics.push(diagnostic.with_help(help));
        }
    };
    let is_raw = text(file.get("format")).as_deref() == Some("raw");
    let parsed = if is_raw {
        Ok(dotenv::parse_raw(&contents))
    } else {
        let known = environment.clone();
        dotenv::parse(&contents, &mut |variable| {
            inputs
                .variables
                .get(variable)
                .or_else(|| known.get(variable).cloned())
        })
    };
    match parsed {
        Ok(variables) => {
            for (name, value) in variables {
                match value.or_else(|| inputs.variables.get(&name)) {
                    Some(value) => environment.insert(name, value),
                    None => environment.remove(&name),
                };
            }
        }
        Err(error) => reader.error(path, format!("{name}:{}: {}", error.line, error.reason)),
    }
}
