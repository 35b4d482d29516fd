//! A cache that AWS runs: a Valkey replication group.

use crate::resource::{Body, Kind, Module, Resource};
use crate::value::{attribute, input, list};

/// The module.
pub(super) fn cache() -> Module {
    let group = Body::new()
        .set("replication_group_id", input("name"))
        .set("description", input("description"))
        .set("engine", "valkey")
        .set("engine_version", "8.0")
        .set("node_type", input("node_type"))
        .set("num_cache_clusters", input("nodes"))
        .set("automatic_failover_enabled", input("multi_az"))
        .set("multi_az_enabled", input("multi_az"))
        .set(
            "parameter_group_name",
            attribute("aws_elasticache_parameter_group.this.name"),
        )
        .set(
            "subnet_group_name",
            attribute("aws_elasticache_subnet_group.this.name"),
        )
        .set("security_group_ids", list([input("security_group_id")]))
        .set("at_rest_encryption_enabled", true)
        .set("kms_key_id", input("key_arn"))
        .set("transit_encryption_enabled", true)
        .set("transit_encryption_mode", "required")
        .set("auto_minor_version_upgrade", true)
        .because(
            "A cache can be computed again.",
            "snapshot_retention_limit",
            0_i64,
        );
    Module::new("cache", "A Valkey cache with TLS, which speaks Redis' protocol.")
        .input("name", Kind::Text, "The replication group.")
        .input("description", Kind::Text, "Whose it is.")
        .input("node_type", Kind::Text, "The size of a node.")
        .input("nodes", Kind::Number, "How many nodes.")
        .input("multi_az", Kind::Bool, "Does a node in another zone take over?")
        .input("subnet_ids", Kind::texts(), "Where the nodes are.")
        .input("security_group_id", Kind::Text, "Who may connect is said by its rules.")
        .input("key_arn", Kind::Text, "The KMS key.")
        .resource(Resource::new(
            "aws_elasticache_subnet_group",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("description", input("description"))
                .set("subnet_ids", input("subnet_ids")),
        ))
        .resource(Resource::new(
            "aws_elasticache_parameter_group",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("description", input("description"))
                .set("family", "valkey8")
                .block(
                    "parameter",
                    Body::new()
                        .because("When it is full, what was not asked for longest goes.", "name", "maxmemory-policy")
                        .set("value", "allkeys-lru"),
                ),
        ))
        .resource(
            Resource::new("aws_elasticache_replication_group", "this", group)
                .comment("The token that clients authenticate with is set from Secrets Manager after the first apply (README.md): as an attribute of this resource it would stand in the state.")
                .ignore_changes(&["auth_token", "auth_token_update_strategy"])
                .skip("CKV_AWS_31", "the token is set from Secrets Manager, so that no state has it; TLS is required")
                .skip("CKV2_AWS_50", "one node where x-cais.aws.multi_az does not ask for two"),
        )
        .output(
            "endpoint",
            "The host that takes writes.",
            attribute("aws_elasticache_replication_group.this.primary_endpoint_address"),
        )
}
