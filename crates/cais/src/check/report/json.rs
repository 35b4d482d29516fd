//! Findings for programs: one object, its form numbered.

use super::Report;
use serde_json::{Value, json};

/// The whole report.
pub(crate) fn json(report: &Report) -> Value {
    json!({
        "version": 1,
        "environment": report.environment,
        "findings": report.findings,
        "ignored": report.ignored,
        "tools": report.tools,
    })
}
