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
    let route = service.route.unwrap();
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
            "{scale: {min: 3, max: 2}}",
            "1:44: error: `min` is 3 and `max` is 2",
        ),
        (
            "{cache: {ttl: 10}}",
            "1:50: error: `10` is not a duration: write it like `1m30s`, `10s` or `500ms`",
        ),
        (
            "{scale: {requests: fast}}",
            "1:55: error: `fast` is not a rate: write it like `500/s`",
        ),
        (
            "{alarms: {e: {metric: m}}}",
            "1:49: error: alarm `e` needs one of `above` and `below`",
        ),
        (
            "{alarms: {e: {metric: m, above: x}}}",
            "1:68: error: `x` is not a number, a percentage or a duration",
        ),
        (
            "{alarms: {e: {metric: m, above: 1, datapoints: 5 of 3}}}",
            "1:83: error: `5 of 3` is not a number of datapoints: write it like `3 of 5`",
        ),
        (
            "{alarms: {e: {metric: m, above: 1, missing: breching}}}",
            "1:80: error: `breching` is no way to treat missing data (did you mean `breaching`?)",
        ),
        (
            "{alarms: {errors: {above: 1%}}}",
            "1:54: error: alarm `errors` needs a `metric`",
        ),
    ] {
        assert_eq!(web(&format!("x-cais: {block}")).errors(), [want], "{block}");
    }
}
