//! Task definitions and updates as the ECS API's own JSON: the request from a live definition, another image in it, is
//! it the same as what runs. What a stack's definition holds is `cais-cloud`'s.

use serde_json::{Map, Value};

/// The tag that holds a definition's fingerprint: what cais registered is recognised without comparing every default
/// that ECS fills in.
pub const FINGERPRINT: &str = "cais:fingerprint";

/// What DescribeTaskDefinition adds to what was registered.
const ADDED_BY_ECS: [&str; 10] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
    "inferenceAccelerators",
];

/// What UpdateService is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateRequest {
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The task definition to move to.
    pub definition: Option<String>,
    /// How many tasks, where that is to change.
    pub desired: Option<i32>,
    /// `deploymentConfiguration` of the API, where it is to change.
    pub configuration: Option<Value>,
    /// Deploy even when nothing changed.
    pub force: bool,
}

/// Why an image cannot be put into a live definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No container of that name.
    #[error("the live task definition has no container `{wanted}`; it has {has}")]
    NoContainer {
        /// The name that was looked for.
        wanted: String,
        /// The names that are there.
        has: String,
    },
}

/// The request that registers a live definition again.
pub fn request_of(live: &Value) -> Value {
    let mut request: Map<String, Value> = live.as_object().cloned().unwrap_or_default();
    // ECS answers with empty lists where nothing was given, and refuses some of them in a request.
    request.retain(|name, value| {
        !ADDED_BY_ECS.contains(&name.as_str())
            && !matches!(value, Value::Array(list) if list.is_empty())
    });
    Value::Object(request)
}

/// The same definition with another image in one container.
///
/// # Errors
/// It has no such container.
pub fn with_image(request: &Value, container: &str, image: &str) -> Result<Value, ImageError> {
    let mut request = request.clone();
    let containers = request["containerDefinitions"].as_array_mut();
    let mut names = Vec::new();
    for one in containers.into_iter().flatten() {
        if one["name"] == container {
            one["image"] = Value::from(image);
            return Ok(request);
        }
        names.push(format!("`{}`", one["name"].as_str().unwrap_or_default()));
    }
    Err(ImageError::NoContainer {
        wanted: container.to_owned(),
        has: names.join(", "),
    })
}

/// The image of a container in a definition.
pub fn image_of<'a>(definition: &'a Value, container: &str) -> Option<&'a str> {
    definition["containerDefinitions"]
        .as_array()?
        .iter()
        .find(|one| one["name"] == container)?["image"]
        .as_str()
}

/// A tag of a definition.
pub fn tag<'a>(definition: &'a Value, key: &str) -> Option<&'a str> {
    definition["tags"]
        .as_array()?
        .iter()
        .find(|tag| tag["key"] == key)?["value"]
        .as_str()
}

/// The request with these tags set; others stay.
pub fn with_tags(request: &Value, tags: &[(&str, &str)]) -> Value {
    let mut request = request.clone();
    let mut list: Vec<Value> = request["tags"].as_array().cloned().unwrap_or_default();
    list.retain(|tag| !tags.iter().any(|(key, _)| tag["key"] == *key));
    list.extend(
        tags.iter()
            .map(|(key, value)| serde_json::json!({ "key": key, "value": value })),
    );
    request["tags"] = Value::Array(list);
    request
}

/// What differs between two definitions, as `path: old → new`; secrets are named by their ARNs, never by their values,
/// in a definition, so nothing needs to be masked but plain environment values.
pub fn differences(live: &Value, wanted: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", &request_of(live), &request_of(wanted), &mut found);
    found
}

fn compare(path: &str, live: &Value, wanted: &Value, found: &mut Vec<String>) {
    match (live, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            let below = |key: &str| {
                if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                }
            };
            for (key, value) in a {
                if !b.contains_key(key) && key != "tags" && is_chosen(key, value) {
                    found.push(format!("{}: removed", below(key)));
                }
            }
            for (key, value) in b {
                if path.is_empty() && key == "tags" {
                    continue;
                }
                compare(
                    &below(key),
                    a.get(key).unwrap_or(&Value::Null),
                    value,
                    found,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let by_name = |list: &[Value]| {
                list.iter()
                    .all(|one| one["name"].is_string())
                    .then(|| sorted(list))
            };
            let (a, b) = match (by_name(a), by_name(b)) {
                (Some(a), Some(b)) => (a, b),
                _ => (a.clone(), b.clone()),
            };
            named(path, &a, &b, found);
        }
        // Named things are told one by one, so that `shown` sees which of them are values of the environment.
        (Value::Null, Value::Array(b)) if b.iter().all(|one| one["name"].is_string()) => {
            named(path, &[], b, found);
        }
        (Value::Null, Value::Bool(false)) => {}
        (a, b) if a == b || same_text(a, b) => {}
        (a, b) => found.push(format!("{path}: {} → {}", shown(path, a), shown(path, b))),
    }
}

/// Did somebody choose this, or did ECS fill it in? It fills in numbers, truth values and empty lists.
fn is_chosen(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => !text.is_empty() && key != "versionConsistency",
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => map.iter().any(|(key, value)| is_chosen(key, value)),
    }
}

fn sorted(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    list.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    list
}

/// Lists of named things are compared by name, others by place.
fn named(path: &str, a: &[Value], b: &[Value], found: &mut Vec<String>) {
    let key = |value: &Value, index: usize| {
        value["name"]
            .as_str()
            .map_or_else(|| index.to_string(), str::to_owned)
    };
    let index = |list: &[Value]| -> Vec<(String, Value)> {
        list.iter()
            .enumerate()
            .map(|(i, value)| (key(value, i), value.clone()))
            .collect()
    };
    let (a, b) = (index(a), index(b));
    for (name, value) in &b {
        let old = a.iter().find(|(other, _)| other == name);
        compare(
            &format!("{path}[{name}]"),
            old.map_or(&Value::Null, |(_, old)| old),
            value,
            found,
        );
    }
    for (name, _) in a
        .iter()
        .filter(|(name, _)| !b.iter().any(|(n, _)| n == name))
    {
        found.push(format!("{path}[{name}]: removed"));
    }
}

/// ECS writes some numbers as texts (`"256"`).
fn same_text(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    text(a).is_some() && text(a) == text(b)
}

/// A value of the environment is not shown: it may be a secret that somebody put there.
fn shown(path: &str, value: &Value) -> String {
    if path.contains(".environment[") && path.ends_with(".value") {
        return match value {
            Value::Null => "(none)".to_owned(),
            _ => "(a value)".to_owned(),
        };
    }
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) if map.contains_key("name") => map["name"].to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3",
            "family": "web", "revision": 3, "status": "ACTIVE", "cpu": "256",
            "volumes": [], "registeredAt": 1.0, "requiresAttributes": [{ "name": "x" }],
            "tags": [{ "key": "team", "value": "a" }],
            "containerDefinitions": [
                { "name": "web", "image": "repo@sha256:1", "cpu": 0, "essential": true,
                  "environment": [{ "name": "A", "value": "1" }, { "name": "TOKEN", "value": "planted" }] },
            ],
        })
    }

    #[test]
    fn a_live_definition_becomes_a_request_without_what_ecs_added() {
        let request = request_of(&live());
        let keys: Vec<&String> = request.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["family", "cpu", "tags", "containerDefinitions"]);
    }

    #[test]
    fn only_the_named_container_gets_the_image() {
        let request = with_image(&request_of(&live()), "web", "repo@sha256:2").unwrap();
        assert_eq!(image_of(&request, "web"), Some("repo@sha256:2"));
        let error = with_image(&request, "clock", "x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the live task definition has no container `clock`; it has `web`"
        );
    }

    #[test]
    fn tags_are_set_and_others_stay() {
        let request = with_tags(&live(), &[(FINGERPRINT, "1"), ("team", "b")]);
        assert_eq!(tag(&request, "team"), Some("b"));
        assert_eq!(tag(&request, FINGERPRINT), Some("1"));
        assert_eq!(request["tags"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn differences_are_named_by_path_and_no_environment_value_is_shown() {
        let wanted = json!({
            "family": "web", "cpu": 512,
            "containerDefinitions": [
                { "name": "web", "image": "repo@sha256:2", "essential": true, "privileged": false,
                  "environment": [{ "name": "TOKEN", "value": "other" }, { "name": "A", "value": "1" }] },
            ],
        });
        assert_eq!(
            differences(&live(), &wanted),
            [
                "cpu: 256 → 512",
                "containerDefinitions[web].image: repo@sha256:1 → repo@sha256:2",
                "containerDefinitions[web].environment[TOKEN].value: (a value) → (a value)",
            ]
        );
        assert_eq!(differences(&live(), &live()), Vec::<String>::new());
        let mut bare = live();
        bare["containerDefinitions"][0]
            .as_object_mut()
            .unwrap()
            .remove("environment");
        assert_eq!(
            differences(&bare, &live()),
            [
                "containerDefinitions[web].environment[A]: (none) → \"A\"",
                "containerDefinitions[web].environment[TOKEN]: (none) → \"TOKEN\"",
            ]
        );

        let mut without = request_of(&live());
        let container = without["containerDefinitions"][0].as_object_mut().unwrap();
        container.retain(|name, _| name != "environment" && name != "cpu");
        assert_eq!(
            differences(&live(), &without),
            ["containerDefinitions[web].environment: removed"],
            "but not `cpu`, which ECS fills in"
        );
    }
}
