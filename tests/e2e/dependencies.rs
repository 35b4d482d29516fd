//! `depends_on`: who waits for whom, and what dependents are told when it fails.

use crate::support::{Stack, eventually};

const CHAIN: &str = "services:
  web:
    command: [sh, -c, \"test -e migrated && echo web begins && exec sleep 600\"]
    depends_on:
      migrate: {condition: service_completed_successfully}
      cache: {condition: service_started}
  migrate:
    command: [sh, -c, \"test -e db.ready && touch migrated && echo migrated\"]
    restart: \"no\"
    depends_on:
      db: {condition: service_healthy}
  cache:
    command: sleep 600
  db:
    command: [sh, -c, \"sleep 0.3; touch db.ready; exec sleep 600\"]
    healthcheck:
      test: [CMD, test, -e, db.ready]
      interval: 1s
      start_period: 30s
      start_interval: 50ms
";

#[test]
fn each_condition_is_waited_for() {
    let stack = Stack::new(CHAIN);
    let up = stack.cais("up -d --wait").ok();
    assert!(
        up.stderr
            .contains("migrate: ran to its end with exit code 0"),
        "{}",
        up.stderr
    );
    // Each would have failed without what it waits for.
    stack.logs_have("web begins");
    assert_eq!(stack.healthy("web").len(), 1);
    let table = stack.cais("ps --all").ok().stdout;
    assert!(
        table
            .lines()
            .any(|line| line.contains("migrate") && line.contains("exit code 0")),
        "{table}"
    );
    // Dependents end before what they depend on, be it through others.
    let down = stack.cais("down").ok().stderr;
    let at = |told: &str| {
        let line = down.lines().position(|line| line.contains(told));
        line.unwrap_or_else(|| panic!("no `{told}`\n{down}"))
    };
    for needed in ["cache: task 1 stopping", "db: task 2 stopping"] {
        assert!(at("web: task 4 stopped") < at(needed), "{down}");
    }
}

#[test]
fn a_one_shot_that_fails_fails_its_dependents_with_the_reason() {
    let stack = Stack::new(
        "services:
  web:
    command: sleep 600
    depends_on:
      migrate: {condition: service_completed_successfully}
  migrate:
    command: [sh, -c, \"echo column exists already >&2; exit 9\"]
    restart: \"no\"
",
    );
    let up = stack.cais("up -d --wait").ended_with(1);
    for told in [
        "`migrate` failed: ",
        "exit code 9",
        "column exists already",
        "`web` failed: ",
    ] {
        assert!(up.stderr.contains(told), "{told}\n{}", up.stderr);
    }
    assert_eq!(
        stack.machine.is_clean(),
        Ok(()),
        "nothing of a first `up` that failed is left"
    );
}

#[test]
fn a_dependency_that_never_gets_healthy_fails_its_dependents_with_the_reason() {
    let stack = Stack::new(
        "services:
  web:
    command: sleep 600
    depends_on:
      db: {condition: service_healthy}
  db:
    command: sleep 600
    healthcheck:
      test: [CMD-SHELL, \"echo disk is full; exit 1\"]
      interval: 50ms
      retries: 1
    x-cais: {rollout: {breaker: {count: 1}}}
",
    );
    let up = stack.cais("up -d --wait").ended_with(1);
    for told in ["disk is full", "`web` failed: ", "`db` failed"] {
        assert!(up.stderr.contains(told), "{told}\n{}", up.stderr);
    }
}

#[test]
fn up_of_one_service_starts_what_it_depends_on_and_nothing_else() {
    let stack = Stack::new(CHAIN);
    stack.cais("up -d --wait migrate").ok();
    let services: std::collections::BTreeSet<String> =
        stack.tasks().into_iter().map(|task| task.service).collect();
    assert!(
        services.contains("db") && !services.contains("web") && !services.contains("cache"),
        "{services:?}"
    );
    // The rest joins later.
    stack.cais("up -d --wait").ok();
    eventually("all run", || {
        stack.healthy("web").len() == 1 && stack.healthy("cache").len() == 1
    });
}
