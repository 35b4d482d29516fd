//! The foundation: what exists before the first image and outlives every service.

use super::{Kind, Plan, instance, sorted};
use crate::resource::{Body, Data, Instance, Output, Root, RootKind};
use crate::value::{Value, data, join, list, output_of};
use cais_model::stack::Nat;

/// Images that are kept of each service.
const KEPT_IMAGES: i64 = 50;
/// How long logs are kept where the file does not say: a year, as auditors ask.
pub(super) const LOG_RETENTION_DAYS: u32 = 365;

impl Plan<'_> {
    pub(super) fn foundation(&self) -> Root {
        let mut root = Root {
            kind: RootKind::Foundation,
            variables: Vec::new(),
            data: vec![Data {
                kind: "aws_caller_identity",
                name: "current".to_owned(),
                body: Body::new(),
            }],
            instances: Vec::new(),
            outputs: Vec::new(),
        };
        root.instances.push(
            Instance::new("encryption", "encryption", "main")
                .set("name", self.names.prefix())
                .set("alias", self.names.key_alias())
                .set("region", self.place.region.as_str()),
        );
        self.network(&mut root);
        if self.makes_load_balancer() {
            root.instances.push(
                Instance::new("log_bucket", "log_bucket", "main")
                    .set("name", self.with_account(&self.names.log_bucket("")))
                    .set("account", self.account())
                    .set("retention_days", self.log_retention()),
            );
            tell(
                &mut root,
                "log_bucket",
                "Access logs of the load balancer.",
                output_of("log_bucket", "name"),
            );
        }
        self.registries(&mut root);
        self.places_of_secrets(&mut root);
        for planned in self.with_kind(Kind::Cache) {
            self.cache(&mut root, planned);
        }
        self.pipeline(&mut root);
        tell(
            &mut root,
            "key_arn",
            "The KMS key.",
            output_of("encryption", "key_arn"),
        );
        root.outputs.sort_by(|a, b| a.name.cmp(&b.name));
        sorted(root)
    }

    /// Is there a load balancer, and is it ours?
    pub(super) fn makes_load_balancer(&self) -> bool {
        self.has_routes() && self.aws.load_balancer.is_none()
    }

    pub(super) fn log_retention(&self) -> u32 {
        self.aws
            .log_retention
            .as_ref()
            .map_or(LOG_RETENTION_DAYS, |days| days.value)
    }

    /// The account's number: what the file says, else whoever applies.
    fn account(&self) -> Value {
        match &self.aws.account {
            Some(account) => account.value.as_str().into(),
            None => data("aws_caller_identity.current.account_id"),
        }
    }

    fn with_account(&self, name: &str) -> Value {
        join(vec![name.into(), self.account()])
    }

    fn network(&self, root: &mut Root) {
        if let Some(vpc) = &self.aws.vpc {
            let ids = |subnets: &[cais_model::stack::Located<String>]| -> Value {
                subnets
                    .iter()
                    .map(|subnet| subnet.value.clone())
                    .collect::<Vec<_>>()
                    .into()
            };
            tell(root, "vpc_id", "The VPC.", vpc.value.as_str());
            tell(
                root,
                "public_subnet_ids",
                "Subnets of the load balancer.",
                ids(&self.aws.public_subnets),
            );
            tell(
                root,
                "private_subnet_ids",
                "Subnets of tasks and cache.",
                ids(&self.aws.private_subnets),
            );
            return;
        }
        let zones = &self.place.zones;
        let by_zone = |of: &dyn Fn(&super::place::Zone) -> String| {
            Value::Map(
                zones
                    .iter()
                    .map(|zone| (zone.name.clone(), of(zone).into()))
                    .collect(),
            )
        };
        let with_nat: Vec<&str> = match self.aws.nat {
            Nat::None => Vec::new(),
            Nat::Single => zones
                .iter()
                .take(1)
                .map(|zone| zone.name.as_str())
                .collect(),
            Nat::PerZone => zones.iter().map(|zone| zone.name.as_str()).collect(),
        };
        let nat_zone_of = zones.iter().filter_map(|zone| {
            let own = with_nat
                .contains(&zone.name.as_str())
                .then_some(zone.name.as_str());
            let nat = own.or_else(|| with_nat.first().copied())?;
            Some((zone.name.clone(), nat.into()))
        });
        let mut network = Instance::new("network", "network", "main")
            .set("name", self.names.prefix())
            .set("region", self.place.region.as_str())
            .set("cidr_block", self.place.cidr.as_str())
            .set("public_subnets", by_zone(&|zone| zone.public.clone()))
            .set("private_subnets", by_zone(&|zone| zone.private.clone()))
            .set("nat_zones", with_nat.clone())
            .set("nat_zone_of", Value::Map(nat_zone_of.collect()))
            .set("flow_log_retention_days", self.log_retention())
            .set("key_arn", output_of("encryption", "key_arn"));
        if self.aws.nat == Nat::Single {
            network = network.comment("One NAT gateway for all zones: cheaper, and without its zone tasks in the others reach nothing outside. x-cais.aws.nat: per_zone makes one in each.");
        }
        root.instances.push(network);
        if !self.aws.endpoints.is_empty() {
            let private: Vec<String> = zones.iter().map(|zone| zone.private.clone()).collect();
            let services: Vec<String> = self
                .aws
                .endpoints
                .iter()
                .map(|it| it.value.clone())
                .collect();
            root.instances.push(
                Instance::new("interface_endpoints", "interface_endpoints", "main")
                    .set("name", self.names.prefix())
                    .set("region", self.place.region.as_str())
                    .set("vpc_id", output_of("network", "vpc_id"))
                    .set("subnet_ids", output_of("network", "private_subnet_ids"))
                    .set("cidr_blocks", private)
                    .set("services", services),
            );
        }
        tell(root, "vpc_id", "The VPC.", output_of("network", "vpc_id"));
        tell(
            root,
            "public_subnet_ids",
            "Subnets of the load balancer.",
            output_of("network", "public_subnet_ids"),
        );
        tell(
            root,
            "private_subnet_ids",
            "Subnets of tasks and cache.",
            output_of("network", "private_subnet_ids"),
        );
    }

    fn registries(&self, root: &mut Root) {
        for planned in &self.services {
            if !planned.is_in_ecr() {
                continue;
            }
            root.instances.push(
                instance("registry", planned, "registry")
                    .set("name", self.names.repository(planned.name()))
                    .set("keep", KEPT_IMAGES)
                    .set("key_arn", output_of("encryption", "key_arn")),
            );
            let of = |output: &str| output_of(&format!("{}_registry", planned.id), output);
            tell(
                root,
                &format!("{}_repository_arn", planned.id),
                "A repository of images.",
                of("arn"),
            );
            tell(
                root,
                &format!("{}_repository_url", planned.id),
                "Where images are pushed to.",
                of("url"),
            );
        }
    }

    fn places_of_secrets(&self, root: &mut Root) {
        for place in self
            .secrets()
            .into_iter()
            .filter(|place| !place.is_external)
        {
            root.instances.push(
                Instance::new("secret", format!("{}_secret", place.id), "secrets")
                    .set("name", place.name)
                    .set("description", place.description)
                    .set("key_arn", output_of("encryption", "key_arn")),
            );
            tell(
                root,
                &format!("{}_secret_arn", place.id),
                "A secret.",
                output_of(&format!("{}_secret", place.id), "arn"),
            );
        }
    }

    fn cache(&self, root: &mut Root, planned: &super::Planned<'_>) {
        let Some(managed) = &planned.service.cloud.aws.managed else {
            return;
        };
        let group = format!("{}_security_group", planned.id);
        let (vpc, subnets) = match &self.aws.vpc {
            Some(vpc) => (
                vpc.value.as_str().into(),
                self.aws
                    .private_subnets
                    .iter()
                    .map(|subnet| subnet.value.clone())
                    .collect::<Vec<_>>()
                    .into(),
            ),
            None => (
                output_of("network", "vpc_id"),
                output_of("network", "private_subnet_ids"),
            ),
        };
        root.instances.push(
            instance("security_group", planned, "security_group")
                .set("name", self.names.security_group(planned.name()))
                .set("description", format!("The cache {}", planned.name()))
                .set("vpc_id", vpc)
                .set("egress_ports", list([])),
        );
        root.instances.push(
            instance("cache", planned, "")
                .set("name", self.names.cache(planned.name()))
                .set(
                    "description",
                    format!("{} of {}", planned.name(), self.names.prefix()),
                )
                .set("node_type", managed.node_type.as_str())
                .set("nodes", if managed.multi_az { 2_i64 } else { 1_i64 })
                .set("multi_az", managed.multi_az)
                .set("subnet_ids", subnets)
                .set("security_group_id", output_of(&group, "id"))
                .set("key_arn", output_of("encryption", "key_arn")),
        );
        tell(
            root,
            &format!("{}_security_group_id", planned.id),
            "The cache's security group.",
            output_of(&group, "id"),
        );
        tell(
            root,
            &format!("{}_endpoint", planned.id),
            "The host of the cache.",
            output_of(&planned.id, "endpoint"),
        );
    }

    fn pipeline(&self, root: &mut Root) {
        let Some(github) = &self.aws.github else {
            return;
        };
        let provider = match &github.provider {
            Some(provider) => provider.value.as_str().into(),
            None => {
                root.instances.push(
                    Instance::new("github_provider", "github_provider", "pipeline")
                        .comment("An account has one. Where another stack or environment has made it, name it: x-cais.aws.github.provider."),
                );
                output_of("github_provider", "arn")
            }
        };
        let mut conditions = vec![(
            "token.actions.githubusercontent.com:aud",
            Value::from("sts.amazonaws.com"),
        )];
        if let Some(id) = &github.repository_id {
            conditions.push((
                "token.actions.githubusercontent.com:repository_id",
                id.as_str().into(),
            ));
        }
        let subject = |of: String| format!("repo:{}:{of}", github.repository.value);
        let environment = subject(format!("environment:{}", self.environment));
        let main = subject("ref:refs/heads/main".to_owned());
        let trusted = Value::Map(
            conditions
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        );
        root.instances.push(
            Instance::new("pipeline_access", "pipeline_access", "pipeline")
                .set("name", self.names.prefix())
                .set("region", self.place.region.as_str())
                .set("provider_arn", provider.clone())
                .set("conditions", trusted.clone())
                .set(
                    "plan_subjects",
                    vec![
                        subject("pull_request".to_owned()),
                        main.clone(),
                        environment.clone(),
                    ],
                )
                .set("deploy_subjects", vec![environment.clone()])
                .set(
                    "state_bucket",
                    self.with_account(&self.names.state_bucket("")),
                ),
        );
        let repositories: Vec<Value> = self
            .services
            .iter()
            .filter(|planned| planned.is_in_ecr())
            .map(|planned| output_of(&format!("{}_registry", planned.id), "arn"))
            .collect();
        // IAM refuses a policy about no resource at all.
        if !repositories.is_empty() {
            root.instances.push(
                Instance::new("image_access", "image_access", "pipeline")
                    .set("name", self.names.prefix())
                    .set("provider_arn", provider)
                    .set("conditions", trusted)
                    .set("push_subjects", vec![main, environment])
                    .set(
                        "deploy_role",
                        output_of("pipeline_access", "deploy_role_name"),
                    )
                    .set("repository_arns", Value::List(repositories)),
            );
            tell(
                root,
                "pipeline_push_role_arn",
                "A role of the pipeline.",
                output_of("image_access", "push_role_arn"),
            );
        }
        for duty in ["plan", "deploy", "apply"] {
            let output = format!("{duty}_role_arn");
            tell(
                root,
                &format!("pipeline_{output}"),
                "A role of the pipeline.",
                output_of("pipeline_access", &output),
            );
        }
    }
}

/// An output of a root.
pub(super) fn tell(root: &mut Root, name: &str, description: &str, value: impl Into<Value>) {
    root.outputs.push(Output {
        name: name.to_owned(),
        description: description.to_owned(),
        value: value.into(),
    });
}
