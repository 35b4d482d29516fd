//! A task: its roles, its log, its definition.

use super::trust_within;
use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, data, input, json, list, template};

/// The two roles of a task.
pub(super) fn iam() -> Module {
    let trust = || {
        let account = || data("aws_caller_identity.current.account_id");
        let source = template([
            "arn:aws:ecs:".into(),
            input("region"),
            ":".into(),
            account(),
            ":*".into(),
        ]);
        json(trust_within("ecs-tasks.amazonaws.com", account(), source))
    };
    Module::new(
        "iam",
        "The two roles of a task: one by which ECS starts it, one that its program has.",
    )
    .input(
        "execution_role",
        Kind::Text,
        "The role by which ECS starts a task.",
    )
    .input("task_role", Kind::Text, "The role that the program has.")
    .input("region", Kind::Text, "The region.")
    .input(
        "execution_policy",
        Kind::Text,
        "What ECS needs to start a task: its image, its log and its secrets.",
    )
    .data("aws_caller_identity", "current", Body::new())
    .resource(Resource::new(
        "aws_iam_role",
        "execution",
        Body::new()
            .set("name", input("execution_role"))
            .set("assume_role_policy", trust()),
    ))
    .resource(Resource::new(
        "aws_iam_role_policy",
        "execution",
        Body::new()
            .set("name", "start")
            .set("role", attribute("aws_iam_role.execution.id"))
            .set("policy", input("execution_policy")),
    ))
    .resource(
        Resource::new(
            "aws_iam_role",
            "task",
            Body::new()
                .set("name", input("task_role"))
                .set("assume_role_policy", trust()),
        )
        .comment("It has no rights but those that a policy of its own gives it."),
    )
    .output(
        "execution_role_arn",
        "The role by which ECS starts a task.",
        attribute("aws_iam_role.execution.arn"),
    )
    .output(
        "task_role_arn",
        "The role that the program has.",
        attribute("aws_iam_role.task.arn"),
    )
    .output(
        "task_role_name",
        "Its name.",
        attribute("aws_iam_role.task.name"),
    )
}

/// Rights of a role.
pub(super) fn iam_policy() -> Module {
    Module::new("iam_policy", "Rights of a role.")
        .input("name", Kind::Text, "What they are for.")
        .input("role", Kind::Text, "Whose they are.")
        .input("policy", Kind::Text, "The rights.")
        .resource(Resource::new(
            "aws_iam_role_policy",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("role", input("role"))
                .set("policy", input("policy")),
        ))
}

/// A task's log and definition.
pub(super) fn task() -> Module {
    Module::new("task", "What a task is made of, and where its log goes.")
        .input("family", Kind::Text, "The family of its revisions.")
        .input("cpu", Kind::Number, "CPU units, 1024 a vCPU.")
        .input("memory", Kind::Number, "MiB of memory.")
        .input("architecture", Kind::Text, "X86_64 or ARM64.")
        .input("execution_role_arn", Kind::Text, "The role by which ECS starts a task.")
        .input("task_role_arn", Kind::Text, "The role that the program has.")
        .input("container_definitions", Kind::Text, "Its container.")
        .input("log_group", Kind::Text, "Where its log goes.")
        .input("log_retention_days", Kind::Number, "How long the log is kept.")
        .input("key_arn", Kind::Text, "The KMS key of the log.")
        .resource(
            Resource::new(
                "aws_cloudwatch_log_group",
                "this",
                Body::new()
                    .set("name", input("log_group"))
                    .set("retention_in_days", input("log_retention_days"))
                    .set("kms_key_id", input("key_arn")),
            )
            .skip("CKV_AWS_338", "how long logs are kept is decided by x-cais.aws.log_retention, 365 days by default"),
        )
        .resource(
            Resource::new(
                "aws_ecs_task_definition",
                "this",
                Body::new()
                    .set("family", input("family"))
                    .set("network_mode", "awsvpc")
                    .set("requires_compatibilities", list(["FARGATE".into()]))
                    .set("cpu", input("cpu"))
                    .set("memory", input("memory"))
                    .set("execution_role_arn", input("execution_role_arn"))
                    .set("task_role_arn", input("task_role_arn"))
                    .set("container_definitions", input("container_definitions"))
                    .because("A rollback needs the old ones.", "skip_destroy", true)
                    .block(
                        "runtime_platform",
                        Body::new()
                            .set("operating_system_family", "LINUX")
                            .set("cpu_architecture", input("architecture")),
                    ),
            ),
        )
        .output("arn", "The definition, at this revision.", attribute("aws_ecs_task_definition.this.arn"))
        .output("family_arn", "The definition, at whatever revision is the newest.", attribute("aws_ecs_task_definition.this.arn_without_revision"))
}
