//! The cluster and the shapes that a service can have on it. A shape is a module of its own: with or without a load
//! balancer, with or without a name that others call it by, and one for each way of moving traffic.

use super::trust;
use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, element, input, json, list};

/// The ECS cluster.
pub(super) fn cluster() -> Module {
    let capacity = Body::new()
        .set("cluster_name", attribute("aws_ecs_cluster.this.name"))
        .set(
            "capacity_providers",
            list(["FARGATE".into(), "FARGATE_SPOT".into()]),
        )
        .block(
            "default_capacity_provider_strategy",
            Body::new()
                .set("capacity_provider", "FARGATE")
                .set("base", 1_i64)
                .set("weight", 1_i64),
        );
    Module::new(
        "cluster",
        "The ECS cluster. Nothing in it costs anything by itself; tasks run on Fargate.",
    )
    .input("name", Kind::Text, "Its name.")
    .input(
        "namespace_arn",
        Kind::Text,
        "Where services find each other.",
    )
    .input("key_arn", Kind::Text, "The KMS key of sessions in tasks.")
    .input(
        "log_group",
        Kind::Text,
        "What is typed in sessions in tasks.",
    )
    .input("log_retention_days", Kind::Number, "How long that is kept.")
    .resource(
        Resource::new(
            "aws_cloudwatch_log_group",
            "sessions",
            Body::new()
                .set("name", input("log_group"))
                .set("retention_in_days", input("log_retention_days"))
                .set("kms_key_id", input("key_arn")),
        )
        .skip(
            "CKV_AWS_338",
            "how long logs are kept is decided by x-cais.aws.log_retention, 365 days by default",
        ),
    )
    .resource(Resource::new(
        "aws_ecs_cluster",
        "this",
        Body::new()
            .set("name", input("name"))
            .block(
                "setting",
                Body::new()
                    .set("name", "containerInsights")
                    .set("value", "enhanced"),
            )
            .block(
                "service_connect_defaults",
                Body::new().set("namespace", input("namespace_arn")),
            )
            .block(
                "configuration",
                Body::new().block(
                    "execute_command_configuration",
                    Body::new()
                        .set("kms_key_id", input("key_arn"))
                        .set("logging", "OVERRIDE")
                        .block(
                            "log_configuration",
                            Body::new().set("cloud_watch_encryption_enabled", true).set(
                                "cloud_watch_log_group_name",
                                attribute("aws_cloudwatch_log_group.sessions.name"),
                            ),
                        ),
                ),
            ),
    ))
    .resource(Resource::new(
        "aws_ecs_cluster_capacity_providers",
        "this",
        capacity,
    ))
    .output("arn", "The cluster.", attribute("aws_ecs_cluster.this.arn"))
    .output("name", "Its name.", attribute("aws_ecs_cluster.this.name"))
}

/// Where services find each other.
pub(super) fn discovery() -> Module {
    Module::new("discovery", "The Cloud Map namespace in which services find each other by the names of the Compose file.")
        .input("name", Kind::Text, "Its name.")
        .input("description", Kind::Text, "Whose it is.")
        .resource(Resource::new(
            "aws_service_discovery_http_namespace",
            "this",
            Body::new().set("name", input("name")).set("description", input("description")),
        ))
        .output("arn", "The namespace.", attribute("aws_service_discovery_http_namespace.this.arn"))
}

/// How traffic moves between two target groups.
#[derive(Clone, Copy)]
enum Shift {
    BlueGreen,
    Canary,
    Linear,
}

/// What reaches a service.
#[derive(Clone, Copy)]
enum Reach {
    /// The load balancer, and other services.
    Everybody,
    /// Other services.
    Services,
    /// Nothing.
    Nothing,
}

/// A service behind the load balancer.
pub(super) fn web_service() -> Module {
    shape(
        "web_service",
        "A service behind the load balancer, which other services call by its name.",
        Reach::Everybody,
        None,
    )
}

/// A service that other services call.
pub(super) fn service() -> Module {
    shape(
        "service",
        "A service that other services call by its name.",
        Reach::Services,
        None,
    )
}

/// A service that nothing calls.
pub(super) fn worker() -> Module {
    shape(
        "worker",
        "A service that nothing calls: it has no port.",
        Reach::Nothing,
        None,
    )
}

/// All new tasks first, then the switch.
pub(super) fn blue_green_service() -> Module {
    shape(
        "blue_green_service",
        "A service whose next revision starts beside the last one and takes all traffic at once.",
        Reach::Everybody,
        Some(Shift::BlueGreen),
    )
}

/// A share first, then the rest.
pub(super) fn canary_service() -> Module {
    shape(
        "canary_service",
        "A service whose next revision takes a share of the traffic first, then the rest.",
        Reach::Everybody,
        Some(Shift::Canary),
    )
}

/// Equal steps.
pub(super) fn linear_service() -> Module {
    shape(
        "linear_service",
        "A service whose next revision takes the traffic in equal steps.",
        Reach::Everybody,
        Some(Shift::Linear),
    )
}

fn shape(name: &str, description: &'static str, reach: Reach, shift: Option<Shift>) -> Module {
    let mut module = Module::new(name, description)
        .input("name", Kind::Text, "The service.")
        .input("cluster_arn", Kind::Text, "The cluster.")
        .input(
            "namespace_arn",
            Kind::Text,
            "Where services find each other.",
        )
        .input(
            "task_definition_arn",
            Kind::Text,
            "The first revision; later ones come from deploys.",
        )
        .input(
            "desired_count",
            Kind::Number,
            "Tasks at first; later scaling decides.",
        )
        .input(
            "minimum_healthy_percent",
            Kind::Number,
            "Tasks that stay healthy in a rollout, of those desired.",
        )
        .input(
            "maximum_percent",
            Kind::Number,
            "Tasks there may be in a rollout, of those desired.",
        )
        .input("breaker", Kind::Bool, "Does a rollout that fails end?")
        .input(
            "rollback",
            Kind::Bool,
            "Does it go back to the last revision then?",
        )
        .input("alarm_names", Kind::texts(), "Alarms that end a rollout.")
        .input("alarms_enabled", Kind::Bool, "Are there any?")
        .input(
            "on_demand_weight",
            Kind::Number,
            "Share of tasks that stay, beyond the first.",
        )
        .input(
            "spot_weight",
            Kind::Number,
            "Share of tasks that AWS may interrupt.",
        )
        .input(
            "execute_command",
            Kind::Bool,
            "May a session be opened in a task?",
        )
        .input("subnet_ids", Kind::texts(), "Where tasks run.")
        .input(
            "security_group_id",
            Kind::Text,
            "The security group of the tasks.",
        );
    if !matches!(reach, Reach::Nothing) {
        let port = Kind::Object(vec![
            ("name".to_owned(), Kind::Text),
            ("port".to_owned(), Kind::Number),
        ]);
        module = module.input(
            "ports",
            Kind::List(Box::new(port)),
            "Ports that other services call it on.",
        );
    }
    if matches!(reach, Reach::Everybody) {
        module = module
            .input(
                "target_group_arn",
                Kind::Text,
                "Where its tasks take requests.",
            )
            .input(
                "container_port",
                Kind::Number,
                "The port of the container that takes them.",
            )
            .input(
                "grace_period",
                Kind::Number,
                "Seconds in which failed checks of a new task do not count.",
            );
    }
    module = shift_inputs(module, shift);
    module
        .resource(
            Resource::new("aws_ecs_service", "this", body(reach, shift))
                .comment("Deploys own the revision, scaling owns the count. Neither is changed back from here.")
                .ignore_changes(if shift.is_some() {
                    &["desired_count", "task_definition", "load_balancer"]
                } else {
                    &["desired_count", "task_definition"]
                }),
        )
        .output("name", "The service.", attribute("aws_ecs_service.this.name"))
}

fn shift_inputs(module: Module, shift: Option<Shift>) -> Module {
    let Some(shift) = shift else { return module };
    let module = module
        .input(
            "alternate_target_group_arn",
            Kind::Text,
            "Where the next revision's tasks take requests.",
        )
        .input(
            "listener_rule_arn",
            Kind::Text,
            "The rule whose weights move.",
        )
        .input(
            "traffic_role_arn",
            Kind::Text,
            "The role by which ECS moves them.",
        )
        .input(
            "bake_minutes",
            Kind::Number,
            "Minutes that the old tasks stay after all traffic has moved.",
        );
    match shift {
        Shift::BlueGreen => module,
        Shift::Canary | Shift::Linear => module
            .input(
                "step_percent",
                Kind::Number,
                "Share of the traffic that moves at once.",
            )
            .input("step_bake_minutes", Kind::Number, "Minutes to watch it."),
    }
}

fn body(reach: Reach, shift: Option<Shift>) -> Body {
    let strategy = |provider: &str| Body::new().set("capacity_provider", provider);
    let mut body = Body::new()
        .set("name", input("name"))
        .set("cluster", input("cluster_arn"))
        .set("task_definition", input("task_definition_arn"))
        .set("desired_count", input("desired_count"))
        .set("platform_version", "LATEST")
        .set("availability_zone_rebalancing", "ENABLED")
        .set(
            "deployment_minimum_healthy_percent",
            input("minimum_healthy_percent"),
        )
        .set("deployment_maximum_percent", input("maximum_percent"));
    if matches!(reach, Reach::Everybody) {
        body = body.set("health_check_grace_period_seconds", input("grace_period"));
    }
    body = body
        .set("enable_execute_command", input("execute_command"))
        .set("enable_ecs_managed_tags", true)
        .set("propagate_tags", "SERVICE")
        .because(
            "The first tasks may still wait for their secrets; `cais status` tells.",
            "wait_for_steady_state",
            false,
        )
        .block(
            "capacity_provider_strategy",
            strategy("FARGATE")
                .set("base", 1_i64)
                .set("weight", input("on_demand_weight")),
        )
        .block(
            "capacity_provider_strategy",
            strategy("FARGATE_SPOT").set("weight", input("spot_weight")),
        )
        .block(
            "deployment_circuit_breaker",
            Body::new()
                .set("enable", input("breaker"))
                .set("rollback", input("rollback")),
        );
    if let Some(shift) = shift {
        body = body.block("deployment_configuration", deployment(shift));
    }
    body = body
        .block(
            "alarms",
            Body::new()
                .set("enable", input("alarms_enabled"))
                .set("rollback", input("rollback"))
                .set("alarm_names", input("alarm_names")),
        )
        .block(
            "network_configuration",
            Body::new()
                .set("subnets", input("subnet_ids"))
                .set("security_groups", list([input("security_group_id")]))
                .set("assign_public_ip", false),
        );
    if matches!(reach, Reach::Everybody) {
        body = body.block("load_balancer", load_balancer(shift));
    }
    body.block("service_connect_configuration", connect(reach))
}

fn deployment(shift: Shift) -> Body {
    let body = |strategy: &str| {
        Body::new()
            .set("strategy", strategy)
            .set("bake_time_in_minutes", input("bake_minutes"))
    };
    match shift {
        Shift::BlueGreen => body("BLUE_GREEN"),
        Shift::Canary => body("CANARY").block(
            "canary_configuration",
            Body::new()
                .set("canary_percent", input("step_percent"))
                .set("canary_bake_time_in_minutes", input("step_bake_minutes")),
        ),
        Shift::Linear => body("LINEAR").block(
            "linear_configuration",
            Body::new()
                .set("step_percent", input("step_percent"))
                .set("step_bake_time_in_minutes", input("step_bake_minutes")),
        ),
    }
}

fn load_balancer(shift: Option<Shift>) -> Body {
    let body = Body::new()
        .set("target_group_arn", input("target_group_arn"))
        .set("container_name", input("name"))
        .set("container_port", input("container_port"));
    if shift.is_none() {
        return body;
    }
    body.block(
        "advanced_configuration",
        Body::new()
            .set(
                "alternate_target_group_arn",
                input("alternate_target_group_arn"),
            )
            .set("production_listener_rule", input("listener_rule_arn"))
            .set("role_arn", input("traffic_role_arn")),
    )
}

fn connect(reach: Reach) -> Body {
    let body = Body::new()
        .set("enabled", true)
        .set("namespace", input("namespace_arn"));
    if matches!(reach, Reach::Nothing) {
        return body;
    }
    let alias = Body::new()
        .set("port", element("service", "port"))
        .set("dns_name", input("name"));
    body.blocks(
        "service",
        "ports",
        Body::new()
            .set("port_name", element("service", "name"))
            .set("discovery_name", element("service", "name"))
            .block("client_alias", alias),
    )
}

/// The role by which ECS moves traffic.
pub(super) fn traffic_role() -> Module {
    Module::new(
        "traffic_role",
        "The role by which ECS moves traffic between two target groups.",
    )
    .input("name", Kind::Text, "Its name.")
    .resource(Resource::new(
        "aws_iam_role",
        "this",
        Body::new()
            .set("name", input("name"))
            .set("assume_role_policy", json(trust("ecs.amazonaws.com"))),
    ))
    .resource(Resource::new(
        "aws_iam_role_policy_attachment",
        "this",
        Body::new()
            .set("role", attribute("aws_iam_role.this.name"))
            .set(
                "policy_arn",
                "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers",
            ),
    ))
    .output("arn", "The role.", attribute("aws_iam_role.this.arn"))
}
