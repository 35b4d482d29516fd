//! What a Dockerfile's text says without being run: where its instructions begin, and which registries it needs.

use super::super::reference::Reference;

/// The line (from 1) on which the n-th instruction of a Dockerfile begins.
pub(super) fn line_of(dockerfile: &str, number: usize) -> Option<usize> {
    instructions(dockerfile)
        .nth(number.checked_sub(1)?)
        .map(|(line, _)| line)
}

/// Each instruction with the line that it begins on. A comment within a continued instruction belongs to it.
pub(super) fn instructions(dockerfile: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut continued = false;
    dockerfile
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                return None;
            }
            let begins = !continued;
            continued = text.ends_with('\\');
            begins.then_some((index + 1, text))
        })
}

/// The registries of a Dockerfile's base images, as far as its text names them.
pub(super) fn base_registries(dockerfile: &str) -> Vec<String> {
    let from = instructions(dockerfile).filter_map(|(_, text)| {
        let (word, rest) = text.split_once(char::is_whitespace)?;
        let image = rest
            .split_whitespace()
            .find(|word| !word.starts_with("--"))?;
        (word.eq_ignore_ascii_case("from") && image != "scratch").then_some(image)
    });
    let mut registries: Vec<String> = from
        .filter_map(|image| Reference::parse(image).ok())
        .map(|reference| reference.registry().to_owned())
        .collect();
    registries.sort();
    registries.dedup();
    registries
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "# syntax=docker/dockerfile:1\nARG A=1\n\nFROM ghcr.io/acme/base:1 AS build\nRUN a && \\\n  # why\n    b\nFROM --platform=linux/amd64 redis:7\nFROM scratch\nFROM build\nCOPY x /\n";

    #[test]
    fn an_instruction_is_found_by_its_number() {
        let lines: Vec<_> = (1..=8).map(|number| line_of(DOCKERFILE, number)).collect();
        assert_eq!(
            lines,
            [
                Some(2),
                Some(4),
                Some(5),
                Some(8),
                Some(9),
                Some(10),
                Some(11),
                None
            ]
        );
    }

    #[test]
    fn logins_are_looked_up_for_the_registries_of_base_images() {
        assert_eq!(base_registries(DOCKERFILE), ["docker.io", "ghcr.io"]);
    }
}
