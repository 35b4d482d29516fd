//! Names that cannot be wrong: parsed once at the border, carried as types from there on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a name was refused; a lowercase fragment that fits after "invalid … name".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text was empty.
    #[error("a {0} name cannot be empty")]
    Empty(&'static str),
    /// A character that the kind of name does not allow.
    #[error("`{name}` cannot be a {kind} name: {rule}")]
    Refused {
        /// What was being named: "service", "project".
        kind: &'static str,
        /// The text as it was given.
        name: String,
        /// The rule in words.
        rule: &'static str,
    },
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $first:expr, $rest:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses a name.
            ///
            /// # Errors
            /// When the text is empty or has a character outside the rule.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let first: fn(char) -> bool = $first;
                let rest: fn(char) -> bool = $rest;
                let mut chars = text.chars();
                match chars.next() {
                    None => Err(NameError::Empty($kind)),
                    Some(c) if first(c) && chars.all(rest) => Ok(Self(text.to_owned())),
                    Some(_) => Err(NameError::Refused { kind: $kind, name: text.to_owned(), rule: $rule }),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The name of an entry under `services:` (Compose Specification: `^[a-zA-Z0-9._-]+$`).
    ServiceName, "service",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
    "letters, digits, `.`, `_` and `-` only"
);

name_type!(
    /// The name of a Compose project (Compose Specification: `^[a-z0-9][a-z0-9_-]*$`).
    ProjectName, "project",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
    "lowercase letters, digits, `_` and `-`, beginning with a letter or a digit"
);

name_type!(
    /// The name of an environment: it is part of a file's name and of names in the cloud.
    EnvironmentName, "environment",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
    "lowercase letters, digits, `_` and `-`, beginning with a letter or a digit"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for good in ["web", "web-1", "a.b_c", "9"] {
            assert!(ServiceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "é", "a/b"] {
            assert!(ServiceName::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "Web", "_web", "-web", "a.b"] {
            assert!(ProjectName::parse(bad).is_err(), "{bad}");
            assert!(EnvironmentName::parse(bad).is_err(), "{bad}");
        }
    }
}
