//! Whatever the input, the loader answers.

use crate::one;
use cais_model::fields::{Runtime, unsupported};
use cais_model::render;
use proptest::prelude::*;

/// A file of the words that Compose gives a meaning, in any order.
fn compose_like() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "services",
        "web",
        "image",
        "ports",
        "build",
        "x-cais",
        "route",
        "path",
        "extends",
        "include",
        "service",
        "file",
        "compose.yaml",
        "environment",
        "depends_on",
        "volumes",
        "a:/b",
        "80:80",
        "${A",
        "${A:-b}",
        "$$",
        "<<",
        "&a",
        "*a",
        "!reset",
        "!override",
        "null",
        "0440",
        "1e9",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        "'",
        "\"",
        "#",
        "|",
        "deploy",
        "replicas",
        "-1",
        "healthcheck",
        "test",
        "secrets",
        "networks",
        "default",
        "profiles",
        "command",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

fn answer(text: &str) {
    match one(text).try_load() {
        Ok(loaded) => {
            let _ = (
                loaded.tree.to_yaml(),
                loaded.tree.to_json(),
                unsupported(&loaded, Runtime::Process),
            );
        }
        Err(failed) => {
            assert!(
                failed
                    .diagnostics
                    .iter()
                    .any(|diagnostic| diagnostic.is_error()),
                "{text:?}"
            );
            for diagnostic in failed.diagnostics.iter().take(20) {
                assert!(render(diagnostic, &failed.files, false).ends_with('\n'));
            }
        }
    }
}

#[test]
fn long_chains_and_lists_are_answered() {
    let chain = |field: &str| {
        let mut text = String::from("services:\n");
        for index in 0..300 {
            text += &format!(
                "  s{index}: {{image: i, {field}: {}}}\n",
                field_value(field, index + 1)
            );
        }
        text + "  s300: {image: i}\n"
    };
    answer(&chain("depends_on"));
    answer(&chain("extends"));
    let items: String = (0..2_000)
        .map(|index| format!("      - c{index}\n"))
        .collect();
    answer(&format!(
        "services:\n  web:\n    image: i\n    cap_add:\n{items}"
    ));
    let keys: String = (0..500).map(|index| format!("    k{index}: 1\n")).collect();
    answer(&format!("services:\n  web:\n{keys}"));
    answer(
        "services: {web: {image: i, ports: ['1-500:1-500', '1-500:1-500', '1-500:1-500', '1-500']}}",
    );
}

fn field_value(field: &str, index: usize) -> String {
    if field == "extends" {
        format!("s{index}")
    } else {
        format!("[s{index}]")
    }
}

#[test]
fn copies_of_long_texts_are_bounded() {
    let long = "x".repeat(1 << 20);
    let copies = "*a,".repeat(2000);
    let errors = one(&format!("x-a: &a {long}\nx-b: [{copies}]\n")).errors();
    assert!(
        errors[0].contains("more than 100000 values"),
        "{}",
        errors[0].len()
    );
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "(.|\n){0,200}") {
        answer(&text);
    }

    #[test]
    fn compose_like_text_is_answered(text in compose_like()) {
        answer(&text);
    }

    #[test]
    fn a_service_of_any_fields_is_answered(fields in compose_like()) {
        answer(&format!("services:\n  web:\n    image: i\n    {fields}\n"));
    }

    /// A short form of what `fuzz/run` does for longer, in each run of the tests.
    #[test]
    fn an_env_file_of_any_characters_is_answered(text in "[A-C${}:?+='\"\\\\# \n]{0,120}") {
        let mut lookup = |name: &str| (name == "A").then(|| "x".to_owned());
        let _ = cais_model::dotenv::parse(&text, &mut lookup);
        let _ = cais_model::dotenv::parse_raw(&text);
    }

    #[test]
    fn a_value_with_variables_of_any_form_is_answered(value in "[A-C${}:?+=/ -]{0,120}") {
        answer(&format!("services:\n  web:\n    image: i\n    hostname: '{value}'\n"));
    }

    #[test]
    fn an_x_cais_block_of_any_fields_is_answered(fields in compose_like(), value in "[a-z0-9%/.$-]{0,12}") {
        let keys = ["process", "route", "health", "rollout", "scale", "alarms", "aws", "cache", "image"];
        for key in keys {
            answer(&format!("services:\n  web:\n    image: i\n    x-cais: {{{key}: {value}}}\n"));
        }
        answer(&format!("services:\n  web:\n    image: i\n    x-cais:\n      {fields}\n"));
    }
}
