//! Checks a tree against the Compose Specification's JSON schema and says where it departs from it. What the schema cannot express is left to `consistency`.

use crate::diagnostic::Diagnostic;
use crate::node::{Mapping, Node, Value};
use crate::path::Path;
use crate::suggest;
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

mod pattern;

/// The schema's text (see `schema/README.md` for its origin).
const TEXT: &str = include_str!("../schema/compose-spec.json");

static COMPOSE: LazyLock<Json> = LazyLock::new(|| {
    // A text that was compiled in: a test reads it, so it cannot fail at run time.
    serde_json::from_str(TEXT).unwrap_or(Json::Null)
});

/// The schema as JSON.
pub(crate) fn document() -> &'static Json {
    &COMPOSE
}

/// Adds a diagnostic for every departure from the Compose Specification.
pub(crate) fn check(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let outcome = Checker { root: &COMPOSE }.check(&COMPOSE, tree, &Path::root());
    diagnostics.extend(outcome.findings);
}

/// What checking a node against one schema gave.
#[derive(Default)]
struct Outcome<'s> {
    findings: Vec<Diagnostic>,
    /// Keys that some part of the schema speaks about (JSON Schema 2020-12, 11.3 `unevaluatedProperties`).
    evaluated: BTreeSet<String>,
    /// All keys that the schema names, for suggestions.
    known: Vec<&'s str>,
}

impl<'s> Outcome<'s> {
    fn absorb(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.evaluated.extend(other.evaluated);
        self.known.extend(other.known);
    }
}

struct Checker<'s> {
    root: &'s Json,
}

impl<'s> Checker<'s> {
    fn check(&self, schema: &'s Json, node: &Node, path: &Path) -> Outcome<'s> {
        let schema = self.resolve(schema);
        let mut outcome = Outcome::default();
        if let Some(diagnostic) = wrong_type(schema, node, path) {
            outcome.findings.push(diagnostic);
            return outcome;
        }
        for part in list(schema, "allOf") {
            outcome.absorb(self.check(part, node, path));
        }
        for keyword in ["oneOf", "anyOf"] {
            self.alternatives(list(schema, keyword), node, path, &mut outcome);
        }
        for diagnostic in limits(schema, node, path) {
            outcome.findings.push(diagnostic);
        }
        match &node.value {
            Value::Mapping(mapping) => self.mapping(schema, node, mapping, path, &mut outcome),
            Value::Sequence(items) => self.sequence(schema, items, path, &mut outcome),
            _ => {}
        }
        outcome
    }

    fn resolve(&self, schema: &'s Json) -> &'s Json {
        let target = schema
            .get("$ref")
            .and_then(Json::as_str)
            .and_then(|reference| reference.strip_prefix('#'));
        target
            .and_then(|pointer| self.root.pointer(pointer))
            .unwrap_or(schema)
    }

    /// `oneOf` and `anyOf`: one alternative that fits is enough, as the specification's alternatives exclude each other by type.
    fn alternatives(
        &self,
        alternatives: &'s [Json],
        node: &Node,
        path: &Path,
        outcome: &mut Outcome<'s>,
    ) {
        if alternatives.is_empty() {
            return;
        }
        let mut failed = Vec::new();
        for alternative in alternatives {
            let tried = self.check(alternative, node, path);
            if tried.findings.is_empty() {
                return outcome.absorb(tried);
            }
            failed.push((alternative, tried));
        }
        let of_this_type = failed
            .iter()
            .position(|(alternative, _)| fits_type(self.resolve(alternative), node));
        match of_this_type {
            Some(index) => outcome.absorb(failed.swap_remove(index).1),
            None => {
                let types: Vec<&str> = alternatives
                    .iter()
                    .flat_map(|it| types(self.resolve(it)))
                    .collect();
                outcome.findings.push(not_a(path, node, &types));
            }
        }
    }

    fn mapping(
        &self,
        schema: &'s Json,
        node: &Node,
        mapping: &Mapping,
        path: &Path,
        outcome: &mut Outcome<'s>,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let patterns = schema.get("patternProperties").and_then(Json::as_object);
        let additional = schema.get("additionalProperties");
        outcome.known.extend(
            properties
                .into_iter()
                .flat_map(|it| it.keys())
                .map(String::as_str),
        );
        for required in list(schema, "required").iter().filter_map(Json::as_str) {
            if mapping.get(required).is_none() {
                outcome
                    .findings
                    .push(node.error(format!("{path} needs the key `{required}`")));
            }
        }
        for (key, entry) in mapping.iter() {
            let below = path.key(key);
            let mut parts: Vec<&'s Json> =
                properties.and_then(|it| it.get(key)).into_iter().collect();
            for (pattern, part) in patterns.into_iter().flatten() {
                if pattern::matches(pattern, key) {
                    parts.push(part);
                }
            }
            if parts.is_empty() {
                parts.extend(additional.filter(|it| it.is_object()));
            }
            if parts.is_empty() && additional != Some(&Json::Bool(false)) {
                continue;
            }
            outcome.evaluated.insert(key.clone());
            if parts.is_empty() {
                let known = properties
                    .into_iter()
                    .flat_map(|it| it.keys())
                    .map(String::as_str);
                outcome
                    .findings
                    .push(unknown_key(path, key, mapping, known));
            }
            for part in parts {
                outcome
                    .findings
                    .extend(self.check(part, &entry.value, &below).findings);
            }
        }
        if schema.get("unevaluatedProperties") == Some(&Json::Bool(false)) {
            for key in mapping
                .keys()
                .filter(|key| !outcome.evaluated.contains(*key))
                .collect::<Vec<_>>()
            {
                let diagnostic = unknown_key(path, key, mapping, outcome.known.iter().copied());
                outcome.findings.push(diagnostic);
            }
        }
    }

    fn sequence(&self, schema: &'s Json, items: &[Node], path: &Path, outcome: &mut Outcome<'s>) {
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                outcome
                    .findings
                    .extend(self.check(schema, item, &path.index(index)).findings);
            }
        }
        if schema.get("uniqueItems") == Some(&Json::Bool(true)) {
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                if !seen.insert(item.to_json().to_string()) {
                    outcome
                        .findings
                        .push(item.error(format!("{} repeats an earlier item", path.index(index))));
                }
            }
        }
    }
}

fn list<'s>(schema: &'s Json, keyword: &str) -> &'s [Json] {
    schema
        .get(keyword)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits_type(schema: &Json, node: &Node) -> bool {
    let types = types(schema);
    types.is_empty() || types.iter().any(|name| is_a(node, name))
}

fn is_a(node: &Node, json_type: &str) -> bool {
    match (&node.value, json_type) {
        (Value::Null, "null")
        | (Value::Bool(_), "boolean")
        | (Value::Int(_), "integer" | "number")
        | (Value::Float(_), "number")
        | (Value::String(_), "string")
        | (Value::Sequence(_), "array")
        | (Value::Mapping(_), "object") => true,
        (Value::Float(number), "integer") => number.fract() == 0.0,
        _ => false,
    }
}

fn wrong_type(schema: &Json, node: &Node, path: &Path) -> Option<Diagnostic> {
    (!fits_type(schema, node)).then(|| not_a(path, node, &types(schema)))
}

fn not_a(path: &Path, node: &Node, types: &[&str]) -> Diagnostic {
    let mut words: Vec<&str> = types.iter().map(|name| in_words(name)).collect();
    words.sort_unstable();
    words.dedup();
    let what = if path.is_empty() {
        "the file".to_owned()
    } else {
        path.to_string()
    };
    let found = if node.is_null() {
        "empty".to_owned()
    } else {
        format!("a {}", node.kind())
    };
    let found = found.replace("a integer", "an integer");
    let diagnostic = node.error(format!(
        "{what} must be {}, and it is {found}",
        words.join(" or ")
    ));
    // `image:x` is one text.
    let glued = node.as_str().and_then(|text| text.split_once(':'));
    match glued.filter(|(key, value)| is_word(key) && !value.is_empty()) {
        Some((key, value)) if types.contains(&"object") => {
            diagnostic.with_help(format!("write a space after the colon: `{key}: {value}`"))
        }
        _ => diagnostic,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn in_words(json_type: &str) -> &'static str {
    match json_type {
        "null" => "empty",
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        _ => "a mapping",
    }
}

fn limits(schema: &Json, node: &Node, path: &Path) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let allowed = list(schema, "enum");
    if !allowed.is_empty() && !allowed.contains(&node.to_json()) {
        let words: Vec<String> = allowed
            .iter()
            .map(|it| format!("`{}`", it.as_str().unwrap_or_default()))
            .collect();
        let value = node.scalar_text().unwrap_or_default();
        let mut diagnostic =
            node.error(format!("{path}: `{value}` is none of {}", words.join(", ")));
        diagnostic.help = suggest::did_you_mean(&value, allowed.iter().filter_map(Json::as_str));
        found.push(diagnostic);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "limits in the schema are small whole numbers"
    )]
    let number = match node.value {
        Value::Int(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        _ => None,
    };
    if let Some(number) = number {
        if let Some(least) = schema
            .get("minimum")
            .and_then(Json::as_f64)
            .filter(|least| number < *least)
        {
            found.push(node.error(format!("{path}: `{number}` is less than {least}")));
        }
        if let Some(most) = schema
            .get("maximum")
            .and_then(Json::as_f64)
            .filter(|most| number > *most)
        {
            found.push(node.error(format!("{path}: `{number}` is more than {most}")));
        }
    }
    if let (Some(pattern), Some(text)) =
        (schema.get("pattern").and_then(Json::as_str), node.as_str())
        && !pattern::matches(pattern, text)
    {
        found.push(node.error(format!(
            "{path}: `{text}` does not have the form `{pattern}`"
        )));
    }
    found
}

fn unknown_key<'a>(
    path: &Path,
    key: &str,
    mapping: &Mapping,
    known: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let place = if path.is_empty() {
        "at the top level".to_owned()
    } else {
        format!("in {path}")
    };
    let message = format!("unknown key `{key}` {place}");
    let width = u32::try_from(key.chars().count()).unwrap_or(1);
    let mut diagnostic = match mapping.entry(key) {
        Some(entry) => Diagnostic::error(&entry.key_position, message).with_width(width),
        None => Diagnostic::error_without_place(message),
    };
    diagnostic.help = suggest::did_you_mean(key, known).or_else(|| {
        let is_service = ["image", "build", "command"]
            .iter()
            .any(|field| mapping.get(key).is_some_and(|it| it.get(field).is_some()));
        (path.is_empty() && is_service)
            .then(|| format!("to make `{key}` a service, indent it below `services:`"))
    });
    diagnostic
}
