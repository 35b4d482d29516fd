//! Stacks that are built otherwise than the example: what each renders to is read like code.

use crate::stack;
use cais_cloud::files::Files;
use std::fmt::Write as _;

const AWS: &str = "x-cais: {aws: {region: eu-west-1, domain: example.com}}\n";

/// A job that runs by the clock.
const REPORT: &str = "services: {report: {build: ., x-cais: {aws: {schedule: 'cron(0 3 * * ? *)', permissions: [{actions: ['s3:PutObject'], resources: ['arn:aws:s3:::reports/*']}]}}}}\n";

/// Somebody who is told.
const TOLD: &str = "x-cais: {notify: {ops: {email: ops@example.com}}, aws: {region: eu-west-1, domain: example.com}}\n";

/// What it renders to, with somebody who is told of its failures.
pub(crate) fn scheduled() -> Files {
    render(&format!("name: shop\n{REPORT}{TOLD}"))
}

fn render(text: &str) -> Files {
    let loaded = stack(text);
    let infrastructure = cais_cloud::lower(&loaded.stack, "staging").unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    });
    cais_cloud::terraform(&infrastructure)
}

/// The roots of a stack, one file after the other.
fn roots(text: &str) -> String {
    let mut out = String::new();
    for (path, text) in render(text) {
        let is_root = path.starts_with("staging/") && path.ends_with(".tf");
        let is_said_elsewhere = path.ends_with("versions.tf") || path.ends_with("outputs.tf");
        if is_root && !is_said_elsewhere {
            let _ = writeln!(out, "==> {path}\n{text}");
        }
    }
    out
}

macro_rules! golden {
    ($($claim:ident: $text:expr;)*) => {$(
        #[test]
        fn $claim() {
            insta::assert_snapshot!(roots(&format!("name: shop\n{}{AWS}", $text)));
        }
    )*};
}

golden! {
    without_redis_there_is_no_cache: "services: {web: {build: ., x-cais: {route: {path: /}}}}\n";
    two_routes_of_a_service_have_a_rule_each:
        "services: {web: {build: ., x-cais: {route: [{path: /}, {path: /api, host: api.example.com}]}}}\n";
    a_worker_without_a_port_has_no_target_group: "services: {worker: {build: ., command: work}}\n";
    a_scheduled_job_has_a_schedule_and_no_service:
        REPORT;
    a_migration_is_a_task_that_nothing_keeps:
        "services: {migrate: {build: ., command: migrate, secrets: [db]}, web: {build: ., expose: ['80'], depends_on: {migrate: {condition: service_completed_successfully}}}}\nsecrets: {db: {external: true}}\n";
}

#[test]
fn the_failed_runs_of_a_job_are_told_to_every_channel() {
    let files = scheduled();
    let report = &files["staging/services/report.tf"];
    let (_, told) = report.split_once("module \"report_failures\"").unwrap();
    insta::assert_snapshot!(told);
    insta::assert_snapshot!(files["modules/job_failures/main.tf"]);
}

/// An alarm of the file's own by that name is its author's answer to failures.
#[test]
fn an_alarm_of_the_files_own_takes_the_place_of_the_one_on_failed_runs() {
    let own = REPORT.replace(
        "x-cais: {aws",
        "x-cais: {alarms: {failures: {metric: log_matches, pattern: ERROR, above: 0}}, aws",
    );
    assert_ne!(own, REPORT);
    let files = render(&format!("name: shop\n{own}{TOLD}"));
    let report = &files["staging/services/report.tf"];
    assert_eq!(
        report.matches("module \"report_failures_alarm\"").count(),
        1,
        "{report}"
    );
    assert!(!files.contains_key("modules/job_failures/main.tf"));
    assert!(!files.contains_key("modules/watched_schedule/main.tf"));
}

/// Two services of the stack's own and somebody else's, with images in a private registry of GitHub's.
const ELSEWHERE: &str = "name: shop
services: {web: {build: ., x-cais: {route: {path: /}}}, worker: {image: 'ghcr.io/other/worker:1.2.3'}, cron: {image: 'busybox:1.36.1'}}
x-cais: {aws: {region: eu-west-1, github: {repository: acme/shop},
  registry: {repository: 'ghcr.io/acme/shop/{service}', credentials: registry}}}\n";

#[test]
fn images_of_another_registry_are_pulled_with_a_secret_and_have_no_repository() {
    insta::assert_snapshot!(roots(ELSEWHERE));
    let files = render(ELSEWHERE);
    assert!(!files.keys().any(|path| path.contains("modules/registry")));
    assert!(!files.values().any(|text| text.contains("ecr:")));
    let readme = &files["staging/README.md"];
    assert!(readme.contains("docker login ghcr.io"), "{readme}");
    assert!(readme.contains("-var image_tag=\"$TAG\""), "{readme}");
}

/// ECS knows Docker Hub's images without its host; public images need no secret.
#[test]
fn an_image_of_docker_hub_is_named_as_ecs_names_it() {
    let text = ELSEWHERE.replace(
        "ghcr.io/acme/shop/{service}', credentials: registry",
        "docker.io/acme/shop-{service}'",
    );
    let roots = roots(&text);
    assert!(
        roots.contains("\"acme/shop-web:${var.image_tag}\""),
        "{roots}"
    );
    assert!(!roots.contains("repositoryCredentials"), "{roots}");
}

#[test]
fn without_a_domain_http_is_all_there_is() {
    insta::assert_snapshot!(roots(
        "name: shop\nservices: {web: {build: ., x-cais: {route: {path: /}}}}\nx-cais: {aws: {region: eu-west-1}}\n"
    ));
}

#[test]
fn a_place_that_is_there_is_named_instead_of_made() {
    let text = "name: shop\nservices: {web: {build: ., x-cais: {route: {path: /}}}}
x-cais: {aws: {region: eu-west-1, vpc: vpc-1, subnets: {public: [subnet-1, subnet-2], private: [subnet-3, subnet-4]},
  load_balancer: shared, domain: shop.example.com, certificate: 'arn:aws:acm:eu-west-1:123456789012:certificate/1', account: '123456789012'}}\n";
    let files = render(text);
    assert!(!files.contains_key("modules/network/main.tf"));
    assert!(!files.contains_key("modules/load_balancer/main.tf"));
    insta::assert_snapshot!(roots(text));
}

#[test]
fn an_override_is_merged_last_into_a_module_of_the_environment() {
    let text = "name: shop\nservices: {web: {build: ., expose: ['80']}}
x-cais: {aws: {region: eu-west-1, overrides: {cluster.aws_ecs_cluster.this: {tags: {team: web}, setting: {value: disabled}}}}}\n";
    let files = render(text);
    let main = &files["modules/cluster_staging/main.tf"];
    assert!(main.contains("tags = { team = \"web\" }"), "{main}");
    assert!(main.contains("value = \"disabled\""), "{main}");
    assert!(files["staging/services/main.tf"].contains("../../modules/cluster_staging"));
}

/// A hundred services, half of them behind the load balancer.
fn hundred() -> String {
    let mut text = String::from("name: shop\nservices:\n");
    for number in 0..100 {
        let reach = if number % 2 == 0 {
            format!("x-cais: {{route: {{path: /s{number}}}, scale: {{max: 4, cpu: 60%}}}}")
        } else {
            "expose: ['8080']".to_owned()
        };
        let _ = writeln!(text, "  s{number}: {{build: ., {reach}}}");
    }
    text + AWS
}

#[test]
fn a_stack_of_a_hundred_services_renders() {
    let loaded = stack(&hundred());
    let started = std::time::Instant::now();
    let infrastructure = cais_cloud::lower(&loaded.stack, "staging").unwrap();
    let files = cais_cloud::terraform(&infrastructure);
    println!(
        "100 services: {} instances, {} files, {:?}",
        infrastructure.services.instances.len() + infrastructure.foundation.instances.len(),
        files.len(),
        started.elapsed()
    );
    let of_services = files
        .keys()
        .filter(|path| path.starts_with("staging/services/s"))
        .count();
    assert_eq!(of_services, 100);
}
