//! What is wrong or worth saying about a file: where, what, and what to type next. Printing is [`render`](crate::render())'s.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A place in a file. Lines and columns count from 1; columns are in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file as the user named it; `-` is standard input.
    pub file: Arc<PathBuf>,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// Something will not have the effect that its author may expect.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Lowercase fragment; offending values in backticks.
    pub message: String,
    /// Where; `None` only for what has no place in a file (no file found).
    pub position: Option<Position>,
    /// Characters to underline at `position`; at least 1.
    pub width: u32,
    /// What to type or change next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(position: &Position, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            position: Some(position.clone()),
            width: 1,
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(position: &Position, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(position, message)
        }
    }

    /// An error that has no place in a file.
    pub fn error_without_place(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            position: None,
            width: 1,
            help: None,
        }
    }

    /// The same with `help`.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, underlining `width` characters.
    #[must_use]
    pub fn with_width(mut self, width: u32) -> Self {
        self.width = width.max(1);
        self
    }

    /// Is it an error?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line, as compilers print it: `compose.yaml:3:5: error: …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}
