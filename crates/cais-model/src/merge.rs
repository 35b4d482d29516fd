//! Compose's merge rules for trees in long form: mappings merge, lists append, a few fields are replaced whole (Compose Specification, "Merge").

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Mapping, Node, Tag, Value};
use crate::path::Path;
use std::collections::HashSet;

/// Fields that the later file replaces whole; a list would else grow, and half a limit be of no use.
const REPLACED: [&str; 9] = [
    "services.*.command",
    "services.*.entrypoint",
    "services.*.healthcheck.test",
    "services.*.ulimits.*",
    "jobs.*.command",
    "jobs.*.entrypoint",
    "jobs.*.healthcheck.test",
    "jobs.*.ulimits.*",
    "models.*.runtime_flags",
];

/// Fields of names and values, where a name without a value is a value too: it replaces.
const PAIRS: [&str; 17] = [
    "services.*.annotations",
    "services.*.build.additional_contexts",
    "services.*.build.args",
    "services.*.build.labels",
    "services.*.deploy.labels",
    "services.*.environment",
    "services.*.labels",
    "services.*.sysctls",
    "jobs.*.annotations",
    "jobs.*.build.args",
    "jobs.*.environment",
    "jobs.*.labels",
    "jobs.*.sysctls",
    "networks.*.labels",
    "volumes.*.labels",
    "secrets.*.labels",
    "configs.*.labels",
];

const LOGGING: [&str; 2] = ["services.*.logging", "jobs.*.logging"];
const IPAM_CONFIG: [&str; 1] = ["networks.*.ipam.config"];

/// Lays `over` on `base`; both are in long form. `!reset` and `!override` take effect and stay as marks until [`strip_tags`].
pub(crate) fn merge(
    base: Node,
    over: Node,
    path: &mut Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Node {
    if over.tag.is_some() || is(path, &REPLACED) {
        return over;
    }
    if over.is_null() && !base.is_null() {
        return base;
    }
    match (base.value, over.value) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            if is(path, &LOGGING) && drivers_differ(&below, &above) {
                return Node {
                    value: Value::Mapping(above),
                    ..over
                };
            }
            let value = Value::Mapping(mappings(below, above, path, diagnostics));
            // Where a mapping stands is where it was first opened.
            Node {
                value,
                position: base.position,
                width: base.width,
                tag: base.tag,
                raw: None,
            }
        }
        (Value::Sequence(below), Value::Sequence(above)) => {
            let items = if is(path, &IPAM_CONFIG) {
                by_subnet(below, above, path, diagnostics)
            } else {
                appended(below, above)
            };
            Node {
                value: Value::Sequence(items),
                position: base.position,
                width: base.width,
                tag: base.tag,
                raw: None,
            }
        }
        (below @ (Value::Mapping(_) | Value::Sequence(_)), above) => {
            let base = Node {
                value: below,
                tag: base.tag,
                raw: None,
                position: base.position,
                width: base.width,
            };
            let over = Node {
                value: above,
                ..over
            };
            if !is(path, &PAIRS) {
                let (kind, first) = (over.kind(), base.kind());
                diagnostics.push(
                    over.error(format!(
                        "{path}: a {kind} cannot be merged into the {first} of {}",
                        base.position
                    ))
                    .with_help("write `!override` before the value to replace it"),
                );
            }
            over
        }
        (_, above) => Node {
            value: above,
            ..over
        },
    }
}

fn is(path: &Path, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| path.matches(pattern))
}

fn mappings(
    mut below: Mapping,
    above: Mapping,
    path: &mut Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Mapping {
    let replaces = is(path, &PAIRS);
    for (key, entry) in above {
        let Some(first) = below.get_mut(&key) else {
            below.insert(key, entry);
            continue;
        };
        if replaces {
            *first = entry.value;
            continue;
        }
        let place = first.position.clone();
        let base = std::mem::replace(first, Node::new(Value::Null, place));
        path.push_key(&key);
        *first = merge(base, entry.value, path, diagnostics);
        path.pop();
    }
    below
}

/// The options of one driver mean nothing to another.
fn drivers_differ(below: &Mapping, above: &Mapping) -> bool {
    matches!((below.get("driver"), above.get("driver")), (Some(below), Some(above)) if below != above)
}

fn appended(mut below: Vec<Node>, above: Vec<Node>) -> Vec<Node> {
    let text = |item: &Node| item.to_json().to_string();
    let mut known: HashSet<String> = below.iter().map(text).collect();
    below.extend(above.into_iter().filter(|item| known.insert(text(item))));
    below
}

/// Address pools of one subnet are one pool.
fn by_subnet(
    below: Vec<Node>,
    above: Vec<Node>,
    path: &mut Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Node> {
    let mut merged = below;
    for item in above {
        let same = merged.iter().position(|first| {
            item.get("subnet").is_some() && first.get("subnet") == item.get("subnet")
        });
        match same {
            Some(index) => {
                let base = merged[index].clone();
                path.push_index(index);
                merged[index] = merge(base, item, path, diagnostics);
                path.pop();
            }
            None => merged.push(item),
        }
    }
    merged
}

/// Removes what is marked `!reset` and takes the marks off the rest.
pub(crate) fn strip_tags(node: &mut Node) {
    node.tag = None;
    let is_reset = |node: &Node| node.tag == Some(Tag::Reset);
    match &mut node.value {
        Value::Mapping(mapping) => {
            mapping.retain(|_, entry| !is_reset(&entry.value));
            mapping
                .iter_mut()
                .for_each(|(_, Entry { value, .. })| strip_tags(value));
        }
        Value::Sequence(items) => {
            items.retain(|item| !is_reset(item));
            items.iter_mut().for_each(strip_tags);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{canonical, unique, yaml};
    use std::path::PathBuf;
    use std::sync::Arc;

    fn tree(text: &str) -> Node {
        let file = Arc::new(PathBuf::from("t.yaml"));
        let mut tree = yaml::parse(&file, text).unwrap().documents.remove(0);
        canonical::long_forms(&mut tree, &mut Vec::new());
        tree
    }

    fn merged(base: &str, over: &str) -> Result<Node, String> {
        let mut diagnostics = Vec::new();
        let mut tree = merge(tree(base), tree(over), &mut Path::root(), &mut diagnostics);
        strip_tags(&mut tree);
        unique::enforce(&mut tree);
        match diagnostics.first() {
            None => Ok(tree),
            Some(diagnostic) => Err(diagnostic.to_string()),
        }
    }

    /// The services' `web` as one line of YAML, merged, and what it should be.
    fn check(base: &str, over: &str, want: &str) {
        let file = |web: &str| format!("{{services: {{web: {{{web}}}}}}}");
        let merged = merged(&file(base), &file(over)).map(|tree| tree.to_yaml());
        assert_eq!(merged, Ok(tree(&file(want)).to_yaml()), "{base} + {over}");
    }

    #[test]
    fn mappings_merge_and_lists_append() {
        check(
            "image: a, labels: [A=1, B=2]",
            "labels: {B: 3, C: null}",
            "image: a, labels: {A: '1', B: '3', C: null}",
        );
        check("cap_add: [A]", "cap_add: [B, A]", "cap_add: [A, B]");
        check(
            "depends_on: [a]",
            "depends_on: {b: {condition: service_healthy}}",
            "depends_on: {a: {condition: service_started, required: true}, b: {condition: service_healthy}}",
        );
        check(
            "environment: {A: 1}",
            "environment: [A]",
            "environment: {A: null}",
        );
        check(
            "build: .",
            "build: {target: t}",
            "build: {context: ., target: t}",
        );
        check("image: a", "image: null", "image: a");
    }

    #[test]
    fn commands_and_tests_are_replaced() {
        check("command: [a, b]", "command: c d", "command: [c, d]");
        check(
            "healthcheck: {test: [CMD, a], retries: 2}",
            "healthcheck: {test: b}",
            "healthcheck: {test: [CMD-SHELL, b], retries: 2}",
        );
    }

    #[test]
    fn logging_merges_for_one_driver_only() {
        let base = "logging: {driver: json-file, options: {max-size: 1m}}";
        check(
            base,
            "logging: {options: {max-file: 2}}",
            "logging: {driver: json-file, options: {max-size: 1m, max-file: 2}}",
        );
        check(
            base,
            "logging: {driver: syslog}",
            "logging: {driver: syslog}",
        );
    }

    #[test]
    fn entries_of_one_target_are_one() {
        check(
            "ports: ['80:80']",
            "ports: ['80:80', '127.0.0.1:80:80']",
            "ports: ['80:80', '127.0.0.1:80:80']",
        );
        check(
            "volumes: ['one:/x', 'two:/y']",
            "volumes: ['new:/x']",
            "volumes: ['new:/x', 'two:/y']",
        );
        check(
            "secrets: [a]",
            "secrets: [{source: b, target: /run/secrets/a}]",
            "secrets: [{source: b, target: /run/secrets/a}]",
        );
    }

    #[test]
    fn tags_delete_and_replace() {
        check("ports: ['80:80'], image: a", "ports: !reset []", "image: a");
        check(
            "ports: ['80:80']",
            "ports: !override ['81:81']",
            "ports: ['81:81']",
        );
        check(
            "environment: {A: 1, B: 2}",
            "environment: {A: !reset null}",
            "environment: {B: '2'}",
        );
    }

    #[test]
    fn kinds_that_do_not_merge_are_an_error() {
        let error = merged(
            "{services: {web: {deploy: {a: 1}}}}",
            "{services: {web: {deploy: [a]}}}",
        );
        assert_eq!(
            error.map(|_| ()),
            Err("t.yaml:1:27: error: services.web.deploy: a list cannot be merged into the mapping of t.yaml:1:27 \
                 (write `!override` before the value to replace it)".to_owned())
        );
    }
}
