//! The services root: the cluster, and for each service its roles, task, ECS service, scaling and alarms.

use super::foundation::tell;
use super::{Kind, Plan, Planned, instance, sorted};
use crate::modules::policy;
use crate::resource::{Body, Data, Input, Instance, Kind as InputKind, Root, RootKind};
use crate::task::{self, Image, TaskDefinition, seconds};
use crate::value::{Value, data, foundation, input, join, json, list, map, output_of};
use cais_model::stack::{Architecture, FailureAction, Order, Percent, Service, Strategy};
use std::time::Duration;

impl Plan<'_> {
    pub(super) fn services_root(&self) -> Root {
        let mut root = Root {
            kind: RootKind::Services,
            variables: Vec::new(),
            data: Vec::new(),
            instances: Vec::new(),
            outputs: Vec::new(),
        };
        self.lookups(&mut root);
        root.instances.push(
            Instance::new("discovery", "discovery", "main")
                .set("name", self.names.namespace())
                .set(
                    "description",
                    format!("Services of {}", self.names.prefix()),
                ),
        );
        root.instances.push(
            Instance::new("cluster", "cluster", "main")
                .set("name", self.names.cluster())
                .set("namespace_arn", output_of("discovery", "arn"))
                .set("key_arn", foundation("key_arn"))
                .set("log_group", self.names.session_log_group())
                .set("log_retention_days", self.log_retention()),
        );
        if self.has_routes() {
            self.edge(&mut root);
        }
        self.topics(&mut root);
        for planned in self.services.iter().filter(|it| it.kind != Kind::Cache) {
            self.service(&mut root, planned);
        }
        self.connections(&mut root);
        root.instances.extend(self.dashboard());
        tell(
            &mut root,
            "cluster_name",
            "The cluster.",
            output_of("cluster", "name"),
        );
        root.outputs.sort_by(|a, b| a.name.cmp(&b.name));
        sorted(root)
    }

    /// What is there already and looked up, and what the caller says.
    fn lookups(&self, root: &mut Root) {
        let own = self
            .services
            .iter()
            .any(|it| it.kind != Kind::Cache && task::is_own(it.service));
        if own {
            let mut tag = Input::new(
                "image_tag",
                InputKind::Text,
                "The tag under which the images of all services were pushed.",
            );
            tag.pattern = Some((
                "^[A-Za-z0-9_][A-Za-z0-9._-]{6,127}$".to_owned(),
                "image_tag must name one build, like a commit's hash; `latest` names whatever was pushed last.".to_owned(),
            ));
            root.variables.push(tag);
        }
        for planned in &self.services {
            if let Some(Image::Own { repository }) =
                planned.task.as_ref().map(|task| &task.container.image)
            {
                root.data.push(Data {
                    kind: "aws_ecr_image",
                    name: planned.id.clone(),
                    body: Body::new()
                        .set("repository_name", repository.as_str())
                        .set("image_tag", input("image_tag")),
                });
            }
        }
        for place in self.secrets().into_iter().filter(|place| place.is_external) {
            root.data.push(Data {
                kind: "aws_secretsmanager_secret",
                name: place.id,
                body: Body::new().set("name", place.name),
            });
        }
        if self.has_routes() {
            if let Some(zone) = &self.place.dns_zone {
                root.data.push(Data {
                    kind: "aws_route53_zone",
                    name: "main".to_owned(),
                    body: Body::new().set("name", zone.as_str()),
                });
            }
            if let Some(balancer) = &self.aws.load_balancer {
                root.data.push(Data {
                    kind: "aws_lb",
                    name: "main".to_owned(),
                    body: Body::new().set("name", balancer.value.as_str()),
                });
                let port: i64 = if self.place.hosts.is_empty() { 80 } else { 443 };
                root.data.push(Data {
                    kind: "aws_lb_listener",
                    name: "main".to_owned(),
                    body: Body::new()
                        .set("load_balancer_arn", data("aws_lb.main.arn"))
                        .set("port", port),
                });
            }
        }
        for (name, channel) in &self.stack.cloud.notify {
            if channel.webhook.is_some() {
                root.variables.push(Input::new(
                    &crate::names::webhook_variable(name),
                    InputKind::Text,
                    "Where alarms are posted: an address is a secret, so it is not in these files.",
                ));
            }
        }
    }

    fn service(&self, root: &mut Root, planned: &Planned<'_>) {
        let Some(task) = &planned.task else { return };
        self.task(root, planned, task);
        root.instances.push(
            instance("security_group", planned, "security_group")
                .set("name", self.names.security_group(planned.name()))
                .set("description", format!("Tasks of {}", planned.name()))
                .set("vpc_id", foundation("vpc_id"))
                .set("egress_ports", egress(planned.service)),
        );
        if let Kind::Web(strategy) = planned.kind {
            self.routes(root, planned, strategy);
        }
        if let Kind::Scheduled = planned.kind {
            self.schedule(root, planned);
        }
        self.alarms(root, planned);
        if planned.stays() {
            self.ecs_service(root, planned);
            self.scaling(root, planned);
        }
    }

    fn task(&self, root: &mut Root, planned: &Planned<'_>, task: &TaskDefinition) {
        let id = &planned.id;
        root.instances.push(
            instance("iam", planned, "iam")
                .set("execution_role", task.execution_role.as_str())
                .set("task_role", task.task_role.as_str())
                .set("region", self.place.region.as_str())
                .set(
                    "execution_policy",
                    json(self.execution_policy(planned, task)),
                ),
        );
        let rights = self.rights(planned.service);
        if !rights.is_empty() {
            root.instances.push(
                instance("iam_policy", planned, "iam_policy")
                    .set("name", "program")
                    .set("role", output_of(&format!("{id}_iam"), "task_role_name"))
                    .set("policy", json(policy(rights))),
            );
        }
        let image = match &task.container.image {
            Image::Own { .. } => data(&format!("aws_ecr_image.{id}.image_uri")),
            Image::Elsewhere(name) => join(vec![format!("{name}:").into(), input("image_tag")]),
            Image::Named(name) => name.as_str().into(),
        };
        let definition = task
            .container
            .definition(image, |secret| self.secret_arn(secret));
        let architecture = match task.architecture {
            Architecture::X86_64 => "X86_64",
            Architecture::Arm64 => "ARM64",
        };
        root.instances.push(
            instance("task", planned, "task")
                .set("family", task.family.as_str())
                .set("cpu", task.size.cpu)
                .set("memory", task.size.memory)
                .set("architecture", architecture)
                .set(
                    "execution_role_arn",
                    output_of(&format!("{id}_iam"), "execution_role_arn"),
                )
                .set(
                    "task_role_arn",
                    output_of(&format!("{id}_iam"), "task_role_arn"),
                )
                .set("container_definitions", json(list([definition])))
                .set("log_group", task.container.log_group.as_str())
                .set("log_retention_days", self.log_retention())
                .set("key_arn", foundation("key_arn")),
        );
    }

    fn ecs_service(&self, root: &mut Root, planned: &Planned<'_>) {
        let service = planned.service;
        let of =
            |suffix: &str, output: &str| output_of(&format!("{}_{suffix}", planned.id), output);
        let module = match planned.kind {
            Kind::Web(Strategy::Rolling) => "web_service",
            Kind::Web(Strategy::BlueGreen) => "blue_green_service",
            Kind::Web(Strategy::Canary) => "canary_service",
            Kind::Web(Strategy::Linear) => "linear_service",
            Kind::Internal => "service",
            _ => "worker",
        };
        let (minimum, maximum) = bounds(service);
        let action = service
            .update
            .map_or(FailureAction::Rollback, |update| update.failure_action);
        let alarms = self.rollout_alarms(planned);
        let spot = service.cloud.aws.spot.map_or(0, |share| share.0);
        let mut instance = instance(module, planned, "service")
            .set("name", self.names.service(planned.name()))
            .set("cluster_arn", output_of("cluster", "arn"))
            .set("namespace_arn", output_of("discovery", "arn"))
            .set("task_definition_arn", of("task", "arn"))
            .set("desired_count", desired(service))
            .set("minimum_healthy_percent", minimum)
            .set("maximum_percent", maximum)
            .set("breaker", action != FailureAction::Continue)
            .set("rollback", action == FailureAction::Rollback)
            .set("alarms_enabled", !alarms.is_empty())
            .set("alarm_names", Value::List(alarms))
            .set("on_demand_weight", 100 - spot)
            .set("spot_weight", spot)
            .set("execute_command", service.cloud.aws.execute_command)
            .set("subnet_ids", foundation("private_subnet_ids"))
            .set("security_group_id", of("security_group", "id"));
        if planned.kind != Kind::Worker {
            let ports = task::ports(service);
            let ports = ports.iter().map(|port| {
                map([
                    ("name", port.name.as_str().into()),
                    ("port", u32::from(port.port).into()),
                ])
            });
            instance = instance.set("ports", Value::List(ports.collect()));
        }
        let mut after = vec![format!("{}_iam", planned.id)];
        if let Kind::Web(strategy) = planned.kind {
            let grace = service
                .health
                .as_ref()
                .map_or(30, |it| seconds(it.timing.start_period))
                .max(10);
            instance = instance
                .set("target_group_arn", of("target_group", "arn"))
                .set("container_port", u32::from(planned.port().unwrap_or(8080)))
                .set("grace_period", grace);
            instance = shift_arguments(instance, planned, strategy);
            let count = service.routes.len();
            after.extend((1..=count).map(|index| match count {
                1 => format!("{}_route", planned.id),
                _ => format!("{}_route_{index}", planned.id),
            }));
            after.push(format!("load_balancer_to_{}", planned.id));
        }
        for (to, _) in self.calls_of(planned) {
            after.push(format!("{}_to_{}", planned.id, to.id));
        }
        root.instances.push(instance.after(after));
        tell(
            root,
            &format!("{}_service", planned.id),
            "A service of the cluster.",
            of("service", "name"),
        );
    }

    fn scaling(&self, root: &mut Root, planned: &Planned<'_>) {
        let Some(scale) = &planned.service.cloud.scale else {
            return;
        };
        root.instances.push(
            instance("scaling", planned, "scaling")
                .set("cluster_name", output_of("cluster", "name"))
                .set(
                    "service_name",
                    output_of(&format!("{}_service", planned.id), "name"),
                )
                .set("min_capacity", scale.min)
                .set("max_capacity", scale.max),
        );
        let policy = |module: &str, name: &str, target: u32| {
            instance(module, planned, &format!("scaling_by_{name}"))
                .set("name", name)
                .set(
                    "resource_id",
                    output_of(&format!("{}_scaling", planned.id), "resource_id"),
                )
                .set("target_value", target)
                .set("out_cooldown", seconds(scale.out_cooldown))
                .set("in_cooldown", seconds(scale.in_cooldown))
        };
        let average = |name: &str, share: Option<Percent>, metric: &str| {
            share.map(|share| policy("scaling_policy", name, share.0).set("metric", metric))
        };
        root.instances
            .extend(average("cpu", scale.cpu, "ECSServiceAverageCPUUtilization"));
        root.instances.extend(average(
            "memory",
            scale.memory,
            "ECSServiceAverageMemoryUtilization",
        ));
        if let Some(rate) = scale.requests {
            let label = join(vec![
                self.balancer("arn_suffix"),
                "/".into(),
                output_of(&format!("{}_target_group", planned.id), "arn_suffix"),
            ]);
            root.instances.push(
                // The load balancer counts by the minute.
                policy(
                    "request_scaling_policy",
                    "requests",
                    rate.saturating_mul(60),
                )
                .set("resource_label", label),
            );
        }
    }

    /// Who may call whom.
    fn connections(&self, root: &mut Root) {
        for planned in &self.services {
            if let (Kind::Web(_), Some(port)) = (planned.kind, planned.port()) {
                root.instances.push(
                    Instance::new(
                        "connection",
                        format!("load_balancer_to_{}", planned.id),
                        &planned.id,
                    )
                    .set(
                        "description",
                        format!("The load balancer calls {}", planned.name()),
                    )
                    .set("from_security_group_id", self.balancer("security_group_id"))
                    .set(
                        "to_security_group_id",
                        output_of(&format!("{}_security_group", planned.id), "id"),
                    )
                    .set("port", u32::from(port)),
                );
            }
        }
        for (from, to, port) in self.calls() {
            let target = match to.kind {
                Kind::Cache => foundation(&format!("{}_security_group_id", to.id)),
                _ => output_of(&format!("{}_security_group", to.id), "id"),
            };
            root.instances.push(
                Instance::new("connection", format!("{}_to_{}", from.id, to.id), &from.id)
                    .set(
                        "description",
                        format!("{} calls {}", from.name(), to.name()),
                    )
                    .set(
                        "from_security_group_id",
                        output_of(&format!("{}_security_group", from.id), "id"),
                    )
                    .set("to_security_group_id", target)
                    .set("port", u32::from(port)),
            );
        }
    }
}

/// Arguments of the modules that move traffic by shares.
fn shift_arguments(instance: Instance, planned: &Planned<'_>, strategy: Strategy) -> Instance {
    if strategy == Strategy::Rolling {
        return instance;
    }
    let of = |suffix: &str| output_of(&format!("{}_{suffix}", planned.id), "arn");
    let shift = &planned.service.cloud.shift;
    let instance = instance
        .set("alternate_target_group_arn", of("alternate_target_group"))
        .set("listener_rule_arn", of("route"))
        .set("traffic_role_arn", of("traffic_role"))
        .set(
            "bake_minutes",
            minutes(shift.bake.unwrap_or(Duration::from_secs(300))),
        );
    let default = if strategy == Strategy::Canary { 10 } else { 20 };
    match strategy {
        Strategy::Canary | Strategy::Linear => instance
            .set("step_percent", shift.step.map_or(default, |step| step.0))
            .set(
                "step_bake_minutes",
                minutes(shift.step_bake.unwrap_or(Duration::from_secs(300))),
            ),
        Strategy::BlueGreen | Strategy::Rolling => instance,
    }
}

fn minutes(duration: Duration) -> u32 {
    seconds(duration).div_ceil(60)
}

/// Ports of the internet that a service may call.
fn egress(service: &Service) -> Value {
    let ports = service
        .cloud
        .aws
        .egress
        .clone()
        .unwrap_or_else(|| vec![443]);
    ports
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .into()
}

fn desired(service: &Service) -> u32 {
    match &service.cloud.scale {
        Some(scale) => service.replicas.clamp(scale.min, scale.max),
        None => service.replicas,
    }
}

/// Minimum and maximum healthy percent: what `x-cais.rollout` says, else what `update_config` comes to.
fn bounds(service: &Service) -> (u32, u32) {
    if let Some(rollout) = &service.rollout {
        return (rollout.minimum_healthy.0, rollout.maximum.0);
    }
    match service.update {
        Some(update) if update.order == Order::StopFirst => {
            let replicas = desired(service).max(1);
            let at_once = match update.parallelism {
                0 => replicas,
                some => some.min(replicas),
            };
            ((replicas - at_once) * 100 / replicas, 100)
        }
        _ => (100, 200),
    }
}
