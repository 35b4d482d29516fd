//! The words of `x-cais` as a JSON schema, within the Compose Specification's own: what an editor needs for the whole file. Made from the list that the loader refuses by (`words.rs`).

use super::words::{self, Block, Form};
use serde_json::{Map, Value, json};

/// A JSON schema (2020-12) of a Compose file in which `x-cais` is known wherever cais reads it.
///
/// It asks for no key: a file that is merged over another has only what differs. A variable, `${NAME}`, may stand for
/// any value that is no list and no mapping.
pub fn schema() -> Value {
    let mut schema = crate::schema::document().clone();
    // It names the Compose Specification's, relative to nothing.
    if let Value::Object(schema) = &mut schema {
        schema.shift_remove("$id");
    }
    schema["title"] = json!("Compose file with x-cais");
    let places = [
        ("", &words::TOP),
        ("/$defs/service", &words::SERVICE),
        ("/$defs/secret", &words::FILE),
        ("/$defs/config", &words::FILE),
    ];
    for (place, block) in places {
        let properties = schema.pointer_mut(&format!("{place}/properties"));
        if let Some(Value::Object(properties)) = properties {
            properties.insert("x-cais".to_owned(), mapping(block));
        }
    }
    schema
}

fn mapping(block: &Block) -> Value {
    let keys = block.keys.iter().map(|key| {
        let mut schema = form(&key.form);
        schema["description"] = json!(key.says);
        (key.name.to_owned(), schema)
    });
    let keys: Map<String, Value> = keys.collect();
    json!({"type": "object", "properties": keys, "additionalProperties": false})
}

fn form(form: &Form) -> Value {
    // What the loader takes for a text: YAML may have read it as something else.
    let text = || json!({"type": ["string", "number", "boolean"]});
    // A number somewhere, or a variable.
    let amount = || json!({"type": ["string", "number"], "pattern": "[0-9$]"});
    match form {
        Form::Text => text(),
        Form::Word(words) => json!({"anyOf": [{"enum": words}, variable()]}),
        Form::Boolean => json!({"type": ["boolean", "string"], "pattern": BOOLEAN}),
        Form::Whole => json!({"type": ["integer", "string"], "minimum": 0, "pattern": "[0-9$]"}),
        Form::Duration | Form::Amount => amount(),
        Form::Command => json!({"anyOf": [
            {"type": "string", "minLength": 1}, {"type": "array", "items": text(), "minItems": 1},
        ]}),
        Form::Texts => json!({"type": "array", "items": text()}),
        Form::Ports => json!({"type": "array", "items": amount()}),
        Form::Block(block) => mapping(block),
        Form::Blocks(block) => {
            json!({"anyOf": [mapping(block), {"type": "array", "items": mapping(block)}]})
        }
        Form::List(block) => json!({"type": "array", "items": mapping(block)}),
        Form::Named(block) => json!({"type": "object", "additionalProperties": mapping(block)}),
        Form::Foreign => {
            json!({"type": "object", "additionalProperties": {"type": "object"}})
        }
    }
}

fn variable() -> Value {
    json!({"type": "string", "pattern": "\\$"})
}

/// `true`, `yes`, `on`, `no` and the like in any case, or a variable.
const BOOLEAN: &str =
    r"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy]([Ee][Ss])?|[Nn][Oo]?|[Oo]([Nn]|[Ff][Ff]))$|\$";

#[cfg(test)]
mod tests;
