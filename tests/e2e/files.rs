//! Which files make the project: environments, overrides, variables that name files.

use crate::support::{Stack, eventually, golden};

const WEB: &str = "services:\n  web:\n    image: web:1\n    environment: {STAGE: none}\n";

fn over(stage: &str) -> String {
    format!("services:\n  web:\n    environment: {{STAGE: {stage}}}\n")
}

/// The stack of a laptop and of two environments.
fn stack() -> Stack {
    let stack = Stack::new(WEB);
    stack.write("compose.override.yaml", &over("laptop"));
    stack.write("compose.staging.yaml", &over("staging"));
    stack.write("compose.production.yml", &over("production"));
    stack
}

#[track_caller]
fn stage(stack: &Stack, words: &str) -> String {
    let config = stack.cais(&format!("{words} --json")).ok().json();
    let stage = &config["services"]["web"]["environment"]["STAGE"];
    stage.as_str().expect("a stage").to_owned()
}

#[test]
fn an_environment_is_its_file_over_the_compose_file_without_the_override() {
    let stack = stack();
    stack.write("more.yaml", "services:\n  web:\n    user: more\n");
    for (words, want) in [
        ("config", "laptop"),
        ("config -E local", "laptop"),
        ("-E staging config", "staging"),
        ("config --environment production", "production"),
        ("-f compose.yaml config", "none"),
        ("-f compose.yaml -f more.yaml config -E staging", "staging"),
        (
            "-f compose.yaml -f compose.staging.yaml -E staging config",
            "staging",
        ),
    ] {
        assert_eq!(stage(&stack, words), want, "{words}");
    }
}

#[test]
fn an_environment_that_is_not_there_is_answered_with_those_that_are() {
    let stack = stack();
    for (name, words) in [
        ("environment-misspelt", "config -E stagin"),
        ("environment-unknown", "-E qa config"),
        ("environment-of-standard-input", "-f - -E staging config"),
        ("environment-no-name", "config -E ../etc"),
        ("environment-elsewhere", "-E staging up -d"),
    ] {
        let ran = stack.cais(words).ended_with(2);
        golden::check(&format!("bad-input/{name}"), &stack, &ran);
    }
}

#[test]
fn composes_own_variables_count_from_the_environment_and_from_the_env_file() {
    let stack = Stack::new("services: {other: {image: x}}\n");
    stack.write(
        "base.yaml",
        "services:\n  web: {image: 'web:${TAG}'}\n  tool: {image: t, profiles: [tools]}\n",
    );
    stack.write("more.yaml", "services:\n  extra: {image: e}\n");
    stack.write(
        ".env",
        "COMPOSE_FILE=base.yaml,more.yaml\nCOMPOSE_PATH_SEPARATOR=,\nCOMPOSE_PROJECT_NAME=named\nCOMPOSE_PROFILES=tools\nTAG=1\n",
    );
    stack.write("one.env", "TAG=2\nCOMPOSE_FILE=base.yaml\n");
    stack.write("two.env", "TAG=3\n");
    let services = |words: &str| stack.cais(words).ok().stdout.replace('\n', " ");
    assert_eq!(services("config --services"), "extra tool web ");
    assert_eq!(services("--env-file one.env config --services"), "web ");
    let config = stack.cais("config --json").ok().json();
    assert_eq!(config["name"], "named");
    let config = stack.cais("--env-file one.env --env-file two.env config --json");
    assert_eq!(config.ok().json()["services"]["web"]["image"], "web:3");

    stack.machine.set("COMPOSE_ENV_FILES", "two.env,one.env");
    let config = stack.cais("config --json").ok().json();
    assert_eq!(config["services"]["web"]["image"], "web:2");
    stack.machine.set("COMPOSE_FILE", "more.yaml");
    assert_eq!(services("config --services"), "extra ");
    assert_eq!(services("-f compose.yaml config --services"), "other ");
    assert_eq!(
        services("-f base.yaml --profile * config --services"),
        "tool web "
    );
}

#[test]
fn the_default_env_file_can_be_disabled_and_named_ones_cannot() {
    const NAME: &str = "COMPOSE_DISABLE_ENV_FILE";
    let stack = Stack::new("services: {web: {image: 'web:${TAG:-none}'}}\n");
    stack.write(".env", "TAG=1\n");
    let image = |words: &str| {
        let config = stack.cais(words).ok().json();
        config["services"]["web"]["image"].to_string()
    };
    for (value, want) in [("", "web:1"), ("0", "web:1"), ("true", "web:none")] {
        stack.machine.set(NAME, value);
        assert_eq!(image("config --json"), format!("\"{want}\""), "{value}");
    }
    assert_eq!(image("--env-file .env config --json"), "\"web:1\"");
    stack.machine.set(NAME, "perhaps");
    let ran = stack.cais("config").ended_with(2);
    assert!(
        ran.stderr.contains("neither true nor false"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_file_that_cannot_be_taken_is_named() {
    let stack = Stack::new("services: {web: {extends: {file: oci://registry/base, service: a}}}\n");
    for (name, words) in [
        ("file-missing", "-f nope.yaml config"),
        ("file-is-a-folder", "-f . config"),
        ("file-elsewhere", "-f https://example.com/a.git config"),
        ("extends-elsewhere", "config"),
        (
            "env-file-missing",
            "-f compose.yaml --env-file nope.env config",
        ),
    ] {
        let ran = stack.cais(words).ended_with(2);
        golden::check(&format!("bad-input/{name}"), &stack, &ran);
    }
}

#[test]
fn remove_orphans_may_come_from_a_variable_and_an_empty_one_is_unset() {
    let two = "services:\n  web: {command: sleep 600}\n  old: {command: sleep 600}\n";
    let stack = Stack::new(two);
    stack.machine.set("COMPOSE_ANSI", "");
    stack.machine.set("COMPOSE_PROGRESS", "");
    stack.cais("up -d").ok();
    stack.compose("services:\n  web: {command: sleep 600}\n");
    let has_old = || stack.tasks().iter().any(|task| task.service == "old");
    stack.machine.set("COMPOSE_REMOVE_ORPHANS", "false");
    stack.cais("up -d web").ok();
    assert!(has_old());
    stack.machine.set("COMPOSE_REMOVE_ORPHANS", "1");
    stack.cais("up -d web").ok();
    eventually("the orphan is gone", || !has_old());
}
