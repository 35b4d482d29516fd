//! What AWS does not have, or the file does not say: each with its place, and what to write instead.

use crate::stack;
use cais_model::diagnostic::Diagnostic;
use cais_model::fields::{Runtime, unsupported};

/// A stack with one service and a place on AWS, each in a line of its own.
fn file(service: &str, aws: &str) -> String {
    format!("name: shop\nservices:\n  web:\n    {service}\nx-cais:\n  aws: {aws}\n")
}

fn said(text: &str, environment: &str) -> Vec<String> {
    let loaded = stack(text);
    let mut found: Vec<Diagnostic> = unsupported(&loaded, Runtime::Aws);
    found.extend(cais_cloud::check(&loaded));
    found.extend(
        cais_cloud::lower(&loaded.stack, environment)
            .err()
            .unwrap_or_default(),
    );
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn what_aws_does_not_have_is_told_with_its_place_and_what_it_has() {
    let ok = "{region: eu-west-1}";
    let web = "x-cais: {route: {path: /}}\n    build: .";
    let long = "a-service-with-a-name-that-is-far-too-long";
    let cases: Vec<(&str, String)> = vec![
        ("a region that is none", file(web, "{region: eu-wst-1}")),
        ("no region", file(web, "{nat: single}")),
        (
            "a region that is none, and a domain without a zone",
            file(web, "{region: eu-wst-1, domain: shop.example.com}"),
        ),
        (
            "zones that are none",
            file(web, "{region: eu-west-1, zones: [a, central]}"),
        ),
        ("one zone", file(web, "{region: eu-west-1, zones: [a]}")),
        (
            "a network that is none",
            file(web, "{region: eu-west-1, cidr: 10.0.1.0/16}"),
        ),
        (
            "a network that overlaps another",
            file(
                web,
                "{region: eu-west-1, cidr: 10.0.0.0/16, peers: [10.0.128.0/20]}",
            ),
        ),
        (
            "a network that may not be used",
            file(web, "{region: eu-west-1, cidr: 169.254.0.0/16}"),
        ),
        (
            "a network too small for subnets",
            file(web, "{region: eu-west-1, cidr: 10.0.0.0/26}"),
        ),
        (
            "a network too small for the tasks",
            file(
                "build: .\n    deploy: {replicas: 200}",
                "{region: eu-west-1, cidr: 10.0.0.0/24}",
            ),
        ),
        (
            "a network larger than a VPC",
            file(web, "{region: eu-west-1, cidr: 10.0.0.0/8}"),
        ),
        ("no way out", file(web, "{region: eu-west-1, nat: none}")),
        (
            "a registry that nothing leads to",
            file(
                "build: .",
                "{region: eu-west-1, nat: none, endpoints: [ecr.api, ecr.dkr, logs, secretsmanager], registry: {repository: 'ghcr.io/acme/{service}'}}",
            ),
        ),
        (
            "an endpoint that is none",
            file(web, "{region: eu-west-1, endpoints: [s4]}"),
        ),
        (
            "a CPU that Fargate does not have",
            file("build: .\n    x-cais: {aws: {cpu: 300}}", ok),
        ),
        (
            "a pair that Fargate does not have",
            file("build: .\n    x-cais: {aws: {cpu: 256, memory: 4g}}", ok),
        ),
        (
            "a task larger than any",
            file(
                "build: .\n    deploy: {resources: {limits: {cpus: '32'}}}",
                ok,
            ),
        ),
        (
            "a domain without a zone",
            file(web, "{region: eu-west-1, domain: shop.example.com}"),
        ),
        (
            "a host outside the zone",
            file(
                "build: .\n    x-cais: {route: {host: other.org}}",
                "{region: eu-west-1, domain: example.com}",
            ),
        ),
        (
            "a zone without a domain",
            file(web, "{region: eu-west-1, zone: example.com}"),
        ),
        (
            "a VPC without its subnets",
            file(web, "{region: eu-west-1, vpc: vpc-1}"),
        ),
        (
            "subnets without a VPC",
            file(web, "{region: eu-west-1, subnets: {public: [subnet-1]}}"),
        ),
        (
            "a name too long for AWS",
            file(web, ok).replace("  web:", &format!("  {long}:")),
        ),
        (
            "a project too long for AWS",
            file(web, ok).replace("name: shop", "name: a-shop-with-a-name-that-is-too-long"),
        ),
        (
            "two names that are one",
            file("build: .\n  WEB:\n    build: .", ok),
        ),
        (
            "a stop that takes too long",
            file("build: .\n    stop_grace_period: 5m", ok),
        ),
        (
            "a stop that is too short, of a service with a dot in its name",
            file("build: .\n    stop_grace_period: 1s", ok).replace("  web:", "  web.v2:"),
        ),
        (
            "memory that no task has",
            file(
                "build: .\n    deploy: {resources: {limits: {memory: 1g}, reservations: {memory: 200g}}}",
                ok,
            ),
        ),
        (
            "a managed cache with a database number",
            file(
                "build: .\n    environment: {CACHE_URL: 'redis://cache:6379/1'}\n  cache:\n    image: redis\n    x-cais: {aws: {managed: elasticache}}",
                ok,
            ),
        ),
        (
            "a canary without a route",
            file("build: .\n    x-cais: {rollout: {strategy: canary}}", ok),
        ),
        (
            "a canary with two routes",
            file(
                "build: .\n    x-cais: {rollout: {strategy: canary}, route: [{path: /a}, {path: /b}]}",
                ok,
            ),
        ),
        (
            "requests without a route",
            file("build: .\n    x-cais: {scale: {max: 2, requests: 5/s}}", ok),
        ),
        (
            "an alarm on requests without a route",
            file(
                "build: .\n    x-cais: {alarms: {slow: {metric: latency_p99, above: 1s}}}",
                ok,
            ),
        ),
        (
            "a period that CloudWatch does not have",
            file(
                "build: .\n    x-cais: {alarms: {hot: {metric: cpu, above: 80%, period: 45s}}}",
                ok,
            ),
        ),
        (
            "a channel that is none",
            file(
                "build: .\n    x-cais: {alarms: {hot: {metric: cpu, above: 80%, notify: [ops]}}}",
                ok,
            ),
        ),
        (
            "an alarm that is none",
            file(
                "build: .\n    x-cais: {route: {path: /}, rollout: {alarms: [errrors]}}",
                ok,
            ),
        ),
        (
            "an override of nothing",
            file(
                web,
                "{region: eu-west-1, overrides: {cluster.aws_ecs_cluster.that: {a: b}}}",
            ),
        ),
        (
            "a secret in clear text",
            file("build: .\n    environment: {DB_PASSWORD: hunter2}", ok),
        ),
        (
            "a password in a URL",
            file(
                "build: .\n    environment: {DB_URL: 'postgres://me:hunter2@db/x'}",
                ok,
            ),
        ),
        (
            "a secret that arrives otherwise",
            format!(
                "{}secrets: {{db: {{external: true}}}}\n",
                file("build: .\n    secrets: [db]", ok)
            ),
        ),
        (
            "no place on AWS",
            "name: shop\nservices: {web: {build: .}}\n".to_owned(),
        ),
    ];
    let mut all = String::new();
    for (name, text) in cases {
        let lines = said(&text, "staging");
        assert!(!lines.is_empty(), "{name}: nothing was said");
        all.push_str(&format!("{name}\n"));
        for line in lines {
            assert!(!line.contains("hunter2"), "{line}");
            all.push_str(&format!("  {line}\n"));
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn each_field_that_aws_refuses_or_has_no_effect_there_is_told() {
    let fields = [
        "privileged: true",
        "devices: ['/dev/a:/dev/a']",
        "network_mode: host",
        "network_mode: 'container:other'",
        "pid: host",
        "ipc: host",
        "cap_add: [NET_ADMIN]",
        "volumes: ['./a:/a']",
        "volumes: ['data:/a']",
        "volumes_from: [other]",
        "ports: ['80:8080']",
        "ports: ['8080:8080']",
        "ports: ['8081-8084:80']",
        "ports: ['127.0.0.1:8081-8084:80']",
        "ports: ['53:53/udp']",
        "container_name: one",
        "configs: [c]",
        "links: [other]",
        "hostname: h",
        "extra_hosts: ['a:1.2.3.4']",
        "dns: 1.1.1.1",
        "logging: {driver: syslog}",
        "ulimits: {nproc: 5}",
        "deploy: {update_config: {delay: 5s}}",
        "deploy: {placement: {preferences: [{spread: zone}]}}",
        "depends_on: [other]",
        "restart: always",
        "stop_signal: SIGINT",
    ];
    let mut all = String::new();
    for field in fields {
        let text = format!(
            "name: shop\nservices:\n  web:\n    build: .\n    {field}\n  other: {{build: .}}\nx-cais: {{aws: {{region: eu-west-1}}}}\nvolumes: {{data: {{}}}}\nconfigs: {{c: {{content: x}}}}\n"
        );
        let lines = said(&text, "staging");
        all.push_str(&format!("{field}\n"));
        for line in &lines {
            all.push_str(&format!("  {line}\n"));
        }
        if lines.is_empty() {
            all.push_str("  (honoured)\n");
        }
    }
    insta::assert_snapshot!(all);
}
