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
            for diagnostic in &failed.diagnostics {
                assert!(render(diagnostic, &failed.files, false).ends_with('\n'));
            }
        }
    }
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
}
