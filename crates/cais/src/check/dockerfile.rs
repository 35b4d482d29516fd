//! What a Dockerfile's last stage ends with, as far as the rules ask: its user, its health check, and the image it stands on. Building is left to the builder.

/// The stage that an image is made of, with what it takes from the stages that it is based on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FinalStage {
    /// The last `USER`, as written.
    pub(crate) user: Option<String>,
    /// Has it a `HEALTHCHECK` other than `NONE`?
    pub(crate) has_health_check: bool,
    /// The image that the whole chain stands on; may hold variables.
    pub(crate) base: String,
}

#[derive(Debug, Clone, Default)]
struct Stage {
    name: String,
    result: FinalStage,
}

/// Reads a Dockerfile up to `target`, or to its end; `None` where it has no stage of that name, or none at all.
pub(crate) fn final_stage(text: &str, target: Option<&str>) -> Option<FinalStage> {
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in instructions(text) {
        let (word, rest) = instruction
            .split_once(char::is_whitespace)
            .unwrap_or((&instruction, ""));
        let rest = rest.trim();
        match (word.to_ascii_uppercase().as_str(), stages.last_mut()) {
            ("FROM", _) => {
                let stage = from(rest, &stages);
                stages.push(stage);
            }
            ("USER", Some(stage)) => stage.result.user = Some(rest.to_owned()),
            ("HEALTHCHECK", Some(stage)) => {
                stage.result.has_health_check = !rest.eq_ignore_ascii_case("none");
            }
            _ => {}
        }
    }
    let wanted = match target {
        Some(target) => stages
            .iter()
            .find(|stage| stage.name.eq_ignore_ascii_case(target)),
        None => stages.last(),
    };
    wanted.map(|stage| stage.result.clone())
}

/// `FROM [--platform=…] image [AS name]`.
fn from(rest: &str, stages: &[Stage]) -> Stage {
    let mut words = rest
        .split_whitespace()
        .filter(|word| !word.starts_with("--"));
    let image = words.next().unwrap_or_default();
    let name = match (words.next(), words.next()) {
        (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => name,
        _ => "",
    };
    let earlier = stages
        .iter()
        .find(|stage| !stage.name.is_empty() && stage.name.eq_ignore_ascii_case(image));
    let result = earlier.map_or_else(
        || FinalStage {
            base: image.to_owned(),
            ..FinalStage::default()
        },
        |stage| stage.result.clone(),
    );
    Stage {
        name: name.to_owned(),
        result,
    }
}

/// Instructions with their continued lines joined, without comments; what stands in a here-document is left out.
fn instructions(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    let mut document: Option<String> = None;
    for line in text.lines() {
        if let Some(end) = &document {
            if line.trim_start_matches('\t') == end {
                document = None;
            }
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        match found.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(part);
            }
            _ => found.push(part.to_owned()),
        }
        open = goes_on;
        if !open {
            document = found.last().and_then(|whole| here_document(whole));
        }
    }
    found
}

/// `RUN <<EOF` goes on to a line `EOF`.
fn here_document(instruction: &str) -> Option<String> {
    let (_, rest) = instruction.split_once("<<")?;
    let word = rest.trim_start_matches('-').split_whitespace().next()?;
    let word = word.trim_matches(['"', '\'']);
    let is_word = word
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_word && !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# syntax=docker/dockerfile:1
FROM node:22 AS base
USER node
FROM base as build
RUN <<EOF
USER root
EOF
RUN a \\
  # a comment inside
  && USER root
FROM --platform=linux/amd64 alpine:3.20
HEALTHCHECK CMD true
";

    #[test]
    fn the_last_stage_counts_or_the_one_that_is_asked_for() {
        let last = final_stage(TEXT, None).unwrap();
        assert_eq!((last.user, last.has_health_check), (None, true));
        assert_eq!(last.base, "alpine:3.20");
        let build = final_stage(TEXT, Some("build")).unwrap();
        assert_eq!(build.user.as_deref(), Some("node"));
        assert_eq!(build.base, "node:22");
        assert_eq!(final_stage(TEXT, Some("none")), None);
        assert_eq!(final_stage("", None), None);
    }
}
