//! What a check says: a finding, how grave it is, and how the three kinds of environment are told apart.

use cais_model::diagnostic::Position;
use serde::Serialize;

/// How grave a finding is, least first; SARIF's and GitHub's three levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Worth knowing
    Note,
    /// A reviewer would ask for a change
    Warning,
    /// Must not reach production
    Error,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What kind of environment a stack is checked for: the same line may be right on a laptop and wrong behind a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// `local`.
    Local,
    /// A named environment.
    Named,
    /// A named environment whose users are not its makers: `production` and its short forms.
    Production,
}

impl Tier {
    pub(crate) fn of(environment: &str) -> Self {
        match environment {
            "local" => Self::Local,
            "production" | "prod" | "live" => Self::Production,
            _ => Self::Named,
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// `CAIS101`, or the id that the outside tool gave it.
    pub(crate) rule: String,
    /// `cais`, or the outside tool's name.
    pub(crate) tool: &'static str,
    pub(crate) severity: Severity,
    /// A lowercase fragment; never the value of a secret.
    pub(crate) message: String,
    /// Why it matters; empty where the tool does not say.
    pub(crate) why: String,
    /// What to type instead; empty where the tool does not say.
    pub(crate) mend: String,
    /// Services that it is about; several where they share the line by an anchor.
    pub(crate) services: Vec<String>,
    #[serde(flatten)]
    pub(crate) place: Place,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The file as the user named it; a tool's is relative to the project.
    pub(crate) file: String,
    /// 1-based.
    pub(crate) line: u32,
    /// 1-based, in characters.
    pub(crate) column: u32,
    /// Characters to underline; at least 1.
    #[serde(skip)]
    pub(crate) width: u32,
    /// The line holds a secret: from this column on it is never shown.
    #[serde(skip)]
    pub(crate) secret_from: Option<Cut>,
}

/// Where on a line a secret begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// At the place itself.
    Here,
    /// After the first `=` behind the place: `- NAME=value`.
    AfterEquals,
}

impl Place {
    pub(crate) fn of(position: &Position, width: u32) -> Self {
        Self {
            file: position.file.display().to_string(),
            line: position.line,
            column: position.column,
            width: width.max(1),
            secret_from: None,
        }
    }

    /// A place in a file that only an outside tool has read.
    pub(crate) fn line(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line: line.max(1),
            column: column.max(1),
            width: 1,
            secret_from: None,
        }
    }
}
