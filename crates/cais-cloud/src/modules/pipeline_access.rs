//! What the pipeline may do: GitHub's tokens are taken as they are, by four roles of one duty each, and no key is stored.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{Value, attribute, input, json, list, map, template};

/// The issuer of the tokens that GitHub Actions gives to its jobs.
const ISSUER: &str = "token.actions.githubusercontent.com";

/// GitHub as an identity provider; an account has one for all stacks.
pub(crate) fn github_provider() -> Module {
    Module::new(
        "github_provider",
        "GitHub as an identity provider of this account, so that a pipeline needs no stored key.",
    )
    .resource(
        Resource::new(
            "aws_iam_openid_connect_provider",
            "this",
            Body::new()
                .set("url", format!("https://{ISSUER}"))
                .set("client_id_list", list(["sts.amazonaws.com".into()])),
        )
        .comment("AWS checks GitHub's certificate by its own list of authorities: no thumbprint is needed."),
    )
    .output(
        "arn",
        "The provider.",
        attribute("aws_iam_openid_connect_provider.this.arn"),
    )
}

/// The roles of a pipeline, for one environment of one stack.
pub(crate) fn pipeline_access() -> Module {
    let module = Module::new(
        "pipeline_access",
        "Four roles of a pipeline, one duty each: plan, apply, push, deploy. Each trusts the jobs whose token has these claims.",
    )
    .input("prefix", Kind::Text, "What names of the environment begin with.")
    .input("repository_prefix", Kind::Text, "What names of its image repositories begin with.")
    .input("region", Kind::Text, "The region.")
    .input("account_id", Kind::Text, "The account.")
    .input("cluster", Kind::Text, "The ECS cluster.")
    .input("provider_arn", Kind::Text, "GitHub as an identity provider.")
    .input("claims", Kind::text_map(), "Claims that a token must have, whatever the duty: its audience, and the repository's number where it is known.")
    .input("plan_subjects", Kind::texts(), "Subjects of the jobs that plan: pull requests.")
    .input("push_subjects", Kind::texts(), "Subjects of the jobs that push images: the main branch.")
    .input("deploy_subjects", Kind::texts(), "Subjects of the jobs that apply and deploy: the environment, which may have reviewers.")
    .input("state_bucket", Kind::Text, "The bucket of the state and of the deploy lock.")
    .input("pulumi_key_alias", Kind::Text, "The alias of the KMS key that encrypts secrets in Pulumi's state.");
    [plan, apply, push, deploy]
        .into_iter()
        .fold(module, |module, duty| duty(module))
}

fn plan(module: Module) -> Module {
    let module = role(module, "plan", "plan_subjects");
    module
        .resource(
            managed("plan", "plan_read", "ReadOnlyAccess")
                .comment("It reads what there is; values of secrets are not among it."),
        )
        .resource(policy(
            "plan",
            vec![
                statement(&["s3:GetObject", "s3:ListBucket"], bucket()),
                pulumi_key(&["kms:Decrypt"]),
            ],
        ))
}

fn apply(module: Module) -> Module {
    let module = role(module, "apply", "deploy_subjects");
    let roles = template([
        "arn:aws:iam::".into(),
        input("account_id"),
        ":role/".into(),
        input("prefix"),
        "-*".into(),
    ]);
    module
        .resource(managed("apply", "apply_power", "PowerUserAccess").comment(
            "Everything but users, groups and roles; of roles, those whose names begin with this environment's.",
        ))
        .resource(policy("apply", vec![
            statement(
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
                list([roles]),
            ),
            statement(
                &[
                    "iam:GetOpenIDConnectProvider",
                    "iam:ListOpenIDConnectProviders",
                ],
                list([template([
                    "arn:aws:iam::".into(),
                    input("account_id"),
                    format!(":oidc-provider/{ISSUER}").into(),
                ])]),
            ),
        ]))
}

fn push(module: Module) -> Module {
    let module = role(module, "push", "push_subjects");
    let token = statement(&["ecr:GetAuthorizationToken"], "*");
    let images = statement(
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
        list([repositories()]),
    );
    module.resource(policy("push", vec![token, images]))
}

fn deploy(module: Module) -> Module {
    let module = role(module, "deploy", "deploy_subjects");
    let in_region = |service: &str, resource: Vec<Value>| {
        let mut parts = vec![
            format!("arn:aws:{service}:").into(),
            input("region"),
            ":".into(),
            input("account_id"),
            ":".into(),
        ];
        parts.extend(resource);
        crate::value::join(parts)
    };
    let of_cluster = |kind: &str| {
        in_region(
            "ecs",
            vec![format!("{kind}/").into(), input("cluster"), "/*".into()],
        )
    };
    let of_stack = |kind: &str| {
        in_region(
            "ecs",
            vec![format!("{kind}/").into(), input("prefix"), "-*".into()],
        )
    };
    let services = statement(
        &[
            "ecs:DescribeServices",
            "ecs:DescribeServiceDeployments",
            "ecs:DescribeServiceRevisions",
            "ecs:DescribeTasks",
            "ecs:ExecuteCommand",
            "ecs:ListServiceDeployments",
            "ecs:StopServiceDeployment",
            "ecs:UpdateService",
        ],
        list(["service", "service-deployment", "service-revision", "task"].map(of_cluster)),
    );
    let definitions = statement(
        &["ecs:RegisterTaskDefinition", "ecs:TagResource"],
        list([of_stack("task-definition")]),
    );
    // AWS does not let these be narrowed.
    let lists = statement(
        &[
            "application-autoscaling:DescribeScalableTargets",
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeTaskDefinition",
            "ecs:ListServices",
            "ecs:ListTaskDefinitions",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
        "*",
    );
    // Its only resource is a machine of the cluster, and Fargate has none: the condition narrows it.
    let mut tasks = statement(&["ecs:ListTasks"], "*");
    condition(
        &mut tasks,
        "ArnEquals",
        map([(
            "ecs:cluster",
            in_region("ecs", vec!["cluster/".into(), input("cluster")]),
        )]),
    );
    let jobs = statement(
        &["ecs:RunTask", "ecs:StopTask"],
        list([of_stack("task-definition"), of_cluster("task")]),
    );
    let mut pass = statement(
        &["iam:PassRole"],
        list(["-execution", "-task"].map(|end| {
            template([
                "arn:aws:iam::".into(),
                input("account_id"),
                ":role/".into(),
                input("prefix"),
                format!("-*{end}").into(),
            ])
        })),
    );
    condition(
        &mut pass,
        "StringEquals",
        map([("iam:PassedToService", "ecs-tasks.amazonaws.com".into())]),
    );
    let logs = statement(
        &["logs:FilterLogEvents", "logs:GetLogEvents"],
        list([in_region(
            "logs",
            vec!["log-group:/ecs/".into(), input("prefix"), "/*".into()],
        )]),
    );
    let lock = statement(
        &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
        list([template([
            "arn:aws:s3:::".into(),
            input("state_bucket"),
            "/deploy.lock".into(),
        ])]),
    );
    let alarms = statement(
        &["cloudwatch:DescribeAlarms"],
        list([in_region(
            "cloudwatch",
            vec!["alarm:".into(), input("prefix"), "-*".into()],
        )]),
    );
    let images = statement(
        &["ecr:BatchGetImage", "ecr:DescribeImages"],
        list([repositories()]),
    );
    module.resource(
        policy(
            "deploy",
            vec![
                services,
                definitions,
                lists,
                tasks,
                jobs,
                pass,
                logs,
                lock,
                alarms,
                images,
            ],
        )
        .skip(
            "CKV_AWS_355",
            "ecs:ListTasks has no resource on Fargate; a condition narrows it to this cluster",
        ),
    )
}

/// A role of this duty, for the jobs of these subjects.
fn role(module: Module, duty: &'static str, subjects: &str) -> Module {
    let trust = map([
        ("Effect", "Allow".into()),
        ("Action", "sts:AssumeRoleWithWebIdentity".into()),
        ("Principal", map([("Federated", input("provider_arn"))])),
        (
            "Condition",
            map([
                ("StringEquals", input("claims")),
                (
                    "StringLike",
                    Value::Map(vec![(format!("{ISSUER}:sub"), input(subjects))]),
                ),
            ]),
        ),
    ]);
    let name = template([input("prefix"), format!("-pipeline-{duty}").into()]);
    module
        .resource(Resource::new(
            "aws_iam_role",
            duty,
            Body::new()
                .set("name", name)
                .set("assume_role_policy", json(super::policy(vec![trust]))),
        ))
        .output(
            &format!("{duty}_role_arn"),
            "For the pipeline's configuration.",
            attribute(&format!("aws_iam_role.{duty}.arn")),
        )
}

/// A policy of AWS's own on the role of a duty.
fn managed(duty: &str, name: &'static str, policy: &str) -> Resource {
    Resource::new(
        "aws_iam_role_policy_attachment",
        name,
        Body::new()
            .set("role", attribute(&format!("aws_iam_role.{duty}.name")))
            .set("policy_arn", format!("arn:aws:iam::aws:policy/{policy}")),
    )
}

/// The role's own policy.
fn policy(duty: &'static str, statements: Vec<Value>) -> Resource {
    Resource::new(
        "aws_iam_role_policy",
        duty,
        Body::new()
            .set("name", duty)
            .set("role", attribute(&format!("aws_iam_role.{duty}.id")))
            .set("policy", json(super::policy(statements))),
    )
}

fn statement(actions: &[&str], resources: impl Into<Value>) -> Value {
    super::allow(actions, resources)
}

fn condition(statement: &mut Value, operator: &str, what: Value) {
    if let Value::Map(entries) = statement {
        entries.push(("Condition".to_owned(), map([(operator, what)])));
    }
}

fn repositories() -> Value {
    template([
        "arn:aws:ecr:".into(),
        input("region"),
        ":".into(),
        input("account_id"),
        ":repository/".into(),
        input("repository_prefix"),
        "/*".into(),
    ])
}

/// The state bucket and what is in it.
fn bucket() -> Value {
    let bucket = || template(["arn:aws:s3:::".into(), input("state_bucket")]);
    list([bucket(), template([bucket(), "/*".into()])])
}

/// Pulumi's own key is known by its alias only: it is there before the first stack.
fn pulumi_key(actions: &[&str]) -> Value {
    let mut statement = super::allow(
        actions,
        list([template([
            "arn:aws:kms:".into(),
            input("region"),
            ":".into(),
            input("account_id"),
            ":key/*".into(),
        ])]),
    );
    condition(
        &mut statement,
        "ForAnyValue:StringEquals",
        map([("kms:ResourceAliases", list([input("pulumi_key_alias")]))]),
    );
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of everything that the policy of a duty says.
    fn policy_of(duty: &str) -> String {
        let module = pipeline_access();
        let resource = module
            .resources
            .iter()
            .find(|resource| resource.kind == "aws_iam_role_policy" && resource.name == duty);
        format!("{:?}", resource.expect("the duty has a policy").body)
    }

    #[test]
    fn each_duty_has_a_role_of_its_own() {
        let module = pipeline_access();
        let names: Vec<_> = module
            .outputs
            .iter()
            .map(|output| output.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "plan_role_arn",
                "apply_role_arn",
                "push_role_arn",
                "deploy_role_arn"
            ]
        );
    }

    #[test]
    fn no_duty_may_read_a_secret_and_only_apply_may_make_roles() {
        for duty in ["plan", "apply", "push", "deploy"] {
            let policy = policy_of(duty);
            assert!(!policy.contains("secretsmanager"), "{duty}");
            assert_eq!(policy.contains("iam:CreateRole"), duty == "apply", "{duty}");
            assert_eq!(policy.contains("ecr:PutImage"), duty == "push", "{duty}");
            assert_eq!(
                policy.contains("ecs:UpdateService"),
                duty == "deploy",
                "{duty}"
            );
        }
    }
}
