//! The short form of `volumes`: `[source:]target[:options]` (Compose Specification, "Volumes").

/// Why a text is no volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VolumeError {
    /// Nothing at all.
    #[error("a volume cannot be empty")]
    Empty,
    /// Nothing between two colons, or before the first.
    #[error("`{0}` has an empty part between colons")]
    EmptyPart(String),
    /// More than source, target and options.
    #[error("`{0}` has too many colons")]
    TooManyColons(String),
}

/// A volume in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeSpec<'a> {
    /// A path or the name of a volume; `None` is anonymous.
    pub(crate) source: Option<&'a str>,
    /// Path in the container.
    pub(crate) target: &'a str,
    /// `ro`, `nocopy`, `z`, …; unknown ones are left to the runtime, as Compose leaves them.
    pub(crate) options: Vec<&'a str>,
}

/// Reads the short form.
///
/// # Errors
/// See [`VolumeError`].
pub(crate) fn parse(text: &str) -> Result<VolumeSpec<'_>, VolumeError> {
    if text.is_empty() {
        return Err(VolumeError::Empty);
    }
    // Compose takes a text of one or two characters as a path whatever it is.
    if text.len() <= 2 {
        return Ok(VolumeSpec {
            source: None,
            target: text,
            options: Vec::new(),
        });
    }
    let parts = split(text);
    if parts.iter().any(|part| part.is_empty()) {
        return Err(VolumeError::EmptyPart(text.to_owned()));
    }
    match parts.as_slice() {
        [target] => Ok(VolumeSpec {
            source: None,
            target,
            options: Vec::new(),
        }),
        [source, target] => Ok(VolumeSpec {
            source: Some(source),
            target,
            options: Vec::new(),
        }),
        [source, target, options] => Ok(VolumeSpec {
            source: Some(source),
            target,
            options: options.split(',').collect(),
        }),
        _ => Err(VolumeError::TooManyColons(text.to_owned())),
    }
}

/// Is the source a path, rather than the name of a volume?
pub(crate) fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~']) || source.starts_with(r"\\") || starts_with_drive(source)
}

/// Splits at colons, except the one after a Windows drive letter.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, _) in text.match_indices(':') {
        let part = &text[start..index];
        let is_drive = part.len() == 1 && part.bytes().all(|c| c.is_ascii_alphabetic());
        if !is_drive {
            parts.push(part);
            start = index + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

fn starts_with_drive(source: &str) -> bool {
    matches!(source.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read() {
        let shown = |text| match parse(text) {
            Ok(spec) => format!(
                "{} > {} {}",
                spec.source.unwrap_or("-"),
                spec.target,
                spec.options.join("+")
            ),
            Err(error) => format!("error: {error}"),
        };
        for (text, want) in [
            ("/data", "- > /data "),
            ("data:/data", "data > /data "),
            ("./a:/b:ro,z", "./a > /b ro+z"),
            (r"C:\x:D:\y:ro", r"C:\x > D:\y ro"),
            ("", "error: a volume cannot be empty"),
            (":/data", "error: `:/data` has an empty part between colons"),
            ("a:/b:", "error: `a:/b:` has an empty part between colons"),
            (
                "name:xx:/b:ro",
                "error: `name:xx:/b:ro` has too many colons",
            ),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn paths_are_told_from_names() {
        for (source, want) in [
            ("./a", true),
            ("/a", true),
            ("~/a", true),
            (r"C:\a", true),
            ("data", false),
            ("a/b", false),
        ] {
            assert_eq!(is_path(source), want, "{source}");
        }
    }
}
