//! The name of an image, as `image:` writes it: registry, repository, tag, digest. Decides what is a valid name and
//! which names move (`latest`); where the image is, it does not know.

use std::fmt;

/// A name such as `ghcr.io/acme/clock:1.4` or `redis@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Registry and repository as written: `redis`, `ghcr.io/acme/clock`, `localhost:5000/app`.
    pub(crate) name: String,
    pub(crate) tag: Option<String>,
    /// `sha256:…`
    pub(crate) digest: Option<String>,
}

/// Why a name means another image tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moving {
    /// It has neither tag nor digest, and registries read that as `latest`.
    NoTag,
    /// Its tag is `latest`.
    Latest,
}

impl fmt::Display for Moving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTag => "has no tag, which means `latest`",
            Self::Latest => "has the tag `latest`",
        })
    }
}

/// A name that no registry takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceError {
    #[error("`{0}` is not the name of an image")]
    Empty(String),
    #[error("`{0}` has capitals, and the name of an image is in lower case")]
    Capitals(String),
    #[error("`{0}` has `{1}`, and the name of an image is made of a-z, 0-9, `.`, `_`, `-` and `/`")]
    Character(String, char),
    #[error(
        "`{0}` is not a tag: at most 128 of a-z, A-Z, 0-9, `.`, `_`, `-`, and neither `.` nor `-` first"
    )]
    Tag(String),
    #[error("`{0}` is not a digest: `sha256:` and 64 hexadecimal digits")]
    Digest(String),
}

impl Reference {
    /// Reads a name by the grammar of `distribution/reference`.
    pub(crate) fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash is a port's.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        check_name(name, text)?;
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return Err(ReferenceError::Digest(digest.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The same repository under another tag.
    pub(crate) fn tagged(&self, tag: &str) -> Self {
        Self {
            name: self.name.clone(),
            tag: Some(tag.to_owned()),
            digest: None,
        }
    }

    /// Why it may mean another image tomorrow; `None` for one that has a digest or a tag of its own.
    pub(crate) fn moving(&self) -> Option<Moving> {
        match (&self.digest, self.tag.as_deref()) {
            (Some(_), _) => None,
            (None, None) => Some(Moving::NoTag),
            (None, Some("latest")) => Some(Moving::Latest),
            (None, Some(_)) => None,
        }
    }

    /// The registry's host, with its port; Docker Hub's where the name has none.
    pub(crate) fn registry(&self) -> &str {
        self.split().0
    }

    /// The path within the registry; Docker Hub's own images are under `library/`.
    pub(crate) fn repository(&self) -> String {
        match self.split() {
            (DOCKER_HUB, path) if !path.contains('/') => format!("library/{path}"),
            (_, path) => path.to_owned(),
        }
    }

    fn split(&self) -> (&str, &str) {
        match self.name.split_once('/') {
            Some(("docker.io" | "index.docker.io", path)) => (DOCKER_HUB, path),
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DOCKER_HUB, &self.name),
        }
    }
}

/// The registry of names without one.
pub(crate) const DOCKER_HUB: &str = "docker.io";

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Is the first part a registry's host? Docker's rule: it has a dot or a port, or is `localhost`.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

fn check_name(name: &str, whole: &str) -> Result<(), ReferenceError> {
    let path = match name.split_once('/') {
        Some((host, path)) if is_host(host) => path,
        _ => name,
    };
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts = || path.split('/');
    if path.is_empty() || parts().any(str::is_empty) {
        return Err(ReferenceError::Empty(whole.to_owned()));
    }
    if path.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(ReferenceError::Capitals(whole.to_owned()));
    }
    if let Some(strange) = path.chars().find(|c| !is_word(*c) && !"._-/".contains(*c)) {
        return Err(ReferenceError::Character(whole.to_owned(), strange));
    }
    let stands_between = |part: &str| part.starts_with(is_word) && part.ends_with(is_word);
    if !parts().all(stands_between) {
        return Err(ReferenceError::Empty(whole.to_owned()));
    }
    Ok(())
}

/// Is it a tag that registries take?
pub(crate) fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

/// Is it a sha256 digest?
pub(crate) fn is_digest(text: &str) -> bool {
    let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_as_docker_does() {
        let hex = "a".repeat(64);
        let digest = format!("sha256:{hex}");
        let cases = [
            ("redis", "docker.io", "library/redis", None, None),
            ("redis:7.4", "docker.io", "library/redis", Some("7.4"), None),
            ("acme/app", "docker.io", "acme/app", None, None),
            (
                "docker.io/redis:7",
                "docker.io",
                "library/redis",
                Some("7"),
                None,
            ),
            (
                "ghcr.io/acme/app:v1.2-rc",
                "ghcr.io",
                "acme/app",
                Some("v1.2-rc"),
                None,
            ),
            ("localhost/app", "localhost", "app", None, None),
            ("localhost:5000/app", "localhost:5000", "app", None, None),
            (
                "127.0.0.1:5000/a/b:c",
                "127.0.0.1:5000",
                "a/b",
                Some("c"),
                None,
            ),
            (
                &format!("redis@{digest}"),
                "docker.io",
                "library/redis",
                None,
                Some(digest.as_str()),
            ),
            (
                &format!("redis:7@{digest}"),
                "docker.io",
                "library/redis",
                Some("7"),
                Some(digest.as_str()),
            ),
        ];
        for (text, registry, repository, tag, digest) in cases {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.registry(), registry, "{text}");
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.tag.as_deref(), tag, "{text}");
            assert_eq!(reference.digest.as_deref(), digest, "{text}");
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn a_name_that_no_registry_takes_is_refused() {
        let cases = [
            ("", "`` is not the name of an image"),
            ("acme//app", "`acme//app` is not the name of an image"),
            ("-app", "`-app` is not the name of an image"),
            (
                "Acme/app",
                "`Acme/app` has capitals, and the name of an image is in lower case",
            ),
            (
                "my app",
                "`my app` has ` `, and the name of an image is made of a-z, 0-9, `.`, `_`, `-` and `/`",
            ),
            (
                "app:-x",
                "`-x` is not a tag: at most 128 of a-z, A-Z, 0-9, `.`, `_`, `-`, and neither `.` nor `-` first",
            ),
            (
                "app@sha256:12",
                "`sha256:12` is not a digest: `sha256:` and 64 hexadecimal digits",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Reference::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_name_moves_without_a_tag_and_with_latest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let cases = [
            ("redis".to_owned(), Some(Moving::NoTag)),
            ("localhost:5000/redis".to_owned(), Some(Moving::NoTag)),
            ("redis:latest".to_owned(), Some(Moving::Latest)),
            (format!("redis:latest@{digest}"), None),
            (format!("redis@{digest}"), None),
            ("redis:7".to_owned(), None),
            ("redis:latest-alpine".to_owned(), None),
        ];
        for (text, want) in cases {
            assert_eq!(Reference::parse(&text).unwrap().moving(), want, "{text}");
        }
    }
}
