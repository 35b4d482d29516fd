//! SARIF 2.1.0, as GitHub's code scanning takes it: one run a tool.

use super::super::finding::{Finding, Severity};
use super::super::rules;
use super::Report;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The whole report.
pub(crate) fn sarif(report: &Report) -> Value {
    let mut tools: Vec<&str> = vec!["cais"];
    for finding in &report.findings {
        if !tools.contains(&finding.tool) {
            tools.push(finding.tool);
        }
    }
    let runs: Vec<Value> = tools.into_iter().map(|tool| run(tool, report)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    })
}

fn run(tool: &str, report: &Report) -> Value {
    let findings: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.tool == tool)
        .collect();
    let rules: Vec<Value> = if tool == "cais" {
        rules::RULES.iter().map(own_rule).collect()
    } else {
        let ids: BTreeSet<&str> = findings
            .iter()
            .map(|finding| finding.rule.as_str())
            .collect();
        ids.into_iter().map(|id| json!({ "id": id })).collect()
    };
    let mut driver = json!({ "name": tool, "rules": rules });
    if tool == "cais" {
        driver["semanticVersion"] = env!("CARGO_PKG_VERSION").into();
    }
    json!({
        "tool": { "driver": driver },
        // Two checks of one commit, for two environments, stay apart.
        "automationDetails": { "id": format!("{tool}/{}/", report.environment) },
        "columnKind": "unicodeCodePoints",
        "results": findings.into_iter().map(result).collect::<Vec<_>>(),
    })
}

fn own_rule(rule: &rules::Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": { "text": rule.name },
        "fullDescription": { "text": rule.why },
        "help": { "text": format!("{} {}", rule.why, rule.mend) },
        "defaultConfiguration": { "level": rule.production.map_or("none", level) },
    })
}

fn level(severity: Severity) -> &'static str {
    severity.word()
}

fn result(finding: &Finding) -> Value {
    json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.place.file) },
                "region": {
                    "startLine": finding.place.line.max(1),
                    "startColumn": finding.place.column.max(1),
                },
            },
        }],
    })
}

/// A path as a URI reference (RFC 3986, section 4.1).
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
