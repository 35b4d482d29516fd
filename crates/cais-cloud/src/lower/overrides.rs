//! `x-cais.aws.overrides`: attributes of the provider's schema that cais does not know, set by resource address, last.

use crate::resource::{Body, Infrastructure, Item, Module};
use crate::value::Value;
use cais_model::diagnostic::Diagnostic;
use cais_model::stack::Override;
use cais_model::suggest;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Merges the overrides into the modules. A module that is overridden is the environment's own from there on: others have
/// theirs.
pub(super) fn apply(
    infrastructure: &mut Infrastructure,
    overrides: &[Override],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let addresses: Vec<String> = infrastructure
        .modules
        .values()
        .flat_map(addresses)
        .collect();
    let mut own = BTreeSet::new();
    for entry in overrides {
        let address = &entry.address;
        if !addresses.contains(&address.value) {
            let message = format!("`{}` is no resource of this stack", address.value);
            let near = suggest::did_you_mean(&address.value, addresses.iter().map(String::as_str));
            let help = near.unwrap_or_else(|| {
                "an address is MODULE.TYPE.NAME, as the files under modules/ have them: `cluster.aws_ecs_cluster.this`".to_owned()
            });
            diagnostics.push(address.error(message).with_help(help));
            continue;
        }
        let name = address.value.split('.').next().unwrap_or_default();
        let Some(module) = infrastructure.modules.get_mut(name) else {
            continue;
        };
        for resource in &mut module.resources {
            if format!("{name}.{}.{}", resource.kind, resource.name) == address.value {
                merge(&mut resource.body, &entry.attributes);
            }
        }
        own.insert(name.to_owned());
    }
    for name in own {
        rename(infrastructure, &name);
    }
}

fn addresses(module: &Module) -> Vec<String> {
    let resources = module.resources.iter();
    resources
        .map(|resource| format!("{}.{}.{}", module.name, resource.kind, resource.name))
        .collect()
}

/// Gives a module the environment's name behind its own.
fn rename(infrastructure: &mut Infrastructure, name: &str) {
    let Some(mut module) = infrastructure.modules.remove(name) else {
        return;
    };
    let new = format!(
        "{name}_{}",
        crate::names::identifier(&infrastructure.environment)
    );
    let roots = [&mut infrastructure.foundation, &mut infrastructure.services];
    for instance in roots.into_iter().flat_map(|root| &mut root.instances) {
        if instance.module == name {
            instance.module.clone_from(&new);
        }
    }
    module.name.clone_from(&new);
    infrastructure.modules.insert(new, module);
}

/// Sets attributes; a mapping for a block goes into the block, `null` takes an attribute out.
fn merge(body: &mut Body, attributes: &serde_json::Map<String, Json>) {
    for (key, json) in attributes {
        let existing = body.items.iter_mut().find(|item| item_name(item) == key);
        match (existing, json) {
            (_, Json::Null) => body.items.retain(|item| item_name(item) != key),
            (Some(Item::Block { body, .. }), Json::Object(attributes)) => merge(body, attributes),
            (Some(Item::Attribute { value, .. }), json) => *value = from_json(json),
            (_, Json::Array(items)) if items.iter().any(Json::is_object) => {
                body.items.retain(|item| item_name(item) != key);
                for attributes in items.iter().filter_map(Json::as_object) {
                    let mut block = Body::new();
                    merge(&mut block, attributes);
                    body.items.push(Item::Block {
                        name: key.clone(),
                        body: block,
                    });
                }
            }
            (_, json) => body.items.push(Item::Attribute {
                name: key.clone(),
                value: from_json(json),
                comment: None,
            }),
        }
    }
}

fn item_name(item: &Item) -> &str {
    match item {
        Item::Attribute { name, .. } | Item::Block { name, .. } | Item::Blocks { name, .. } => name,
    }
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Text(String::new()),
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Number(whole),
            None => Value::Decimal(number.to_string()),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), from_json(value)))
                .collect(),
        ),
    }
}
