//! What a pipeline on GitHub may do, without a stored key: a role for each duty, taken by the identity that GitHub vouches for.

use super::{allow, allow_if, policy};
use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{Value, attribute, data, input, json, list, map, template};

/// GitHub's identity provider, one in an account.
pub(super) fn github_provider() -> Module {
    Module::new("github_provider", "GitHub as an identity provider. An account has one: where it is there already, x-cais.aws.github.provider names it.")
        .resource(Resource::new(
            "aws_iam_openid_connect_provider",
            "this",
            Body::new()
                .set("url", "https://token.actions.githubusercontent.com")
                .set("client_id_list", list(["sts.amazonaws.com".into()])),
        ))
        .output("arn", "The provider.", attribute("aws_iam_openid_connect_provider.this.arn"))
}

/// Roles of the pipeline, and their policies.
pub(super) fn pipeline_access() -> Module {
    let module = Module::new("pipeline_access", "What the pipeline may do: a role that plans, one that deploys and one that applies.")
        .input("name", Kind::Text, "What names begin with.")
        .input("region", Kind::Text, "The region.")
        .input("provider_arn", Kind::Text, "GitHub's identity provider.")
        .input("conditions", Kind::text_map(), "What else has to be true of the caller: repository_id, which stays when a name is given to somebody else.")
        .input("plan_subjects", Kind::texts(), "Who may plan.")
        .input("deploy_subjects", Kind::texts(), "Who may deploy and apply.")
        .input("state_bucket", Kind::Text, "The bucket of states and of the deploy lock.")
        .data("aws_caller_identity", "current", Body::new());
    let attached = |name: &'static str, role: &str, arn: &str| {
        Resource::new(
            "aws_iam_role_policy_attachment",
            name,
            Body::new()
                .set("role", attribute(&format!("aws_iam_role.{role}.name")))
                .set("policy_arn", arn),
        )
    };
    module
        .resource(Resource::new("aws_iam_role", "plan", role("plan", "plan_subjects")).comment("Reads everything but the values of secrets, and holds the state's lock while it plans."))
        .resource(attached("plan", "plan", "arn:aws:iam::aws:policy/ReadOnlyAccess"))
        .resource(inline("plan", vec![state_lock(), state_key()]))
        .resource(Resource::new("aws_iam_role", "deploy", role("deploy", "deploy_subjects")))
        .resource(inline("deploy", deploy()).skip("CKV_AWS_290", "registering a task definition has no resource to name").skip("CKV_AWS_355", "registering a task definition has no resource to name"))
        .resource(Resource::new("aws_iam_role", "apply", role("apply", "deploy_subjects")).comment("Makes the infrastructure. It may make roles, but only those of this environment."))
        .resource(attached("apply", "apply", "arn:aws:iam::aws:policy/PowerUserAccess"))
        .resource(inline("apply", vec![roles()]))
        .output("plan_role_arn", "The role that plans.", attribute("aws_iam_role.plan.arn"))
        .output("deploy_role_arn", "The role that deploys.", attribute("aws_iam_role.deploy.arn"))
        .output("deploy_role_name", "Its name.", attribute("aws_iam_role.deploy.name"))
        .output("apply_role_arn", "The role that applies.", attribute("aws_iam_role.apply.arn"))
}

/// The role that pushes, and what the one that deploys reads of what was pushed.
pub(super) fn image_access() -> Module {
    Module::new("image_access", "What the pipeline may do with images: a role that pushes them, and the right to find them by their tag for the role that deploys.")
        .input("name", Kind::Text, "What names begin with.")
        .input("provider_arn", Kind::Text, "GitHub's identity provider.")
        .input("conditions", Kind::text_map(), "What else has to be true of the caller.")
        .input("push_subjects", Kind::texts(), "Who may push images.")
        .input("deploy_role", Kind::Text, "The role that deploys.")
        .input("repository_arns", Kind::texts(), "Repositories of images.")
        .resource(Resource::new("aws_iam_role", "push", role("push", "push_subjects")))
        .resource(inline("push", push()))
        .resource(Resource::new(
            "aws_iam_role_policy",
            "deploy",
            Body::new()
                .set("name", "images")
                .set("role", input("deploy_role"))
                .set("policy", json(policy(vec![find_images()]))),
        ))
        .output("push_role_arn", "The role that pushes images.", attribute("aws_iam_role.push.arn"))
}

fn role(duty: &str, subjects: &str) -> Body {
    Body::new()
        .set(
            "name",
            template([input("name"), format!("-pipeline-{duty}").into()]),
        )
        .set("max_session_duration", 3600_i64)
        .set("assume_role_policy", json(trust(subjects)))
}

/// A role's own policy.
fn inline(role: &'static str, statements: Vec<Value>) -> Resource {
    Resource::new(
        "aws_iam_role_policy",
        role,
        Body::new()
            .set("name", role)
            .set("role", attribute(&format!("aws_iam_role.{role}.id")))
            .set("policy", json(policy(statements))),
    )
}

fn trust(subjects: &str) -> Value {
    policy(vec![map([
        ("Effect", "Allow".into()),
        ("Action", "sts:AssumeRoleWithWebIdentity".into()),
        ("Principal", map([("Federated", input("provider_arn"))])),
        (
            "Condition",
            map([
                ("StringEquals", input("conditions")),
                (
                    "StringLike",
                    map([("token.actions.githubusercontent.com:sub", input(subjects))]),
                ),
            ]),
        ),
    ])])
}

fn bucket_objects(pattern: &str) -> Value {
    template([
        "arn:aws:s3:::".into(),
        input("state_bucket"),
        format!("/{pattern}").into(),
    ])
}

fn state_lock() -> Value {
    allow(
        &["s3:PutObject", "s3:DeleteObject"],
        list([bucket_objects("*.tflock")]),
    )
}

/// Pulumi encrypts its state with a key that a person has made, and reads nothing of it without.
fn state_key() -> Value {
    allow_if(
        &["kms:Decrypt"],
        list([own("kms", "key/*")]),
        map([(
            "ForAnyValue:StringEquals",
            map([(
                "kms:ResourceAliases",
                template(["alias/".into(), input("name"), "-pulumi".into()]),
            )]),
        )]),
    )
}

fn push() -> Vec<Value> {
    vec![
        allow(&["ecr:GetAuthorizationToken"], "*"),
        allow(
            &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:DescribeImages",
                "ecr:GetDownloadUrlForLayer",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            input("repository_arns"),
        ),
    ]
}

fn find_images() -> Value {
    allow(
        &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
        ],
        input("repository_arns"),
    )
}

/// An ARN of this environment's own.
fn own(service: &str, resource: &str) -> Value {
    template([
        format!("arn:aws:{service}:").into(),
        input("region"),
        ":".into(),
        data("aws_caller_identity.current.account_id"),
        format!(":{resource}").into(),
    ])
}

fn named(service: &str, before: &str, after: &str) -> Value {
    template([own(service, before), input("name"), after.into()])
}

fn roles_of_environment() -> Value {
    template([
        "arn:aws:iam::".into(),
        data("aws_caller_identity.current.account_id"),
        ":role/".into(),
        input("name"),
        "-*".into(),
    ])
}

fn deploy() -> Vec<Value> {
    vec![
        // These have no resource that could be named.
        allow(
            &[
                "application-autoscaling:DescribeScalableTargets",
                "cloudwatch:DescribeAlarms",
                "ec2:DescribeSubnets",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:RegisterTaskDefinition",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "logs:DescribeLogGroups",
                "secretsmanager:ListSecrets",
                "servicequotas:GetServiceQuota",
            ],
            "*",
        ),
        allow(
            &[
                "ecs:DescribeClusters",
                "ecs:DescribeServiceDeployments",
                "ecs:DescribeServiceRevisions",
                "ecs:DescribeServices",
                "ecs:DescribeTasks",
                "ecs:ListServiceDeployments",
                "ecs:ListServices",
                "ecs:ListTasks",
                "ecs:RunTask",
                "ecs:StopServiceDeployment",
                "ecs:StopTask",
                "ecs:TagResource",
                "ecs:UpdateService",
            ],
            list([
                named("ecs", "cluster/", ""),
                named("ecs", "service/", "/*"),
                named("ecs", "service-deployment/", "/*"),
                named("ecs", "service-revision/", "/*"),
                named("ecs", "task/", "/*"),
                named("ecs", "container-instance/", "/*"),
                named("ecs", "task-definition/", "-*:*"),
            ]),
        ),
        allow(
            &["iam:GetRole", "iam:SimulatePrincipalPolicy"],
            list([roles_of_environment()]),
        ),
        allow_if(
            &["iam:PassRole"],
            list([roles_of_environment()]),
            map([(
                "StringEquals",
                map([("iam:PassedToService", "ecs-tasks.amazonaws.com".into())]),
            )]),
        ),
        allow(
            &[
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:DescribeLogStreams",
            ],
            list([named("logs", "log-group:/ecs/", "/*")]),
        ),
        allow(
            &["secretsmanager:DescribeSecret"],
            list([own("secretsmanager", "secret:*")]),
        ),
        allow(
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            list([bucket_objects("deploy.lock")]),
        ),
        // Who may not list gets "denied" for an object that is not there, and a free lock is one.
        allow(
            &["s3:ListBucket"],
            list([template(["arn:aws:s3:::".into(), input("state_bucket")])]),
        ),
    ]
}

fn roles() -> Value {
    allow(
        &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
            "iam:PassRole",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
        list([roles_of_environment()]),
    )
}
