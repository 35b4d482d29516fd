//! The cache: an ElastiCache replication group with TLS and a token, in the private subnets, open to the tasks that use it.
//!
//! The token is read from Secrets Manager, so this belongs to the root that is applied after the secrets have values.

use crate::resource::{Body, ForEach, Kind, Module, Resource};
use crate::value::{attribute, data, each_key, each_value, element, input, list, map, template};

/// The module.
pub(crate) fn cache() -> Module {
    let module = Module::new(
        "cache",
        "A Redis or Valkey that AWS runs: encrypted, asking for a token, reachable by the tasks that use it and by nobody else.",
    )
    .input("name", Kind::Text, "What the replication group is called.")
    .input("description", Kind::Text, "What it is for.")
    .input("engine", Kind::Text, "`redis` or `valkey`.")
    .input("engine_version", Kind::Text, "The engine's version.")
    .input("family", Kind::Text, "The parameter family of that version.")
    .input("parameters", Kind::List(Box::new(Kind::Object(vec![("name".to_owned(), Kind::Text), ("value".to_owned(), Kind::Text)]))), "Settings of the engine.")
    .input("node_type", Kind::Text, "The size of a node.")
    .input("nodes", Kind::Number, "Nodes, the primary one included.")
    .input("multi_az", Kind::Bool, "Does a node in another zone take over?")
    .input("snapshot_days", Kind::Number, "How long daily snapshots are kept; 0 takes none.")
    .input("port", Kind::Number, "Where it listens.")
    .input("vpc_id", Kind::Text, "The VPC.")
    .input("subnet_ids", Kind::texts(), "The subnets of its nodes.")
    .input("clients", Kind::text_map(), "Security groups that may connect, by service.")
    .input("token_secret_arn", Kind::Text, "The secret that holds the token: 16 to 128 characters.")
    .input("key_arn", Kind::Text, "The KMS key of what is stored.");
    replication_group(access(module))
        .output(
            "host",
            "The primary node's name; TLS only.",
            attribute("aws_elasticache_replication_group.this.primary_endpoint_address"),
        )
        .output("port", "Where it listens.", input("port"))
        .output(
            "security_group_id",
            "Its security group.",
            attribute("aws_security_group.this.id"),
        )
}

fn access(module: Module) -> Module {
    module
        .resource(
            Resource::new(
                "aws_security_group",
                "this",
                Body::new()
                    .set("name", template([input("name"), "-cache".into()]))
                    .set("description", input("description"))
                    .set("vpc_id", input("vpc_id"))
                    .set(
                        "tags",
                        map([("Name", template([input("name"), "-cache".into()]))]),
                    ),
            )
            .comment("No rule lets it call out: a cache only answers."),
        )
        .resource(
            Resource::new(
                "aws_vpc_security_group_ingress_rule",
                "client",
                Body::new()
                    .set("security_group_id", attribute("aws_security_group.this.id"))
                    .set(
                        "description",
                        template(["From the tasks of ".into(), each_key()]),
                    )
                    .set("referenced_security_group_id", each_value())
                    .set("ip_protocol", "tcp")
                    .set("from_port", input("port"))
                    .set("to_port", input("port")),
            )
            .for_each(ForEach::Map("clients")),
        )
        .resource(Resource::new(
            "aws_elasticache_subnet_group",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("description", input("description"))
                .set("subnet_ids", input("subnet_ids")),
        ))
        .resource(
            Resource::new(
                "aws_elasticache_parameter_group",
                "this",
                Body::new()
                    .because(
                        "Another family is another group, which is there before the old one goes.",
                        "name",
                        template([input("name"), "-".into(), input("family")]),
                    )
                    .set("description", input("description"))
                    .set("family", input("family"))
                    .blocks(
                        "parameter",
                        "parameters",
                        Body::new()
                            .set("name", element("parameter", "name"))
                            .set("value", element("parameter", "value")),
                    ),
            )
            .create_before_destroy(),
        )
}

fn replication_group(module: Module) -> Module {
    module
        .data(
            "aws_secretsmanager_secret_version",
            "token",
            Body::new().set("secret_id", input("token_secret_arn")),
        )
        .resource(Resource::new(
            "aws_elasticache_replication_group",
            "this",
            Body::new()
                .set("replication_group_id", input("name"))
                .set("description", input("description"))
                .set("engine", input("engine"))
                .set("engine_version", input("engine_version"))
                .set("node_type", input("node_type"))
                .set("num_cache_clusters", input("nodes"))
                .set("automatic_failover_enabled", input("multi_az"))
                .set("multi_az_enabled", input("multi_az"))
                .set("port", input("port"))
                .set(
                    "parameter_group_name",
                    attribute("aws_elasticache_parameter_group.this.name"),
                )
                .set(
                    "subnet_group_name",
                    attribute("aws_elasticache_subnet_group.this.name"),
                )
                .set(
                    "security_group_ids",
                    list([attribute("aws_security_group.this.id")]),
                )
                .set("at_rest_encryption_enabled", true)
                .set("kms_key_id", input("key_arn"))
                .set("transit_encryption_enabled", true)
                .because(
                    "The provider has no write-only argument for it: the state holds it, marked as sensitive, and is encrypted.",
                    "auth_token",
                    data("aws_secretsmanager_secret_version.token.secret_string"),
                )
                .because(
                    "A new token is taken beside the old one, so that tasks that still have the old one go on.",
                    "auth_token_update_strategy",
                    "ROTATE",
                )
                .set("snapshot_retention_limit", input("snapshot_days"))
                .set("auto_minor_version_upgrade", true)
                .because(
                    "Otherwise a change waits for the maintenance window, and the plan after the apply says that it was made.",
                    "apply_immediately",
                    true,
                ),
        ))
}
