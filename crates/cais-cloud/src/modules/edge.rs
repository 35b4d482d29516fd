//! Where requests come in: the load balancer with its listeners, certificates, names, routes and target groups.

use crate::resource::{Body, ForEach, Kind, Module, Resource};
use crate::value::{attribute, each_value, input, list, map, only, template};

/// The load balancer with its security group.
pub(super) fn load_balancer() -> Module {
    let balancer = Body::new()
        .set("name", input("name"))
        .set("load_balancer_type", "application")
        .set("subnets", input("subnet_ids"))
        .set("security_groups", list([attribute("aws_security_group.this.id")]))
        .set("drop_invalid_header_fields", true)
        .set("enable_deletion_protection", input("deletion_protection"))
        .because("Services keep their connections longer, so that the side that closes first is this one.", "idle_timeout", 60_i64)
        .block(
            "access_logs",
            Body::new().set("bucket", input("log_bucket")).set("enabled", true),
        );
    Module::new("load_balancer", "The public load balancer.")
        .input("name", Kind::Text, "Its name.")
        .input("vpc_id", Kind::Text, "The VPC.")
        .input("subnet_ids", Kind::texts(), "Public subnets, in two zones at least.")
        .input("ports", Kind::texts(), "Ports that are open to everybody.")
        .input("log_bucket", Kind::Text, "The bucket of its access logs.")
        .input("deletion_protection", Kind::Bool, "Does AWS refuse to delete it?")
        .resource(
            Resource::new(
                "aws_security_group",
                "this",
                Body::new()
                    .set("name", template([input("name"), "-load-balancer".into()]))
                    .set("description", "The public load balancer")
                    .set("vpc_id", input("vpc_id"))
                    .set("tags", map([("Name", template([input("name"), "-load-balancer".into()]))])),
            )
            .create_before_destroy(),
        )
        .resource(
            Resource::new(
                "aws_vpc_security_group_ingress_rule",
                "public",
                Body::new()
                    .set("security_group_id", attribute("aws_security_group.this.id"))
                    .set("description", template(["Port ".into(), each_value(), " from everybody".into()]))
                    .set("cidr_ipv4", "0.0.0.0/0")
                    .set("ip_protocol", "tcp")
                    .set("from_port", each_value())
                    .set("to_port", each_value()),
            )
            .for_each(ForEach::Set("ports"))
            .skip("CKV_AWS_260", "port 80 of a public load balancer; with a domain it only redirects to HTTPS"),
        )
        .resource(
            Resource::new("aws_lb", "this", balancer)
                .skip("CKV_AWS_150", "deletion protection is on unless x-cais.aws.deletion_protection turns it off")
                .skip("CKV2_AWS_20", "the listeners are in a module of their own; with a domain, HTTP redirects to HTTPS")
                .skip("CKV2_AWS_28", "a web ACL is attached where x-cais.aws.waf names one"),
        )
        .output("arn", "The load balancer.", attribute("aws_lb.this.arn"))
        .output("arn_suffix", "Its name in CloudWatch.", attribute("aws_lb.this.arn_suffix"))
        .output("dns_name", "Its address.", attribute("aws_lb.this.dns_name"))
        .output("zone_id", "The zone of its address, for aliases.", attribute("aws_lb.this.zone_id"))
        .output("security_group_id", "Its security group.", attribute("aws_security_group.this.id"))
}

/// What is answered where no route matches.
fn not_found() -> Body {
    Body::new().set("type", "fixed-response").block(
        "fixed_response",
        Body::new()
            .set("content_type", "text/plain")
            .set("message_body", "not found")
            .set("status_code", "404"),
    )
}

/// HTTPS, and HTTP that leads to it.
pub(super) fn https_listener() -> Module {
    let redirect = Body::new().set("type", "redirect").block(
        "redirect",
        Body::new()
            .set("port", "443")
            .set("protocol", "HTTPS")
            .set("status_code", "HTTP_301"),
    );
    Module::new(
        "https_listener",
        "HTTPS with TLS 1.3 and 1.2; HTTP leads to it.",
    )
    .input("load_balancer_arn", Kind::Text, "The load balancer.")
    .input("certificate_arn", Kind::Text, "The certificate.")
    .resource(Resource::new(
        "aws_lb_listener",
        "http",
        Body::new()
            .set("load_balancer_arn", input("load_balancer_arn"))
            .set("port", 80_i64)
            .set("protocol", "HTTP")
            .block("default_action", redirect),
    ))
    .resource(Resource::new(
        "aws_lb_listener",
        "https",
        Body::new()
            .set("load_balancer_arn", input("load_balancer_arn"))
            .set("port", 443_i64)
            .set("protocol", "HTTPS")
            .set("ssl_policy", "ELBSecurityPolicy-TLS13-1-2-2021-06")
            .set("certificate_arn", input("certificate_arn"))
            .block("default_action", not_found()),
    ))
    .output(
        "arn",
        "The listener that routes belong to.",
        attribute("aws_lb_listener.https.arn"),
    )
}

/// HTTP alone, where there is no domain and so no certificate.
pub(super) fn http_listener() -> Module {
    Module::new(
        "http_listener",
        "Plain HTTP: without a domain there is no certificate.",
    )
    .input("load_balancer_arn", Kind::Text, "The load balancer.")
    .resource(
        Resource::new(
            "aws_lb_listener",
            "http",
            Body::new()
                .set("load_balancer_arn", input("load_balancer_arn"))
                .set("port", 80_i64)
                .set("protocol", "HTTP")
                .block("default_action", not_found()),
        )
        .skip(
            "CKV_AWS_2",
            "there is no domain, so there is no certificate: x-cais.aws.domain",
        )
        .skip(
            "CKV_AWS_103",
            "there is no domain, so there is no certificate: x-cais.aws.domain",
        ),
    )
    .output(
        "arn",
        "The listener that routes belong to.",
        attribute("aws_lb_listener.http.arn"),
    )
}

/// A certificate that is validated by DNS.
pub(super) fn certificate() -> Module {
    let option = |field: &str| only("aws_acm_certificate.this.domain_validation_options", field);
    Module::new(
        "certificate",
        "A certificate for one name, validated by a record in its zone and renewed by AWS.",
    )
    .input("domain", Kind::Text, "The name.")
    .input(
        "zone_id",
        Kind::Text,
        "The Route 53 zone that the name is in.",
    )
    .resource(
        Resource::new(
            "aws_acm_certificate",
            "this",
            Body::new()
                .set("domain_name", input("domain"))
                .set("validation_method", "DNS"),
        )
        .create_before_destroy(),
    )
    .resource(Resource::new(
        "aws_route53_record",
        "validation",
        Body::new()
            .set("zone_id", input("zone_id"))
            .set("name", option("resource_record_name"))
            .set("type", option("resource_record_type"))
            .set("records", list([option("resource_record_value")]))
            .set("ttl", 60_i64)
            .because(
                "Two environments with one name ask for the same record.",
                "allow_overwrite",
                true,
            ),
    ))
    .resource(Resource::new(
        "aws_acm_certificate_validation",
        "this",
        Body::new()
            .set("certificate_arn", attribute("aws_acm_certificate.this.arn"))
            .set(
                "validation_record_fqdns",
                list([attribute("aws_route53_record.validation.fqdn")]),
            ),
    ))
    .output(
        "arn",
        "The certificate, once it is valid.",
        attribute("aws_acm_certificate_validation.this.certificate_arn"),
    )
}

/// One more certificate for a listener.
pub(super) fn additional_certificate() -> Module {
    Module::new("additional_certificate", "A certificate more for a listener: clients are told the right one by the name they ask for.")
        .input("listener_arn", Kind::Text, "The listener.")
        .input("certificate_arn", Kind::Text, "The certificate.")
        .resource(Resource::new(
            "aws_lb_listener_certificate",
            "this",
            Body::new()
                .set("listener_arn", input("listener_arn"))
                .set("certificate_arn", input("certificate_arn")),
        ))
}

/// A name for the load balancer.
pub(super) fn dns_record() -> Module {
    Module::new("dns_record", "A name that leads to the load balancer.")
        .input("name", Kind::Text, "The name.")
        .input(
            "zone_id",
            Kind::Text,
            "The Route 53 zone that the name is in.",
        )
        .input("target", Kind::Text, "The load balancer's address.")
        .input("target_zone_id", Kind::Text, "The zone of that address.")
        .resource(Resource::new(
            "aws_route53_record",
            "this",
            Body::new()
                .set("zone_id", input("zone_id"))
                .set("name", input("name"))
                .set("type", "A")
                .block(
                    "alias",
                    Body::new()
                        .set("name", input("target"))
                        .set("zone_id", input("target_zone_id"))
                        .set("evaluate_target_health", true),
                ),
        ))
}

/// A web ACL for the load balancer.
pub(super) fn web_acl_association() -> Module {
    Module::new("web_acl_association", "A web ACL before the load balancer.")
        .input("load_balancer_arn", Kind::Text, "The load balancer.")
        .input("web_acl_arn", Kind::Text, "The web ACL.")
        .resource(Resource::new(
            "aws_wafv2_web_acl_association",
            "this",
            Body::new()
                .set("resource_arn", input("load_balancer_arn"))
                .set("web_acl_arn", input("web_acl_arn")),
        ))
}

/// Where a service's tasks take requests.
pub(super) fn target_group() -> Module {
    let check = Body::new()
        .set("path", input("health_path"))
        .set("interval", input("interval"))
        .set("timeout", input("timeout"))
        .set("healthy_threshold", 2_i64)
        .set("unhealthy_threshold", input("unhealthy_threshold"))
        .set("matcher", "200-399");
    Module::new("target_group", "Where a service's tasks take requests, and how the load balancer knows that they can.")
        .input("name", Kind::Text, "Its name.")
        .input("vpc_id", Kind::Text, "The VPC.")
        .input("health_path", Kind::Text, "What is asked for.")
        .input("interval", Kind::Number, "Seconds between two checks.")
        .input("timeout", Kind::Number, "Seconds until a check has failed.")
        .input("unhealthy_threshold", Kind::Number, "Failures in a row that take a task out.")
        .input("deregistration_delay", Kind::Number, "Seconds that a task which leaves may finish its requests.")
        .resource(
            Resource::new(
                "aws_lb_target_group",
                "this",
                Body::new()
                    .set("name", input("name"))
                    .because("ECS registers each task with the port of its own. This one is only what AWS asks for, and the same for all: another one would be another target group, which AWS does not take while a rule forwards to this one.", "port", 80_i64)
                    .set("protocol", "HTTP")
                    .because("Tasks on Fargate have addresses of their own.", "target_type", "ip")
                    .set("vpc_id", input("vpc_id"))
                    .because("AWS waits for 300 seconds where nobody says otherwise, at each deploy.", "deregistration_delay", input("deregistration_delay"))
                    .set("load_balancing_algorithm_type", "least_outstanding_requests")
                    .block("health_check", check),
            )
            .skip("CKV_AWS_378", "TLS ends at the load balancer; behind it requests stay within the VPC's private subnets"),
        )
        .output("arn", "The target group.", attribute("aws_lb_target_group.this.arn"))
        .output("arn_suffix", "Its name in CloudWatch.", attribute("aws_lb_target_group.this.arn_suffix"))
}

fn route_module(name: &str, description: &'static str) -> Module {
    Module::new(name, description)
        .input("listener_arn", Kind::Text, "The listener.")
        .input(
            "priority",
            Kind::Number,
            "Lower is asked first: longer paths before shorter ones.",
        )
        .input("hosts", Kind::texts(), "Names that match; `*` is any.")
        .input("paths", Kind::texts(), "Paths that match.")
}

fn matching(action: Body) -> Body {
    Body::new()
        .set("listener_arn", input("listener_arn"))
        .set("priority", input("priority"))
        .block("action", action)
        .block(
            "condition",
            Body::new().block("host_header", Body::new().set("values", input("hosts"))),
        )
        .block(
            "condition",
            Body::new().block("path_pattern", Body::new().set("values", input("paths"))),
        )
}

/// Requests that a service answers.
pub(super) fn route() -> Module {
    route_module("route", "Requests that a service answers.")
        .input("target_group_arn", Kind::Text, "Who answers.")
        .resource(Resource::new(
            "aws_lb_listener_rule",
            "this",
            matching(
                Body::new()
                    .set("type", "forward")
                    .set("target_group_arn", input("target_group_arn")),
            ),
        ))
        .output(
            "arn",
            "The rule.",
            attribute("aws_lb_listener_rule.this.arn"),
        )
}

/// The same, between two target groups.
pub(super) fn shifting_route() -> Module {
    let forward = |to: &str, weight: i64| Body::new().set("arn", input(to)).set("weight", weight);
    let action = Body::new().set("type", "forward").block(
        "forward",
        Body::new()
            .block("target_group", forward("target_group_arn", 100))
            .block("target_group", forward("alternate_target_group_arn", 0)),
    );
    route_module("shifting_route", "Requests that a service answers, from one of two target groups: ECS moves the weights at each deploy.")
        .input("target_group_arn", Kind::Text, "Who answers at first.")
        .input("alternate_target_group_arn", Kind::Text, "Who answers after the first deploy.")
        .resource(
            Resource::new("aws_lb_listener_rule", "this", matching(action))
                .comment("The weights are ECS's after the first apply.")
                .ignore_changes(&["action"]),
        )
        .output("arn", "The rule.", attribute("aws_lb_listener_rule.this.arn"))
}
