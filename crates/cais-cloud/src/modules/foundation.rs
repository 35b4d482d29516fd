//! What others stand on: the key, the registry, secrets, the log bucket, and who may talk to whom.

use super::policy;
use crate::resource::{Body, ForEach, Kind, Module, Resource};
use crate::value::{attribute, data, each_value, input, json, list, map, template};

/// The KMS key of an environment.
pub(super) fn encryption() -> Module {
    let account = || data("aws_caller_identity.current.account_id");
    let root = map([
        ("Sid", "Account".into()),
        ("Effect", "Allow".into()),
        (
            "Principal",
            map([(
                "AWS",
                template(["arn:aws:iam::".into(), account(), ":root".into()]),
            )]),
        ),
        ("Action", "kms:*".into()),
        ("Resource", "*".into()),
    ]);
    let logs = map([
        ("Sid", "Logs".into()),
        ("Effect", "Allow".into()),
        (
            "Principal",
            map([(
                "Service",
                template(["logs.".into(), input("region"), ".amazonaws.com".into()]),
            )]),
        ),
        (
            "Action",
            vec![
                "kms:Encrypt*",
                "kms:Decrypt*",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:Describe*",
            ]
            .into(),
        ),
        ("Resource", "*".into()),
        (
            "Condition",
            map([(
                "ArnLike",
                map([(
                    "kms:EncryptionContext:aws:logs:arn",
                    template([
                        "arn:aws:logs:".into(),
                        input("region"),
                        ":".into(),
                        account(),
                        ":log-group:*".into(),
                    ]),
                )]),
            )]),
        ),
    ]);
    let alarms = map([
        ("Sid", "Alarms".into()),
        ("Effect", "Allow".into()),
        (
            "Principal",
            map([("Service", "cloudwatch.amazonaws.com".into())]),
        ),
        ("Action", vec!["kms:Decrypt", "kms:GenerateDataKey*"].into()),
        ("Resource", "*".into()),
        (
            "Condition",
            map([("StringEquals", map([("aws:SourceAccount", account())]))]),
        ),
    ]);
    Module::new("encryption", "The key that logs, secrets, images and the cache of an environment are encrypted with.")
        .input("name", Kind::Text, "What the key is for.")
        .input("alias", Kind::Text, "The key's alias.")
        .input("region", Kind::Text, "The region.")
        .data("aws_caller_identity", "current", Body::new())
        .resource(
            Resource::new(
                "aws_kms_key",
                "this",
                Body::new()
                    .set("description", input("name"))
                    .set("enable_key_rotation", true)
                    .set("deletion_window_in_days", 30_i64)
                    .set("policy", json(policy(vec![root, logs, alarms]))),
            )
            .comment("In a key's policy `*` is the key itself. Within the account IAM decides; log groups and alarms use the key by their own names."),
        )
        .resource(Resource::new(
            "aws_kms_alias",
            "this",
            Body::new()
                .set("name", input("alias"))
                .set("target_key_id", attribute("aws_kms_key.this.key_id")),
        ))
        .output("key_arn", "The key.", attribute("aws_kms_key.this.arn"))
}

/// A repository of images.
pub(super) fn registry() -> Module {
    let rule = map([
        ("rulePriority", 1_i64.into()),
        (
            "description",
            "keep the last images, so that a rollback finds its own".into(),
        ),
        (
            "selection",
            map([
                ("tagStatus", "any".into()),
                ("countType", "imageCountMoreThan".into()),
                ("countNumber", input("keep")),
            ]),
        ),
        ("action", map([("type", "expire".into())])),
    ]);
    Module::new("registry", "A repository of one service's images. A tag never moves: what was deployed is what was tested.")
        .input("name", Kind::Text, "The repository.")
        .input("keep", Kind::Number, "How many images are kept.")
        .input("key_arn", Kind::Text, "The KMS key.")
        .resource(Resource::new(
            "aws_ecr_repository",
            "this",
            Body::new()
                .set("name", input("name"))
                .set("image_tag_mutability", "IMMUTABLE")
                .block("image_scanning_configuration", Body::new().set("scan_on_push", true))
                .block(
                    "encryption_configuration",
                    Body::new().set("encryption_type", "KMS").set("kms_key", input("key_arn")),
                ),
        ))
        .resource(Resource::new(
            "aws_ecr_lifecycle_policy",
            "this",
            Body::new()
                .set("repository", attribute("aws_ecr_repository.this.name"))
                .set("policy", json(map([("rules", list([rule]))]))),
        ))
        .output("arn", "The repository.", attribute("aws_ecr_repository.this.arn"))
        .output("name", "Its name.", attribute("aws_ecr_repository.this.name"))
        .output("url", "Where images are pushed to.", attribute("aws_ecr_repository.this.repository_url"))
}

/// A place for a secret.
pub(super) fn secret() -> Module {
    Module::new("secret", "A place for a secret. Its value is put there by `cais secret set` or the AWS CLI and never passes through here, so no state has it.")
        .input("name", Kind::Text, "Its name in Secrets Manager.")
        .input("description", Kind::Text, "What it is for.")
        .input("key_arn", Kind::Text, "The KMS key.")
        .resource(
            Resource::new(
                "aws_secretsmanager_secret",
                "this",
                Body::new()
                    .set("name", input("name"))
                    .set("description", input("description"))
                    .set("kms_key_id", input("key_arn"))
                    .because("A deleted secret comes back for a week.", "recovery_window_in_days", 7_i64),
            )
            .skip("CKV2_AWS_57", "a rotation needs to know who reads the secret; cais secret rotate replaces it and its tasks"),
        )
        .output("arn", "The secret.", attribute("aws_secretsmanager_secret.this.arn"))
}

/// A security group with what it may call outside.
pub(super) fn security_group() -> Module {
    Module::new("security_group", "A security group that lets nothing in, and out only to the named ports of the internet. Who may talk to whom is said by connections.")
        .input("name", Kind::Text, "Its name.")
        .input("description", Kind::Text, "Whose it is.")
        .input("vpc_id", Kind::Text, "The VPC.")
        .input("egress_ports", Kind::texts(), "TCP ports that may be called anywhere.")
        .resource(
            Resource::new(
                "aws_security_group",
                "this",
                Body::new()
                    .set("name", input("name"))
                    .set("description", input("description"))
                    .set("vpc_id", input("vpc_id"))
                    .set("tags", map([("Name", input("name"))])),
            )
            .create_before_destroy()
            .skip("CKV2_AWS_5", "it is attached by the module that gets its id"),
        )
        .resource(
            Resource::new(
                "aws_vpc_security_group_egress_rule",
                "internet",
                Body::new()
                    .set("security_group_id", attribute("aws_security_group.this.id"))
                    .set("description", template(["Port ".into(), each_value(), " anywhere".into()]))
                    .set("cidr_ipv4", "0.0.0.0/0")
                    .set("ip_protocol", "tcp")
                    .set("from_port", each_value())
                    .set("to_port", each_value()),
            )
            .for_each(ForEach::Set("egress_ports")),
        )
        .output("id", "The security group.", attribute("aws_security_group.this.id"))
}

/// Two rules: one lets out, the other lets in.
pub(super) fn connection() -> Module {
    let rule = |own: &str, other: &str| {
        Body::new()
            .set("security_group_id", input(own))
            .set("referenced_security_group_id", input(other))
            .set("description", input("description"))
            .set("ip_protocol", "tcp")
            .set("from_port", input("port"))
            .set("to_port", input("port"))
    };
    Module::new("connection", "One security group may call a port of another: a rule that lets out and a rule that lets in.")
        .input("description", Kind::Text, "Who calls whom.")
        .input("from_security_group_id", Kind::Text, "Who calls.")
        .input("to_security_group_id", Kind::Text, "Who is called.")
        .input("port", Kind::Number, "The port.")
        .resource(Resource::new(
            "aws_vpc_security_group_egress_rule",
            "this",
            rule("from_security_group_id", "to_security_group_id"),
        ))
        .resource(Resource::new(
            "aws_vpc_security_group_ingress_rule",
            "this",
            rule("to_security_group_id", "from_security_group_id"),
        ))
}

/// Ways to AWS's own services that do not lead through the internet.
pub(super) fn interface_endpoints() -> Module {
    Module::new(
        "interface_endpoints",
        "Ways to services of AWS that do not lead through a NAT gateway.",
    )
    .input("name", Kind::Text, "What names begin with.")
    .input("region", Kind::Text, "The region.")
    .input("vpc_id", Kind::Text, "The VPC.")
    .input("subnet_ids", Kind::texts(), "Where they are reached.")
    .input("cidr_blocks", Kind::texts(), "Who may call them.")
    .input("services", Kind::texts(), "The services: ecr.api, logs.")
    .resource(
        Resource::new(
            "aws_security_group",
            "this",
            Body::new()
                .set("name", template([input("name"), "-endpoints".into()]))
                .set("description", "Interface endpoints")
                .set("vpc_id", input("vpc_id")),
        )
        .create_before_destroy()
        .skip("CKV2_AWS_5", "it is attached to the endpoints below"),
    )
    .resource(
        Resource::new(
            "aws_vpc_security_group_ingress_rule",
            "this",
            Body::new()
                .set("security_group_id", attribute("aws_security_group.this.id"))
                .set("description", "HTTPS from the private subnets")
                .set("cidr_ipv4", each_value())
                .set("ip_protocol", "tcp")
                .set("from_port", 443_i64)
                .set("to_port", 443_i64),
        )
        .for_each(ForEach::Set("cidr_blocks")),
    )
    .resource(
        Resource::new(
            "aws_vpc_endpoint",
            "this",
            Body::new()
                .set("vpc_id", input("vpc_id"))
                .set(
                    "service_name",
                    template([
                        "com.amazonaws.".into(),
                        input("region"),
                        ".".into(),
                        each_value(),
                    ]),
                )
                .set("vpc_endpoint_type", "Interface")
                .set("private_dns_enabled", true)
                .set("subnet_ids", input("subnet_ids"))
                .set(
                    "security_group_ids",
                    list([attribute("aws_security_group.this.id")]),
                ),
        )
        .for_each(ForEach::Set("services")),
    )
}

/// The bucket of access logs.
pub(super) fn log_bucket() -> Module {
    let bucket = || attribute("aws_s3_bucket.this.id");
    let objects = || template([attribute("aws_s3_bucket.this.arn"), "/*".into()]);
    let write = map([
        ("Sid", "LoadBalancerWrites".into()),
        ("Effect", "Allow".into()),
        (
            "Principal",
            map([(
                "Service",
                "logdelivery.elasticloadbalancing.amazonaws.com".into(),
            )]),
        ),
        ("Action", "s3:PutObject".into()),
        ("Resource", objects()),
        (
            "Condition",
            map([(
                "StringEquals",
                map([("aws:SourceAccount", input("account"))]),
            )]),
        ),
    ]);
    let tls = map([
        ("Sid", "TlsOnly".into()),
        ("Effect", "Deny".into()),
        ("Principal", "*".into()),
        ("Action", "s3:*".into()),
        (
            "Resource",
            list([attribute("aws_s3_bucket.this.arn"), objects()]),
        ),
        (
            "Condition",
            map([("Bool", map([("aws:SecureTransport", "false".into())]))]),
        ),
    ]);
    let rule = Body::new()
        .set("id", "expire")
        .set("status", "Enabled")
        .block("filter", Body::new())
        .block(
            "expiration",
            Body::new().set("days", input("retention_days")),
        )
        .block(
            "noncurrent_version_expiration",
            Body::new().set("noncurrent_days", 7_i64),
        )
        .block(
            "abort_incomplete_multipart_upload",
            Body::new().set("days_after_initiation", 7_i64),
        );
    Module::new(
        "log_bucket",
        "The bucket of the load balancer's access logs.",
    )
    .input("name", Kind::Text, "The bucket.")
    .input(
        "account",
        Kind::Text,
        "The account whose load balancers write here.",
    )
    .input("retention_days", Kind::Number, "How long logs are kept.")
    .resource(
        Resource::new(
            "aws_s3_bucket",
            "this",
            Body::new().set("bucket", input("name")),
        )
        .skip(
            "CKV_AWS_18",
            "it holds access logs; logging who reads them would never end",
        )
        .skip("CKV_AWS_144", "access logs are not worth a second region")
        .skip(
            "CKV_AWS_145",
            "load balancers write to buckets with SSE-S3 only",
        )
        .skip("CKV2_AWS_62", "nobody waits for a log file"),
    )
    .resource(Resource::new(
        "aws_s3_bucket_public_access_block",
        "this",
        Body::new()
            .set("bucket", bucket())
            .set("block_public_acls", true)
            .set("block_public_policy", true)
            .set("ignore_public_acls", true)
            .set("restrict_public_buckets", true),
    ))
    .resource(Resource::new(
        "aws_s3_bucket_versioning",
        "this",
        Body::new().set("bucket", bucket()).block(
            "versioning_configuration",
            Body::new().set("status", "Enabled"),
        ),
    ))
    .resource(Resource::new(
        "aws_s3_bucket_server_side_encryption_configuration",
        "this",
        Body::new().set("bucket", bucket()).block(
            "rule",
            Body::new().block(
                "apply_server_side_encryption_by_default",
                Body::new().set("sse_algorithm", "AES256"),
            ),
        ),
    ))
    .resource(Resource::new(
        "aws_s3_bucket_lifecycle_configuration",
        "this",
        Body::new().set("bucket", bucket()).block("rule", rule),
    ))
    .resource(
        Resource::new(
            "aws_s3_bucket_policy",
            "this",
            Body::new()
                .set("bucket", bucket())
                .set("policy", json(policy(vec![write, tls]))),
        )
        .after(&["aws_s3_bucket_public_access_block.this"]),
    )
    .output("name", "The bucket.", bucket())
}
