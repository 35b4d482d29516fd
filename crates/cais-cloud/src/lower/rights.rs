//! What a service may do: ECS, to start its tasks, and its own program.

use super::{Plan, Planned};
use crate::modules::{allow, allow_if, policy};
use crate::task::{Image, TaskDefinition};
use crate::value::{Value, data, foundation, join, map};
use cais_model::stack::Service;

impl Plan<'_> {
    /// The ARN of a secret by its name.
    pub(super) fn secret_arn(&self, name: &str) -> Value {
        let places = self.secrets();
        let place = places.iter().find(|place| place.name == name);
        match place {
            Some(place) if place.is_external => {
                data(&format!("aws_secretsmanager_secret.{}.arn", place.id))
            }
            Some(place) => foundation(&format!("{}_secret_arn", place.id)),
            None => unreachable!("every secret of a task has a place"),
        }
    }

    /// What ECS needs to start a task, and nothing else.
    pub(super) fn execution_policy(&self, planned: &Planned<'_>, task: &TaskDefinition) -> Value {
        let mut statements = Vec::new();
        if let Image::Own { .. } = task.container.image {
            // It has no resource that could be named.
            statements.push(allow(&["ecr:GetAuthorizationToken"], "*"));
            statements.push(allow(
                &[
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
                foundation(&format!("{}_repository_arn", planned.id)),
            ));
        }
        let log = join(vec![
            format!(
                "arn:aws:logs:{}:*:log-group:{}:*",
                self.place.region, task.container.log_group
            )
            .into(),
        ]);
        statements.push(allow(&["logs:CreateLogStream", "logs:PutLogEvents"], log));
        let mut arns: Vec<Value> = Vec::new();
        let variables = task.container.secrets.iter().map(|it| &it.secret);
        for secret in variables.chain(&task.container.credentials) {
            let arn = self.secret_arn(secret);
            if !arns.contains(&arn) {
                arns.push(arn);
            }
        }
        if !arns.is_empty() {
            statements.push(allow(&["secretsmanager:GetSecretValue"], Value::List(arns)));
            statements.push(allow_if(
                &["kms:Decrypt"],
                foundation("key_arn"),
                map([(
                    "StringEquals",
                    map([(
                        "kms:ViaService",
                        format!("secretsmanager.{}.amazonaws.com", self.place.region).into(),
                    )]),
                )]),
            ));
        }
        policy(statements)
    }

    /// What a service's program may do.
    pub(super) fn rights(&self, service: &Service) -> Vec<Value> {
        let aws = &service.cloud.aws;
        let mut statements: Vec<Value> = aws
            .permissions
            .iter()
            .map(|permission| {
                let actions: Vec<&str> = permission.actions.iter().map(String::as_str).collect();
                allow(&actions, permission.resources.clone())
            })
            .collect();
        if aws.execute_command {
            // A session's channels have no resource that could be named.
            statements.push(allow(
                &[
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                "*",
            ));
            statements.push(allow(&["logs:DescribeLogGroups"], "*"));
            statements.push(allow(
                &[
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ],
                format!(
                    "arn:aws:logs:{}:*:log-group:{}:*",
                    self.place.region,
                    self.names.session_log_group()
                ),
            ));
            statements.push(allow(&["kms:Decrypt"], foundation("key_arn")));
        }
        statements
    }
}
