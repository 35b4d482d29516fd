//! The network: a VPC over several zones, with public subnets for the load balancer and private ones for tasks and cache.

use crate::resource::{Body, ForEach, Kind, Module, Resource};
use crate::value::Each;
use crate::value::{
    all, attribute, attribute_at, each_key, each_value, input, json, list, map, template,
};

/// The module.
pub(super) fn network() -> Module {
    let module = Module::new(
        "network",
        "A VPC over several zones: public subnets for the load balancer, private ones for tasks and cache.",
    )
    .input("name", Kind::Text, "What the VPC is called.")
    .input("region", Kind::Text, "The region.")
    .input("cidr_block", Kind::Text, "The addresses of the VPC.")
    .input("public_subnets", Kind::text_map(), "Addresses of the public subnet of each zone.")
    .input("private_subnets", Kind::text_map(), "Addresses of the private subnet of each zone.")
    .input("nat_zones", Kind::texts(), "Zones that have a NAT gateway.")
    .input("nat_zone_of", Kind::text_map(), "The zone whose NAT gateway each zone's private subnet goes out by.")
    .input("flow_log_retention_days", Kind::Number, "How long the flow log is kept.")
    .input("key_arn", Kind::Text, "The KMS key of the flow log.");
    routes(subnets(vpc(module)))
        .output("vpc_id", "The VPC.", attribute("aws_vpc.this.id"))
        .output(
            "public_subnet_ids",
            "Subnets of the load balancer.",
            all("aws_subnet.public.id"),
        )
        .output(
            "private_subnet_ids",
            "Subnets of tasks and cache.",
            all("aws_subnet.private.id"),
        )
        .output(
            "private_route_table_ids",
            "Route tables of the private subnets.",
            all("aws_route_table.private.id"),
        )
        .output(
            "s3_prefix_list_id",
            "The addresses of S3, for security groups.",
            attribute("aws_vpc_endpoint.s3.prefix_list_id"),
        )
}

fn vpc(module: Module) -> Module {
    module
        .resource(Resource::new(
            "aws_vpc",
            "this",
            Body::new()
                .set("cidr_block", input("cidr_block"))
                .set("enable_dns_support", true)
                .set("enable_dns_hostnames", true)
                .set("tags", map([("Name", input("name"))])),
        ))
        .resource(
            Resource::new(
                "aws_default_security_group",
                "this",
                Body::new().set("vpc_id", attribute("aws_vpc.this.id")),
            )
            .comment("The group that AWS gives to whatever names none: managed without rules, so that it lets nothing through."),
        )
        .resource(Resource::new(
            "aws_cloudwatch_log_group",
            "flow",
            Body::new()
                .set("name", template(["/vpc/".into(), input("name")]))
                .set("retention_in_days", input("flow_log_retention_days"))
                .set("kms_key_id", input("key_arn")),
        ).skip("CKV_AWS_338", "staging keeps its flow log for a shorter time, by x-cais.aws.log_retention"))
        .resource(Resource::new(
            "aws_iam_role",
            "flow",
            Body::new()
                .set("name", template([input("name"), "-flow-log".into()]))
                .set("assume_role_policy", json(super::trust("vpc-flow-logs.amazonaws.com"))),
        ))
        .resource(Resource::new(
            "aws_iam_role_policy",
            "flow",
            Body::new()
                .set("name", "write")
                .set("role", attribute("aws_iam_role.flow.id"))
                .set("policy", json(super::policy(vec![super::allow(
                    &["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    list([template([attribute("aws_cloudwatch_log_group.flow.arn"), ":*".into()])]),
                )]))),
        ))
        .resource(Resource::new(
            "aws_flow_log",
            "this",
            Body::new()
                .set("vpc_id", attribute("aws_vpc.this.id"))
                .set("traffic_type", "ALL")
                .set("log_destination", attribute("aws_cloudwatch_log_group.flow.arn"))
                .set("iam_role_arn", attribute("aws_iam_role.flow.arn")),
        ))
}

fn subnets(module: Module) -> Module {
    let subnet = |name: &'static str, over: &'static str, tier: &str| {
        Resource::new(
            "aws_subnet",
            name,
            Body::new()
                .set("vpc_id", attribute("aws_vpc.this.id"))
                .set("availability_zone", each_key())
                .set("cidr_block", each_value())
                .set(
                    "tags",
                    map([(
                        "Name",
                        template([input("name"), format!("-{tier}-").into(), each_key()]),
                    )]),
                ),
        )
        .for_each(ForEach::Map(over))
    };
    module
        .resource(subnet("public", "public_subnets", "public"))
        .resource(subnet("private", "private_subnets", "private"))
}

fn routes(module: Module) -> Module {
    let association = |name: &'static str, over: &'static str| {
        Resource::new("aws_route_table_association", name, Body::new()).for_each(ForEach::Map(over))
    };
    let mut public = association("public", "public_subnets");
    public.body = Body::new()
        .set("subnet_id", attribute_at("aws_subnet.public.id", Each::Key))
        .set("route_table_id", attribute("aws_route_table.public.id"));
    let mut private = association("private", "private_subnets");
    private.body = Body::new()
        .set(
            "subnet_id",
            attribute_at("aws_subnet.private.id", Each::Key),
        )
        .set(
            "route_table_id",
            attribute_at("aws_route_table.private.id", Each::Key),
        );
    module
        .resource(Resource::new(
            "aws_internet_gateway",
            "this",
            Body::new()
                .set("vpc_id", attribute("aws_vpc.this.id"))
                .set("tags", map([("Name", input("name"))])),
        ))
        .resource(
            Resource::new(
                "aws_eip",
                "nat",
                Body::new()
                    .set("domain", "vpc")
                    .set("tags", map([("Name", template([input("name"), "-nat-".into(), each_key()]))])),
            )
            .for_each(ForEach::Set("nat_zones"))
            .skip("CKV2_AWS_19", "the address belongs to a NAT gateway"),
        )
        .resource(
            Resource::new(
                "aws_nat_gateway",
                "this",
                Body::new()
                    .set("allocation_id", attribute_at("aws_eip.nat.id", Each::Key))
                    .set("subnet_id", attribute_at("aws_subnet.public.id", Each::Key))
                    .set("tags", map([("Name", template([input("name"), "-".into(), each_key()]))])),
            )
            .for_each(ForEach::Set("nat_zones"))
            .after(&["aws_internet_gateway.this"]),
        )
        .resource(Resource::new(
            "aws_route_table",
            "public",
            Body::new()
                .set("vpc_id", attribute("aws_vpc.this.id"))
                .set("tags", map([("Name", template([input("name"), "-public".into()]))])),
        ))
        .resource(Resource::new(
            "aws_route",
            "public",
            Body::new()
                .set("route_table_id", attribute("aws_route_table.public.id"))
                .set("destination_cidr_block", "0.0.0.0/0")
                .set("gateway_id", attribute("aws_internet_gateway.this.id")),
        ))
        .resource(public)
        .resource(
            Resource::new(
                "aws_route_table",
                "private",
                Body::new()
                    .set("vpc_id", attribute("aws_vpc.this.id"))
                    .set("tags", map([("Name", template([input("name"), "-private-".into(), each_key()]))])),
            )
            .for_each(ForEach::Map("private_subnets")),
        )
        .resource(
            Resource::new(
                "aws_route",
                "private",
                Body::new()
                    .set("route_table_id", attribute_at("aws_route_table.private.id", Each::Key))
                    .set("destination_cidr_block", "0.0.0.0/0")
                    .set("nat_gateway_id", attribute_at("aws_nat_gateway.this.id", Each::Value)),
            )
            .for_each(ForEach::Map("nat_zone_of")),
        )
        .resource(private)
        .resource(
            Resource::new(
                "aws_vpc_endpoint",
                "s3",
                Body::new()
                    .set("vpc_id", attribute("aws_vpc.this.id"))
                    .set("service_name", template(["com.amazonaws.".into(), input("region"), ".s3".into()]))
                    .set("vpc_endpoint_type", "Gateway")
                    .set("route_table_ids", all("aws_route_table.private.id")),
            )
            .comment("Image layers come from S3; this way costs nothing, the way through a NAT gateway is paid by the gigabyte."),
        )
}
