//! The machine that an image is for, in OCI's words: `linux/amd64`, `linux/arm64`, `linux/arm/v7`.

use std::fmt;

/// Operating system, architecture and variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// Reads `linux/arm64`; an architecture alone is Linux's. Other spellings of an architecture are taken.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (first, second, third) = (parts.next()?, parts.next(), parts.next());
        let (os, architecture) = match second {
            Some(architecture) => (first, architecture),
            None => ("linux", first),
        };
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        };
        if parts.next().is_some() || ![os, architecture].into_iter().chain(third).all(is_word) {
            return None;
        }
        let architecture = match architecture {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "x86" => "386",
            other => other,
        };
        Some(Self {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_ascii_lowercase(),
            // arm64 has no other in use.
            variant: third
                .filter(|v| !(architecture == "arm64" && *v == "v8"))
                .map(str::to_owned),
        })
    }

    /// Linux on this machine's processor: what an image for a local engine is built for.
    pub(crate) fn of_this_machine() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_read_in_its_spellings() {
        let cases = [
            ("linux/amd64", Some("linux/amd64")),
            ("linux/x86_64", Some("linux/amd64")),
            ("arm64", Some("linux/arm64")),
            ("linux/aarch64", Some("linux/arm64")),
            ("linux/arm64/v8", Some("linux/arm64")),
            ("linux/arm/v7", Some("linux/arm/v7")),
            ("linux/", None),
            ("linux/a/b/c", None),
            ("", None),
            ("linux amd64", None),
        ];
        for (text, want) in cases {
            let read = Platform::parse(text).map(|platform| platform.to_string());
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }
}
