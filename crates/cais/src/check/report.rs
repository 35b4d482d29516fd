//! How findings leave: as text with source lines, JSON, SARIF, or GitHub's annotations. All pure: text out, nobody prints here.

mod github;
mod json;
mod sarif;
mod text;

use super::finding::{Finding, Place, Severity};
use super::tools::ToolRun;

pub(crate) use github::github;
pub(crate) use json::json;
pub(crate) use sarif::sarif;
pub(crate) use text::{Texts, finding_text, summary};

/// Everything that a report tells.
pub(crate) struct Report {
    pub(crate) environment: String,
    /// By file and line.
    pub(crate) findings: Vec<Finding>,
    pub(crate) ignored: usize,
    /// Outside tools that had something to look at here.
    pub(crate) tools: Vec<ToolRun>,
    /// Lines that hold secrets.
    pub(crate) secrets: Vec<Place>,
}

impl Report {
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}
