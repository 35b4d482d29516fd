//! Task definitions, asked for and registered as the API's own JSON: the SDK's codec stands between, so that no field is lost.

use super::error::Error;
use super::session::Session;
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::types as ecs;
use aws_smithy_json::codec::JsonCodec;
use aws_smithy_schema::codec::Codec;
use aws_smithy_schema::serde::{SerializableStruct, ShapeSerializer};
use serde_json::Value;

impl Session {
    /// A task definition as the API's own JSON, its tags under `tags`.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn definition(&self, name: &str) -> Result<Value, Error> {
        const OPERATION: &str = "ecs:DescribeTaskDefinition";
        let answer = self
            .ecs()
            .describe_task_definition()
            .task_definition(name)
            .include(ecs::TaskDefinitionField::Tags)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        let found = answer
            .task_definition()
            .ok_or_else(|| Error::not_found(OPERATION, format!("no `{name}`")))?;
        let mut value = to_json(OPERATION, found)?;
        let tags: Vec<Value> = answer
            .tags()
            .iter()
            .map(|tag| serde_json::json!({ "key": tag.key(), "value": tag.value() }))
            .collect();
        value["tags"] = Value::Array(tags);
        Ok(value)
    }

    /// Registers a task definition given as the API's own JSON; answers with its ARN.
    ///
    /// # Errors
    /// AWS's no, or JSON that is no task definition.
    pub async fn register(&self, request: &Value) -> Result<String, Error> {
        const OPERATION: &str = "ecs:RegisterTaskDefinition";
        let text = request.to_string();
        let codec = JsonCodec::default();
        let mut reader = codec.create_deserializer(text.as_bytes());
        let input = RegisterTaskDefinitionInput::deserialize(&mut reader)
            .map_err(|error| Error::invalid(OPERATION, error.to_string()))?;
        let answer = self
            .ecs()
            .register_task_definition()
            .set_family(input.family)
            .set_task_role_arn(input.task_role_arn)
            .set_execution_role_arn(input.execution_role_arn)
            .set_network_mode(input.network_mode)
            .set_container_definitions(input.container_definitions)
            .set_volumes(input.volumes)
            .set_placement_constraints(input.placement_constraints)
            .set_requires_compatibilities(input.requires_compatibilities)
            .set_cpu(input.cpu)
            .set_memory(input.memory)
            .set_tags(input.tags)
            .set_pid_mode(input.pid_mode)
            .set_ipc_mode(input.ipc_mode)
            .set_proxy_configuration(input.proxy_configuration)
            .set_ephemeral_storage(input.ephemeral_storage)
            .set_runtime_platform(input.runtime_platform)
            .set_enable_fault_injection(input.enable_fault_injection)
            .send()
            .await
            .map_err(|error| Error::of(OPERATION, &error))?;
        answer
            .task_definition()
            .and_then(|made| made.task_definition_arn().map(str::to_owned))
            .ok_or_else(|| Error::invalid(OPERATION, "the answer names no task definition"))
    }
}

/// A value of the SDK's as the API's JSON.
pub(super) fn to_json(
    operation: &'static str,
    value: &dyn SerializableStruct,
) -> Result<Value, Error> {
    let mut writer = JsonCodec::default().create_serializer();
    writer
        .write_struct(value.schema(), value)
        .map_err(|error| Error::invalid(operation, error.to_string()))?;
    serde_json::from_slice(&writer.finish())
        .map_err(|error| Error::invalid(operation, error.to_string()))
}
