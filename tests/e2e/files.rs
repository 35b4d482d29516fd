//! Which files make the project: environments, overrides, variables that name files.

use crate::support::{Stack, golden};

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
