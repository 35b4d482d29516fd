//! What each runtime makes of each field: honoured, warned about, passed over, refused. The table is [`TABLE`]; the guide's page is printed from it.

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Node, Value};
use crate::path::Path;
use crate::source::Loaded;
use crate::stack::{Condition, Stack};
use std::fmt::Write as _;

mod table;

pub use table::TABLE;

/// Where a stack runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Supervised processes on this machine.
    Process,
    /// Containers of a local Docker engine.
    Docker,
    /// ECS on Fargate.
    Aws,
}

/// What a runtime makes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It has its meaning.
    Honoured,
    /// It has no effect, and its author may expect one; the reason.
    Warned(&'static str),
    /// It has no effect, and nobody misses it; the reason.
    PassedOver(&'static str),
    /// The stack cannot run with it; the reason.
    Refused(&'static str),
}

/// A row: the field's path (`*` is any name, `=value` one value of it), then process, Docker and AWS.
pub type Row = (&'static str, Support, Support, Support);

/// What of a project a runtime does not honour: an error for each refused field, a warning for each that will have no effect.
pub fn unsupported(loaded: &Loaded, runtime: Runtime) -> Vec<Diagnostic> {
    let mut diagnostics = without_local_command(loaded, runtime);
    diagnostics.extend(published_otherwise(loaded, runtime));
    visit(
        &loaded.tree,
        &mut Path::root(),
        runtime,
        &mut |path, entry, support| {
            if runtime == Runtime::Aws && is_there_before(&loaded.stack, path) {
                return;
            }
            let what = described(path);
            let place = &entry.key_position;
            let diagnostic = match support {
                Support::Warned(reason) => Diagnostic::warning(
                    place,
                    format!("{what} has no effect {}: {reason}", runtime.place()),
                ),
                Support::Refused(reason) => Diagnostic::error(
                    place,
                    format!("{what} is refused {}: {reason}", runtime.place()),
                ),
                Support::Honoured | Support::PassedOver(_) => return,
            };
            diagnostics.push(diagnostic.with_width(key_width(path)));
        },
    );
    diagnostics.sort_by(|a, b| a.position.cmp(&b.position));
    diagnostics.dedup();
    diagnostics
}

/// Fields of a project that a runtime passes over, as warnings for those who ask (`config`, `check`).
pub fn passed_over(loaded: &Loaded, runtime: Runtime) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    visit(
        &loaded.tree,
        &mut Path::root(),
        runtime,
        &mut |path, entry, support| {
            if let Support::PassedOver(reason) = support {
                let message = format!(
                    "{} is passed over {}: {reason}",
                    described(path),
                    runtime.place()
                );
                diagnostics.push(
                    Diagnostic::warning(&entry.key_position, message).with_width(key_width(path)),
                );
            }
        },
    );
    diagnostics
}

/// The guide's page on fields, as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n| field | process | Docker | AWS |\n|---|---|---|---|\n");
    for (path, process, docker, aws) in TABLE {
        let field = path.replace("services.*.", "");
        let field = field.replace('=', ": ");
        let _ = writeln!(
            out,
            "| `{field}` | {} | {} | {} |",
            cell(*process),
            cell(*docker),
            cell(*aws)
        );
    }
    out
}

const INTRODUCTION: &str = "\
# What each field does

`cais` honours a field, warns about it, passes over it, or refuses the stack because of it; it never ignores one in \
silence. A warning or a refusal names the field with file, line and column.

- *warned*: the field has no effect, and you may expect one.
- *passed over*: it has no effect, and none is missed. Foreign `x-` keys are passed over everywhere.
- *refused*: the stack does not run with it.

Fields without a block before them belong to a service.

Of a range of published ports (`8081-8084:80`), which Docker spreads over replicas, cais listens on the first, for all \
of them. A port without an address listens on 127.0.0.1. A container port without a published \
one (`80`) gets a free port of the machine, as from Docker, and keeps it while no other program takes it; `cais ps` shows it. On AWS a port that is \
published as another one (`8080:80`) is refused, \
because a task has an address of its own; `127.0.0.1:8080:80` is for this machine alone, and passed over there.

This page is printed from the table in `crates/cais-model/src/fields/table.rs`.
";

impl Runtime {
    fn place(self) -> &'static str {
        match self {
            Self::Process => "in the process runtime",
            Self::Docker => "in the Docker runtime",
            Self::Aws => "on AWS",
        }
    }

    fn support(self, row: &Row) -> Support {
        match self {
            Self::Process => row.1,
            Self::Docker => row.2,
            Self::Aws => row.3,
        }
    }
}

/// A task on Fargate has an address of its own, and nothing in front of it that would turn one port into another.
fn published_otherwise(loaded: &Loaded, runtime: Runtime) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if runtime != Runtime::Aws {
        return diagnostics;
    }
    let services = loaded.stack.services.values();
    for service in services.filter(|service| service.cloud.aws.managed.is_none()) {
        let written = loaded
            .tree
            .at(&["services", service.name.as_str(), "ports"]);
        let written = written.and_then(Node::as_sequence).unwrap_or_default();
        for port in &service.ports {
            let target = port.target;
            // `127.0.0.1:8081:80` is meant for this machine alone.
            let is_meant = !(port.host_is_explicit && port.host.is_loopback());
            let differs = |published: &u16| is_meant && *published != target;
            let Some(published) = port.published.filter(differs) else {
                continue;
            };
            let message = format!(
                "port {target} of service `{}` is published as {published}, which is refused {}: a task has its own address, and its ports are its container's",
                service.name,
                runtime.place()
            );
            let help = format!(
                "write `ports: ['127.0.0.1:{published}:{target}']` where {published} is for this machine alone, else `ports: ['{target}']`"
            );
            let item = written.iter().find(|item| item.position == port.position);
            diagnostics.push(
                Diagnostic::error(&port.position, message)
                    .with_width(item.map_or(1, |item| item.width))
                    .with_help(help),
            );
        }
    }
    diagnostics
}

/// The process runtime runs `x-cais.process.command`, else `entrypoint` and `command`; an image it cannot run.
fn without_local_command(loaded: &Loaded, runtime: Runtime) -> Vec<Diagnostic> {
    if runtime != Runtime::Process {
        return Vec::new();
    }
    let services = loaded.stack.services.values();
    let idle = services.filter(|service| service.local_command().is_none());
    idle.map(|service| {
        let width = u32::try_from(service.name.as_str().len()).unwrap_or(1);
        Diagnostic::error(
            &service.position,
            format!(
                "service `{}` has no local command, and the process runtime cannot run an image",
                service.name
            ),
        )
        .with_width(width)
        .with_help(
            "give it `x-cais: {process: {command: …}}`, or run the stack in Docker: `cais --runtime docker up`",
        )
    })
    .collect()
}

/// Calls `found` for every entry that a row names; below an entry that is not honoured nothing more is looked at.
fn visit(
    node: &Node,
    path: &mut Path,
    runtime: Runtime,
    found: &mut dyn FnMut(&Path, &Entry, Support),
) {
    if let Value::Sequence(items) = &node.value {
        for (index, item) in items.iter().enumerate() {
            path.push_index(index);
            visit(item, path, runtime, found);
            path.pop();
        }
    }
    let Value::Mapping(mapping) = &node.value else {
        return;
    };
    for (key, entry) in mapping.iter() {
        path.push_key(key);
        match row(path, &entry.value).map(|row| runtime.support(row)) {
            None | Some(Support::Honoured) => visit(&entry.value, path, runtime, found),
            Some(support) => found(path, entry, support),
        }
        path.pop();
    }
}

/// The row for this value, else the one for the field.
fn row(path: &Path, node: &Node) -> Option<&'static Row> {
    let for_value = TABLE
        .iter()
        .find(|(pattern, ..)| match pattern.split_once('=') {
            Some((field, value)) => path.matches(field) && has_only(node, value),
            None => false,
        });
    for_value.or_else(|| TABLE.iter().find(|(pattern, ..)| path.matches(pattern)))
}

/// Is the value this one, or a list of nothing else? `service:*` is any text that begins so.
fn has_only(node: &Node, value: &str) -> bool {
    let is = |node: &Node| match (node.scalar_text(), value.strip_suffix('*')) {
        (Some(text), Some(prefix)) => text.starts_with(prefix),
        (Some(text), None) => text == value,
        (None, _) => false,
    };
    match node.as_sequence() {
        Some(items) => !items.is_empty() && items.iter().all(is),
        None => is(node),
    }
}

/// A `depends_on` whose services are all there before this one starts, though ECS knows no order: what AWS runs by itself,
/// which the foundation makes, and tasks that a deploy waits for.
fn is_there_before(stack: &Stack, path: &Path) -> bool {
    if !path.matches("services.*.depends_on") {
        return false;
    }
    let shown = path.to_string();
    let name = shown.split('.').nth(1).unwrap_or_default();
    let mut services = stack.services.values();
    let service = services.find(|it| it.name.as_str() == name);
    service.is_some_and(|service| {
        let mut dependencies = service.depends_on.iter();
        dependencies.all(|(other, dependency)| {
            let other = stack.services.get(other);
            let is_managed = other.is_some_and(|it| it.cloud.aws.managed.is_some());
            is_managed || dependency.condition == Condition::ServiceCompletedSuccessfully
        })
    })
}

/// "`ports` of service `web`"
fn described(path: &Path) -> String {
    let shown = path.to_string();
    match shown
        .strip_prefix("services.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((service, field)) => format!("`{field}` of service `{service}`"),
        None => format!("`{shown}`"),
    }
}

fn key_width(path: &Path) -> u32 {
    let key = path.last_key().unwrap_or_default();
    u32::try_from(key.chars().count()).unwrap_or(1)
}

fn cell(support: Support) -> String {
    match support {
        Support::Honoured => "honoured".to_owned(),
        Support::Warned(reason) => format!("warned: {reason}"),
        Support::PassedOver(reason) => format!("passed over: {reason}"),
        Support::Refused(reason) => format!("refused: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use serde_json::Value as Json;

    fn properties(pointer: &str) -> Vec<String> {
        let block = schema::document()
            .pointer(pointer)
            .and_then(Json::as_object);
        block
            .map(|block| block.keys().cloned().collect())
            .unwrap_or_default()
    }

    #[test]
    fn every_field_of_the_specification_has_a_row() {
        let blocks = [
            ("", "/properties"),
            ("services.*.", "/$defs/service/properties"),
            ("services.*.", "/$defs/container_spec/properties"),
            ("services.*.", "/$defs/workload_spec/properties"),
            ("services.*.deploy.", "/$defs/deployment/properties"),
            ("services.*.healthcheck.", "/$defs/healthcheck/properties"),
        ];
        let mut missing = Vec::new();
        for (prefix, pointer) in blocks {
            let keys = properties(pointer);
            assert!(keys.len() > 4, "{pointer}");
            for key in keys {
                let path = format!("{prefix}{key}");
                let below = format!("{path}.");
                let has_row = TABLE.iter().any(|(row, ..)| {
                    let field = row.split('=').next().unwrap_or(row);
                    field == path || row.starts_with(&below)
                });
                if !has_row {
                    missing.push(path);
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn no_field_has_two_rows() {
        for (index, (path, ..)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[..index].iter().all(|(other, ..)| other != path),
                "{path}"
            );
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test is its own caller")]
    fn the_guide_shows_the_table() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/fields.md");
        if std::env::var("CAIS_BLESS").is_ok() {
            std::fs::write(page, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(page).unwrap_or_default();
        assert_eq!(
            written,
            markdown(),
            "run the test with CAIS_BLESS=1 to rewrite the page"
        );
    }
}
