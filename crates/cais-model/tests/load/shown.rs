//! How diagnostics and trees are shown.

use crate::one;
use cais_model::render;

fn shown(text: &str) -> String {
    let failed = one(text).try_load().expect_err("it is wrong");
    failed
        .diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, &failed.files, false))
        .collect()
}

#[test]
fn a_diagnostic_shows_its_line_and_what_to_do() {
    assert_eq!(
        shown("services:\n  web:\n    image: i\n    prots: ['80:80']\n"),
        "error: unknown key `prots` in services.web
 --> compose.yaml:4:5
  |
4 |     prots: ['80:80']
  |     ^^^^^
  |
  = help: did you mean `ports`?
"
    );
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let text = shown("services: {web: {image: i, labels: {é: ü}, stop_grace_period: né}}\n");
    assert!(text.contains("compose.yaml:1:63\n"), "{text}");
    let (source, marks) = text.lines().nth(3).zip(text.lines().nth(4)).unwrap();
    let column =
        |line: &str, mark: &str| line.split(mark).next().map(|before| before.chars().count());
    assert_eq!(column(source, "né"), column(marks, "^^"), "{text}");
}

#[test]
fn a_place_at_the_end_of_a_file_is_shown() {
    for text in [
        "services: {web: {image: 'x",
        "services:\n  web: [",
        "a: b\n\tc: d\n",
        "",
    ] {
        assert!(
            shown(text).contains("--> compose.yaml:"),
            "{text:?}: {}",
            shown(text)
        );
    }
}

#[test]
fn a_tree_prints_as_one_canonical_text() {
    let loaded = one(
        "services: {web: {ports: ['80:80'], image: 'a:1', healthcheck: {test: x, retries: '2'}}}\n",
    )
    .load();
    assert_eq!(
        loaded.tree.to_yaml(),
        "name: project
services:
  web:
    healthcheck:
      retries: 2
      test:
        - CMD-SHELL
        - x
    image: a:1
    ports:
      - mode: ingress
        protocol: tcp
        published: \"80\"
        target: 80
"
    );
}
