//! What is wrong or worth saying about a file: where, what, and what to type next.

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
