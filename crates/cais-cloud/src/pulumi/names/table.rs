//! What no rule gives of Pulumi's names. `tests/cloud/verify pulumi` holds it against the provider's schema.

use super::{Scalar, Shape};

/// Resource types whose token no rule gives.
pub(super) const TOKENS: &[(&str, &str)] = &[
    ("iam_openid_connect_provider", "iam.OpenIdConnectProvider"),
    ("lb", "lb.LoadBalancer"),
    (
        "vpc_security_group_egress_rule",
        "vpc.SecurityGroupEgressRule",
    ),
    (
        "vpc_security_group_ingress_rule",
        "vpc.SecurityGroupIngressRule",
    ),
];

/// Resource types of EC2, which bear no prefix.
pub(super) const EC2: &[&str] = &[
    "default_network_acl",
    "default_route_table",
    "default_security_group",
    "eip",
    "flow_log",
    "internet_gateway",
    "main_route_table_association",
    "nat_gateway",
    "network_acl",
    "network_acl_rule",
    "prefix_list",
    "route",
    "route_table",
    "route_table_association",
    "security_group",
    "subnet",
    "subnets",
    "vpc",
    "vpc_dhcp_options",
    "vpc_endpoint",
];

/// Namespaces that are not the first word of the type.
pub(super) const NAMESPACES: &[(&str, &str)] = &[("service_discovery_", "servicediscovery")];

/// Data sources that stand at the top of the package.
pub(super) const TOP_LEVEL_DATA: &[&str] = &[
    "availability_zones",
    "caller_identity",
    "default_tags",
    "partition",
    "region",
];

/// Blocks that may stand more than once, by the provider's schema: each becomes an array.
pub(super) const REPEATED: &[(&str, &[&str])] = &[
    ("aws_acm_certificate", &["validation_option"]),
    (
        "aws_appautoscaling_policy",
        &[
            "predictive_scaling_policy_configuration.metric_specification",
            "predictive_scaling_policy_configuration.metric_specification.customized_capacity_metric_specification.metric_data_query",
            "predictive_scaling_policy_configuration.metric_specification.customized_capacity_metric_specification.metric_data_query.metric_stat.metric.dimension",
            "predictive_scaling_policy_configuration.metric_specification.customized_load_metric_specification.metric_data_query",
            "predictive_scaling_policy_configuration.metric_specification.customized_load_metric_specification.metric_data_query.metric_stat.metric.dimension",
            "predictive_scaling_policy_configuration.metric_specification.customized_scaling_metric_specification.metric_data_query",
            "predictive_scaling_policy_configuration.metric_specification.customized_scaling_metric_specification.metric_data_query.metric_stat.metric.dimension",
            "step_scaling_policy_configuration.step_adjustment",
            "target_tracking_scaling_policy_configuration.customized_metric_specification.dimensions",
            "target_tracking_scaling_policy_configuration.customized_metric_specification.metrics",
            "target_tracking_scaling_policy_configuration.customized_metric_specification.metrics.metric_stat.metric.dimensions",
        ],
    ),
    (
        "aws_budgets_budget",
        &["cost_filter", "notification", "planned_limit"],
    ),
    (
        "aws_cloudwatch_event_target",
        &[
            "ecs_target.capacity_provider_strategy",
            "ecs_target.ordered_placement_strategy",
            "ecs_target.placement_constraint",
            "run_command_targets",
            "sagemaker_pipeline_target.pipeline_parameter_list",
        ],
    ),
    ("aws_cloudwatch_metric_alarm", &["metric_query"]),
    ("aws_default_network_acl", &["egress", "ingress"]),
    (
        "aws_ecr_registry_scanning_configuration",
        &["rule", "rule.repository_filter"],
    ),
    (
        "aws_ecr_repository",
        &[
            "encryption_configuration",
            "image_tag_mutability_exclusion_filter",
        ],
    ),
    ("aws_ecs_cluster", &["setting"]),
    (
        "aws_ecs_cluster_capacity_providers",
        &["default_capacity_provider_strategy"],
    ),
    (
        "aws_ecs_service",
        &[
            "capacity_provider_strategy",
            "deployment_configuration.lifecycle_hook",
            "load_balancer",
            "ordered_placement_strategy",
            "placement_constraints",
            "service_connect_configuration.log_configuration.secret_option",
            "service_connect_configuration.service",
            "service_connect_configuration.service.client_alias.test_traffic_rules",
            "volume_configuration.managed_ebs_volume.tag_specifications",
            "vpc_lattice_configurations",
        ],
    ),
    (
        "aws_ecs_task_definition",
        &["placement_constraints", "volume"],
    ),
    ("aws_elasticache_parameter_group", &["parameter"]),
    (
        "aws_elasticache_replication_group",
        &["log_delivery_configuration", "node_group_configuration"],
    ),
    ("aws_iam_role", &["inline_policy"]),
    ("aws_lb", &["subnet_mapping"]),
    (
        "aws_lb_listener",
        &[
            "default_action",
            "default_action.forward.target_group",
            "default_action.jwt_validation.additional_claim",
        ],
    ),
    (
        "aws_lb_listener_rule",
        &[
            "action",
            "action.forward.target_group",
            "action.jwt_validation.additional_claim",
            "condition",
            "condition.query_string",
            "transform",
        ],
    ),
    (
        "aws_lb_target_group",
        &["target_failover", "target_health_state"],
    ),
    ("aws_nat_gateway", &["availability_zone_address"]),
    (
        "aws_route53_record",
        &["geoproximity_routing_policy.coordinates"],
    ),
    ("aws_route53_zone", &["vpc"]),
    (
        "aws_s3_bucket",
        &[
            "cors_rule",
            "grant",
            "lifecycle_rule",
            "lifecycle_rule.noncurrent_version_transition",
            "lifecycle_rule.transition",
            "replication_configuration.rules",
        ],
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        &[
            "rule",
            "rule.abort_incomplete_multipart_upload",
            "rule.expiration",
            "rule.filter",
            "rule.filter.and",
            "rule.filter.tag",
            "rule.noncurrent_version_expiration",
            "rule.noncurrent_version_transition",
            "rule.transition",
        ],
    ),
    ("aws_s3_bucket_logging", &["target_grant"]),
    (
        "aws_s3_bucket_server_side_encryption_configuration",
        &["rule"],
    ),
    (
        "aws_scheduler_schedule",
        &[
            "target.ecs_parameters.capacity_provider_strategy",
            "target.ecs_parameters.placement_constraints",
            "target.ecs_parameters.placement_strategy",
            "target.sagemaker_pipeline_parameters.pipeline_parameter",
        ],
    ),
    ("aws_secretsmanager_secret", &["replica"]),
    ("aws_service_discovery_service", &["dns_config.dns_records"]),
    ("aws_vpc_endpoint", &["subnet_configuration"]),
    (
        "aws_wafv2_web_acl",
        &[
            "association_config.request_body",
            "custom_response_body",
            "data_protection_config.data_protection",
            "rule",
            "rule.rule_label",
        ],
    ),
    (
        "aws_wafv2_web_acl_logging_configuration",
        &[
            "logging_filter.filter",
            "logging_filter.filter.condition",
            "redacted_fields",
        ],
    ),
];

/// Blocks whose name or shape breaks the rule.
pub(super) const BLOCKS: &[(&str, &str, &str, Shape)] = &[
    (
        "aws_ecs_service",
        "service_connect_configuration.service.client_alias",
        "clientAlias",
        Shape::Array,
    ),
    ("aws_route53_record", "alias", "aliases", Shape::Array),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.abort_incomplete_multipart_upload",
        "abortIncompleteMultipartUpload",
        Shape::Object,
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.expiration",
        "expiration",
        Shape::Object,
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.filter",
        "filter",
        Shape::Object,
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.filter.and",
        "and",
        Shape::Object,
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.filter.tag",
        "tag",
        Shape::Object,
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.noncurrent_version_expiration",
        "noncurrentVersionExpiration",
        Shape::Object,
    ),
];

/// Attributes whose name breaks the rule.
pub(super) const ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("aws_cloudwatch_metric_alarm", "alarm_name", "name"),
    (
        "aws_iam_openid_connect_provider",
        "client_id_list",
        "clientIdLists",
    ),
    (
        "aws_iam_openid_connect_provider",
        "thumbprint_list",
        "thumbprintLists",
    ),
    ("aws_route_table", "route", "routes"),
    ("aws_sns_topic_subscription", "topic_arn", "topic"),
];

/// Attributes of one type in Pulumi, whatever is written for Terraform.
pub(super) const SCALARS: &[(&str, &str, Scalar)] = &[
    (
        "aws_ecs_service",
        "deployment_configuration.bake_time_in_minutes",
        Scalar::Text,
    ),
    (
        "aws_ecs_service",
        "deployment_configuration.canary_configuration.canary_bake_time_in_minutes",
        Scalar::Text,
    ),
    (
        "aws_ecs_service",
        "deployment_configuration.linear_configuration.step_bake_time_in_minutes",
        Scalar::Text,
    ),
    ("aws_ecs_task_definition", "cpu", Scalar::Text),
    ("aws_ecs_task_definition", "memory", Scalar::Text),
    (
        "aws_lb_listener",
        "default_action.redirect.port",
        Scalar::Text,
    ),
    ("aws_lb_target_group", "health_check.matcher", Scalar::Text),
    ("aws_lb_target_group", "health_check.port", Scalar::Text),
    (
        "aws_vpc_security_group_egress_rule",
        "from_port",
        Scalar::Number,
    ),
    (
        "aws_vpc_security_group_egress_rule",
        "to_port",
        Scalar::Number,
    ),
    (
        "aws_vpc_security_group_ingress_rule",
        "from_port",
        Scalar::Number,
    ),
    (
        "aws_vpc_security_group_ingress_rule",
        "to_port",
        Scalar::Number,
    ),
];
