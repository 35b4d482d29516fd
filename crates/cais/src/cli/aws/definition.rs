//! A service's task definition as the stack has it, as the request that registers it: the infrastructure's own value with
//! the image, the roles and the secrets filled in by their ARNs.

use super::{Target, failure};
use crate::exit::{Exit, Failure, Outcome};
use cais_cloud::task::{self, Image, TaskDefinition};
use cais_cloud::value::Value;
use cais_model::name::ServiceName;
use cais_model::stack::Architecture;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// ARNs of the environment's secrets, by name.
pub(super) type Secrets = BTreeMap<String, String>;

/// The environment's secrets.
pub(super) async fn secrets(target: &Target) -> Outcome<Secrets> {
    let prefix = target.names.secret("");
    let found = target
        .session
        .list_secrets(&prefix)
        .await
        .map_err(failure)?;
    Ok(found
        .into_iter()
        .filter(|entry| entry.deletion.is_none())
        .map(|entry| (entry.name, entry.arn))
        .collect())
}

/// The request for a service. `image` is what it is to run; `live` gives what the file does not say: the roles' ARNs
/// (a path or a partition may be in them) and the image of a service that is not built here.
///
/// # Errors
/// What Fargate does not have, with its line; a secret that has no value yet.
pub(super) fn of_stack(
    target: &Target,
    name: &ServiceName,
    image: Option<&str>,
    live: &Json,
    secrets: &Secrets,
) -> Outcome<Json> {
    let loaded = &target.project.loaded;
    let service = &loaded.stack.services[name];
    let definition = task::task_definition(&loaded.stack, service, &target.environment)
        .map_err(|diagnostics| Failure::invalid(diagnostics, loaded.files.clone()))?;
    let container = &definition.container;
    let variables = container.secrets.iter().map(|variable| &variable.secret);
    let missing: Vec<&str> = variables
        .chain(&container.credentials)
        .map(String::as_str)
        .filter(|secret| !secrets.contains_key(*secret))
        .collect();
    if let Some(first) = missing.first() {
        let own = target.names.secret("");
        let short = first.strip_prefix(&own).unwrap_or(first);
        return Err(Failure::new(
            Exit::Error,
            format!(
                "`{name}` reads secrets that are not there: {}",
                missing.join(", ")
            ),
        )
        .help(format!(
            "set it: `cais secret set -E {} {short}`",
            target.environment
        )));
    }
    let own_image = match &definition.container.image {
        Image::Named(named) => Some(named.as_str()),
        Image::Own { .. } | Image::Elsewhere(_) => {
            cais_aws::definition::image_of(live, &definition.container.name)
        }
    };
    let image = image.or(own_image).unwrap_or_default();
    let mut request = request(&definition, image, secrets, target);
    for role in ["executionRoleArn", "taskRoleArn"] {
        if live[role].is_string() {
            request[role] = live[role].clone();
        }
    }
    if live["tags"].is_array() {
        request["tags"] = live["tags"].clone();
    }
    Ok(request)
}

fn request(definition: &TaskDefinition, image: &str, secrets: &Secrets, target: &Target) -> Json {
    let arn = |secret: &str| secrets.get(secret).cloned().unwrap_or_default().into();
    let mut container = json(&definition.container.definition(image.into(), arn));
    if container["logConfiguration"]["options"]["awslogs-region"] == "" {
        container["logConfiguration"]["options"]["awslogs-region"] = target.session.region().into();
    }
    let role = |name: &str| format!("arn:aws:iam::{}:role/{name}", target.identity.account);
    serde_json::json!({
        "family": definition.family,
        "executionRoleArn": role(&definition.execution_role),
        "taskRoleArn": role(&definition.task_role),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": definition.size.cpu.to_string(),
        "memory": definition.size.memory.to_string(),
        "runtimePlatform": {
            "operatingSystemFamily": "LINUX",
            "cpuArchitecture": match definition.architecture {
                Architecture::X86_64 => "X86_64",
                Architecture::Arm64 => "ARM64",
            },
        },
        "containerDefinitions": [container],
    })
}

/// A value without edges as JSON.
fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => (*value).into(),
        Value::Decimal(value) => value.parse::<f64>().map_or(Json::Null, Json::from),
        Value::Text(value) => value.as_str().into(),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Map(values) => values
            .iter()
            .map(|(key, value)| (key.clone(), json(value)))
            .collect::<serde_json::Map<String, Json>>()
            .into(),
        Value::Json(value) => json(value).to_string().into(),
        Value::Template(_) | Value::Reference(_) | Value::All(_) | Value::Only(..) => {
            unreachable!("a task definition whose ARNs are filled in has no edge")
        }
    }
}
