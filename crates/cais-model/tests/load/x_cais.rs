//! The `x-cais` block.

use crate::{one, web};
use cais_model::stack::{Percent, Strategy, Threshold};
use std::time::Duration;

#[test]
fn the_block_is_typed() {
    let service = web(
        "x-cais: {process: {build: make, command: '${DIR:-target}/clock --now', optional: true}, \
         route: {path: /clock/, host: Clock.example.com}, health: {path: /healthz, ready: /readyz, interval: 500ms, retries: 2}, \
         rollout: {strategy: rolling, minimum_healthy: 50%, maximum: 150, breaker: {unbounded_percent: 20%, reset_on_healthy: false}, \
         monitor: 1s, deregistration_delay: 5s, progress_deadline: 2m}}, scale: 2",
    )
    .service();
    let process = service.process.unwrap();
    assert_eq!(process.command.unwrap(), ["target/clock", "--now"]);
    assert!(process.optional);
    let [route] = service.routes.as_slice() else {
        panic!("{:?}", service.routes)
    };
    assert_eq!(
        (route.host.as_deref(), route.path.as_str()),
        (Some("clock.example.com"), "/clock")
    );
    let health = service.health.unwrap();
    assert_eq!(health.ready.as_deref(), Some("/readyz"));
    assert_eq!(
        (health.timing.interval, health.timing.retries),
        (Duration::from_millis(500), 2)
    );
    assert_eq!(health.timing.start_interval, Duration::from_millis(100));
    let rollout = service.rollout.unwrap();
    assert_eq!(rollout.strategy, Strategy::Rolling);
    assert_eq!(
        (rollout.minimum_healthy, rollout.maximum),
        (Percent(50), Percent(150))
    );
    assert_eq!(
        (rollout.breaker, rollout.reset_on_healthy),
        (Threshold::UnboundedPercent(20), false)
    );
    assert_eq!(rollout.monitor, Some(Duration::from_secs(1)));
    assert_eq!(rollout.progress_deadline, Duration::from_secs(120));
}

#[test]
fn the_top_level_block_says_where_to_listen() {
    let listen = |text: &str| {
        one(&format!("services: {{web: {{image: i}}}}\n{text}"))
            .load()
            .stack
            .listen
            .to_string()
    };
    assert_eq!(listen(""), "127.0.0.1:8080");
    assert_eq!(listen("x-cais: {listen: '0.0.0.0:80'}"), "0.0.0.0:80");
    assert_eq!(
        one("x-cais: {listen: 8080, lisen: 1}").errors(),
        [
            "1:18: error: `8080` is not an address (write it like `127.0.0.1:8080`)",
            "1:24: error: unknown key `lisen` in x-cais (did you mean `listen`?)",
        ]
    );
}

#[test]
fn secrets_can_be_generated() {
    let loaded = one("services: {web: {image: i}}\nsecrets: {a: {file: a, x-cais: {generate: true}}, b: {file: b}}").load();
    assert!(loaded.stack.secrets["a"].generate && !loaded.stack.secrets["b"].generate);
    assert_eq!(
        one(
            "services: {web: {image: i}}\nsecrets: {a: {environment: A, x-cais: {generate: true}}}"
        )
        .errors(),
        ["2:39: error: `generate` of `a` writes a file, and it has none: give it `file:`"]
    );
}

#[test]
fn what_is_wrong_in_it_is_said_with_its_place() {
    for (block, want) in [
        (
            "{helth: {}}",
            "1:37: error: unknown key `helth` in x-cais (did you mean `health`?)",
        ),
        (
            "{process: run}",
            "1:46: error: `process` must be a mapping, and it is a string",
        ),
        (
            "{process: {command: ''}}",
            "1:56: error: `command` must be a text with closed quotes or a list of words, and not empty",
        ),
        (
            "{route: {}}",
            "1:44: error: a route needs a `path` or a `host`",
        ),
        (
            "{route: {path: clock}}",
            "1:51: error: `clock` is not a path (it begins with `/` and has no query: `/clock`)",
        ),
        (
            "{route: {host: 'http://a'}}",
            "1:51: error: `http://a` is not a host name (write the name alone, like `clock.example.com`, without scheme, port or path)",
        ),
        (
            "{health: {interval: fast}}",
            "1:56: error: `fast` is not a duration: write it like `1m30s`, `10s` or `500ms`",
        ),
        (
            "{rollout: {minimum_healthy: 120%}}",
            "1:64: error: `120%` is not a whole percentage from 0% to 100%",
        ),
        (
            "{rollout: {maximum: 50%}}",
            "1:56: error: `50%` is not a whole percentage from 100% to 1000%",
        ),
        (
            "{rollout: {strategy: blue_green}}",
            "1:57: error: `blue_green` is no strategy (did you mean `blue-green`?)",
        ),
        (
            "{rollout: {breaker: {count: 0}}}",
            "1:64: error: a breaker counts at least 1 failure",
        ),
        (
            "{rollout: {breaker: {count: 1, percent: 5}}}",
            "1:56: error: a breaker has one of `count`, `percent` and `unbounded_percent`",
        ),
        (
            "{scale: {min: 3, max: 2, cpu: 60%}}",
            "1:44: error: `min` is 3 and `max` is 2",
        ),
        (
            "{cache: {ttl: 10}}",
            "1:50: error: `10` is not a duration: write it like `1m30s`, `10s` or `500ms`",
        ),
        (
            "{scale: {max: 2, requests: fast}}",
            "1:63: error: `fast` is not a rate: write it like `500/s`",
        ),
        (
            "{alarms: {e: {metric: errors}}}",
            "1:49: error: alarm `e` needs one of `above` and `below`",
        ),
        (
            "{alarms: {e: {metric: errors, above: x}}}",
            "1:73: error: `x` is not a number, like `100`",
        ),
        (
            "{alarms: {e: {metric: cpu, above: 1, datapoints: 5 of 3}}}",
            "1:85: error: `5 of 3` is not a number of datapoints: write it like `3 of 5`",
        ),
        (
            "{alarms: {e: {metric: cpu, above: 1, missing: breching}}}",
            "1:82: error: `breching` is no way to treat missing data (did you mean `breaching`?)",
        ),
        (
            "{scale: {max: 2}}",
            "1:44: error: `scale` has nothing to go by (give it `cpu: 60%`, `memory: 70%` or `requests: 500/s`, the average to keep)",
        ),
        (
            "{scale: {min: 2, cpu: 60%}}",
            "1:44: error: `scale` needs a `max` (write the most tasks you would pay for: `scale: {min: 2, max: 10, cpu: 60%}`)",
        ),
        (
            "{alarms: {e: {metric: eror_rate, above: 1%}}}",
            "1:58: error: `eror_rate` is no metric (did you mean `error_rate`?)",
        ),
        (
            "{alarms: {e: {metric: error_rate, above: 250ms}}}",
            "1:77: error: `250ms` is not a share from 0% to 100%, like `1%`",
        ),
        (
            "{alarms: {e: {metric: latency_p99, above: 1%}}}",
            "1:78: error: `1%` is not a duration, like `250ms`",
        ),
        (
            "{alarms: {e: {metric: log_matches, above: 1}}}",
            "1:58: error: `log_matches` needs a `pattern`, like `{ $.level = \"error\" }`",
        ),
        (
            "{aws: {cpu: lots}}",
            "1:48: error: `lots` is no amount of CPU: write units (`256`) or vCPUs (`0.25`)",
        ),
        (
            "{aws: {memory: 512}}",
            "1:51: error: `512` is less than a megabyte: write it with its unit, like `512m`",
        ),
        (
            "{aws: {architecture: riscv}}",
            "1:57: error: `riscv` is no architecture of Fargate: write `x86_64` or `arm64`",
        ),
        (
            "{aws: {permissions: [{actions: ['*'], resources: [a]}]}}",
            "1:67: error: `*` in `actions` allows everything; name them",
        ),
        (
            "{aws: {schedule: hourly}}",
            "1:53: error: `hourly` is no schedule (write `rate(5 minutes)`, or `cron(0 3 * * ? *)` for each day at 03:00 UTC (minutes, hours, day of month, month, day of week, year))",
        ),
        (
            "{aws: {managed: rds}}",
            "1:52: error: `rds` is nothing that AWS runs here: write `elasticache`",
        ),
        (
            "{aws: {managed: elasticache, node_type: t4g.small}}",
            "1:76: error: `t4g.small` is no node type: they begin with `cache.`, like `cache.t4g.small`",
        ),
        (
            "{aws: {multi_az: true}}",
            "1:53: error: `multi_az` belongs to `managed: elasticache`",
        ),
        (
            "{alarms: {errors: {above: 1%}}}",
            "1:54: error: alarm `errors` needs a `metric`",
        ),
    ] {
        assert_eq!(web(&format!("x-cais: {block}")).errors(), [want], "{block}");
    }
}

#[test]
fn a_service_may_have_several_routes() {
    let loaded = web("x-cais: {route: [{path: /a}, {host: b.example.com}]}").load();
    let routes: Vec<String> = loaded
        .stack
        .services
        .values()
        .next()
        .unwrap()
        .routes
        .iter()
        .map(|route| {
            format!(
                "{}{}",
                route.host.as_deref().unwrap_or_default(),
                route.path
            )
        })
        .collect();
    assert_eq!(routes, ["/a", "b.example.com/"]);
}

#[test]
fn a_place_on_aws_is_read() {
    let loaded = crate::one(
        "services: {}
x-cais:
  notify: {ops: {email: ops@example.com}}
  aws:
    region: sa-east-1
    account: '012345678901'
    domain: shop.example.com
    subnets: {public: [subnet-1], private: [subnet-2]}
    nat: per_zone
    deletion_protection: false
    log_retention: 30
    github: {repository: acme/shop, repository_id: 1}
    overrides: {cluster.aws_ecs_cluster.this: {tags: {a: b}}}
",
    )
    .load();
    let cloud = &loaded.stack.cloud;
    let aws = cloud.aws.as_ref().unwrap();
    assert_eq!(
        cloud.notify["ops"].email.as_deref(),
        Some("ops@example.com")
    );
    assert_eq!(aws.account.as_ref().unwrap().value, "012345678901");
    assert_eq!(aws.nat, cais_model::stack::Nat::PerZone);
    assert!(!aws.deletion_protection);
    assert_eq!(aws.log_retention.as_ref().unwrap().value, 30);
    assert_eq!(aws.private_subnets[0].position.line, 8);
    assert_eq!(aws.overrides[0].attributes["tags"]["a"], "b");
}

#[test]
fn what_is_wrong_in_a_place_on_aws_is_said_with_its_place() {
    for (block, want) in [
        (
            "{nat: two}",
            "1:36: error: `two` is no way to place NAT gateways (write `single`, `per_zone` or `none`)",
        ),
        (
            "{regin: x}",
            "1:31: error: unknown key `regin` in aws (did you mean `region`?)",
        ),
        (
            "{account: 123}",
            "1:40: error: `123` is not an account: it has twelve digits (write it in quotes, so that a leading zero stays)",
        ),
        (
            "{waf: mine}",
            "1:36: error: `mine` is not an ARN: it begins with `arn:`",
        ),
        (
            "{github: {repository: shop}}",
            "1:52: error: `shop` is not a repository (write it like `owner/name`)",
        ),
        (
            "{log_retention: 8}",
            "1:46: error: CloudWatch does not keep logs for `8` days (it keeps them for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 days)",
        ),
    ] {
        let file = format!("{{services: {{}}, x-cais: {{aws: {block}}}}}");
        let errors = crate::one(&file).errors();
        assert_eq!(errors, [want], "{block}");
    }
}

/// Each wrong in its own way.
#[test]
fn a_registry_is_a_place_and_a_secret() {
    let load = |registry: &str| {
        one(&format!(
            "services: {{web: {{image: i}}}}\nx-cais: {{aws: {{region: eu-west-1, registry: {registry}}}}}"
        ))
    };
    let loaded = load("{repository: 'ghcr.io/acme/shop', credentials: pull}").load();
    let registry = loaded.stack.cloud.aws.unwrap().registry.unwrap();
    assert_eq!(registry.host(), "ghcr.io");
    assert_eq!(registry.image_of("web"), "ghcr.io/acme/shop/web");
    assert_eq!(registry.credentials.unwrap().value, "pull");
    for (written, image) in [
        ("docker.io/acme/shop-{service}", "acme/shop-web"),
        ("localhost:5000/{service}", "localhost:5000/web"),
    ] {
        let loaded = load(&format!("{{repository: '{written}'}}")).load();
        let registry = loaded.stack.cloud.aws.unwrap().registry.unwrap();
        assert_eq!(registry.image_of("web"), image);
    }
    let errors: Vec<String> = [
        "{}",
        "{repository: acme/shop}",
        "{repository: ghcr.io}",
        "{repository: 'docker.io/{service}'}",
        "{repository: 'ghcr.io/Acme/shop'}",
        "{repository: 'ghcr.io/acme/shop:1'}",
        "{repository: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop'}",
        "{repository: ghcr.io/acme, credentials: 'a b'}",
        "{repository: ghcr.io/acme, credential: pull}",
    ]
    .into_iter()
    .flat_map(|registry| load(registry).errors())
    .collect();
    let place = "(write registry and path without a tag, as in `ghcr.io/acme/{service}` or `docker.io/acme/{service}`)";
    assert_eq!(
        errors,
        [
            "2:45: error: `registry` needs a `repository`, like `ghcr.io/acme/{service}`".to_owned(),
            format!("2:58: error: `acme/shop` names no registry {place}"),
            format!("2:58: error: `ghcr.io` names no registry {place}"),
            format!("2:58: error: `docker.io/{{service}}` names nobody's repository on Docker Hub {place}"),
            format!("2:58: error: `ghcr.io/Acme/shop` is not a repository {place}"),
            format!("2:58: error: `ghcr.io/acme/shop:1` is not a repository {place}"),
            "2:58: error: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop` is on ECR, which is where images go anyhow \
             (leave `registry` out: each environment has repositories of its own on ECR)"
                .to_owned(),
            "2:85: error: `a b` is no name of a secret (a name has letters, digits, `-`, `_` and `.`; its value is set by \
             `cais secret set -E ENVIRONMENT NAME`)"
                .to_owned(),
            "2:72: error: unknown key `credential` in registry (did you mean `credentials`?)".to_owned(),
        ]
    );
}
