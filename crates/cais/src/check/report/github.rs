//! GitHub's workflow commands: a line each, shown beside the code of a pull request.

use super::super::finding::Severity;
use super::Report;

/// One line a finding. Values are escaped as the runner reads them (actions/toolkit, `command.ts`).
pub(crate) fn github(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mend = if finding.mend.is_empty() {
            String::new()
        } else {
            format!("\n{}", finding.mend)
        };
        text.push_str(&format!(
            "::{command} file={},line={},col={},title={}::{}\n",
            property(&finding.place.file),
            finding.place.line,
            finding.place.column.max(1),
            property(&format!("{} {}", finding.tool, finding.rule)),
            message(&format!("{}{mend}", finding.message)),
        ));
    }
    text
}

fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runner_would_read_as_its_own_is_escaped() {
        assert_eq!(message("100%\nnext"), "100%25%0Anext");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
