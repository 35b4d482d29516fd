//! What a Dockerfile says about its image: the port, and the folder that it is built in.

use super::place::Place;
use std::path::Path;

const NAME: &str = "Dockerfile";

/// A folder's Dockerfile.
#[derive(Debug, PartialEq)]
pub(super) struct Dockerfile {
    /// Relative to the project's folder, beginning with a dot.
    pub(super) context: String,
    /// Relative to the context, where it is not `Dockerfile`.
    pub(super) file: Option<String>,
    /// The first that it exposes.
    pub(super) port: Option<u16>,
}

impl Dockerfile {
    pub(super) fn of(place: &Place<'_>) -> Option<Self> {
        let text = place.read(NAME)?;
        let mut dockerfile = Self::missing(place);
        // One that copies what stands beside the project's own files is built in the project's folder.
        if !place.is_root()
            && sources(&text).any(|source| {
                !place.folder().join(&source).exists() && place.root.join(source).exists()
            })
        {
            dockerfile.file = Some(place.at.join(NAME).display().to_string());
            dockerfile.context = ".".to_owned();
        }
        dockerfile.port = exposed(&text);
        Some(dockerfile)
    }

    /// How one would be built, if there were one.
    pub(super) fn missing(place: &Place<'_>) -> Self {
        let context = if place.is_root() {
            ".".to_owned()
        } else {
            Path::new(".").join(&place.at).display().to_string()
        };
        Self {
            context,
            file: None,
            port: None,
        }
    }
}

/// Instructions with what follows them, lines joined that a backslash continues.
fn instructions(text: &str) -> impl Iterator<Item = (String, String)> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines: Vec<_> = joined
        .lines()
        .filter_map(|line| {
            let (word, rest) = line.trim().split_once(char::is_whitespace)?;
            Some((word.to_ascii_uppercase(), rest.trim().to_owned()))
        })
        .collect();
    lines.into_iter()
}

/// What it copies from its context: no patterns, no addresses, nothing of other stages.
fn sources(text: &str) -> impl Iterator<Item = String> {
    instructions(text)
        .filter(|(word, rest)| {
            matches!(word.as_str(), "COPY" | "ADD")
                && !rest.contains("--from=")
                && !rest.contains("<<")
        })
        .flat_map(|(_, rest)| {
            let mut words: Vec<String> = rest
                .trim_matches(['[', ']'])
                .split(|c: char| c.is_whitespace() || c == ',')
                .map(|word| word.trim_matches('"').trim_start_matches('/').to_owned())
                .filter(|word| !word.is_empty() && !word.starts_with("--"))
                .collect();
            words.pop();
            words
        })
        .filter(|word| !word.contains(['*', '?', '$']) && !word.contains("://"))
}

fn exposed(text: &str) -> Option<u16> {
    instructions(text).find_map(|(word, ports)| {
        let port = ports.split_whitespace().next()?.split('/').next()?;
        (word == "EXPOSE").then(|| port.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn its_port_is_the_first_that_it_exposes() {
        for (text, want) in [
            ("FROM x\nexpose 3000/tcp 9000\n", Some(3000)),
            ("FROM x\n# EXPOSE 1\nEXPOSE $PORT\nEXPOSE 81\n", Some(81)),
            ("FROM x\nRUN y \\\n  EXPOSE 5\n", None),
        ] {
            assert_eq!(exposed(text), want, "{text}");
        }
    }

    #[test]
    fn it_is_built_where_what_it_copies_stands() {
        let root = tempfile::tempdir().unwrap();
        let at = PathBuf::from("apps/clock");
        std::fs::create_dir_all(root.path().join("apps/clock/src")).unwrap();
        std::fs::write(root.path().join("Cargo.lock"), "").unwrap();
        let place = Place {
            root: root.path(),
            at,
        };
        for (text, context) in [
            ("COPY src .\n", "./apps/clock"),
            ("COPY --chown=1 Cargo.lock src ./\n", "."),
            ("COPY --from=build Cargo.lock ./\n", "./apps/clock"),
            ("COPY [\"Cargo.lock\", \"./\"]\n", "."),
            ("ADD https://example.com/x *.lock /\n", "./apps/clock"),
            ("COPY apps \\\n  .\n", "."),
        ] {
            std::fs::write(place.folder().join(NAME), text).unwrap();
            assert_eq!(Dockerfile::of(&place).unwrap().context, context, "{text}");
        }
    }
}
