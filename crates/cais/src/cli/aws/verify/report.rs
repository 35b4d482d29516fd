//! What `cais verify` tells: lines by subject, each passed, failed or unknown, with what to do.

use crate::cli::aws::Target;
use crate::cli::{Global, output};
use crate::exit::Outcome;
use cais_aws::sdk::{Error, Kind};
use serde::Serialize;

/// How one question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli::aws) enum Answer {
    Passed,
    Failed,
    /// It could not be asked; a deploy may work all the same.
    Unknown,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    subject: String,
    question: String,
    answer: Answer,
    detail: String,
    help: Option<String>,
}

/// The lines so far.
#[derive(Default)]
pub(in crate::cli::aws) struct Report(Vec<Line>);

impl Report {
    pub(in crate::cli::aws) fn passed(
        &mut self,
        subject: &str,
        question: &str,
        detail: impl Into<String>,
    ) {
        self.push(subject, question, Answer::Passed, detail.into(), None);
    }

    pub(in crate::cli::aws) fn failed(
        &mut self,
        subject: &str,
        question: &str,
        detail: impl Into<String>,
        help: String,
    ) {
        self.push(subject, question, Answer::Failed, detail.into(), Some(help));
    }

    /// AWS's no: what may not be asked is unknown, anything else failed.
    pub(in crate::cli::aws) fn error(&mut self, subject: &str, question: &str, error: &Error) {
        let answer = match error.kind {
            Kind::Denied | Kind::Throttled | Kind::Unreachable => Answer::Unknown,
            Kind::Credentials | Kind::NotFound | Kind::Conflict | Kind::Invalid => Answer::Failed,
        };
        self.push(subject, question, answer, error.to_string(), error.help());
    }

    pub(in crate::cli::aws) fn push(
        &mut self,
        subject: &str,
        question: &str,
        answer: Answer,
        detail: String,
        help: Option<String>,
    ) {
        self.0.push(Line {
            subject: subject.to_owned(),
            question: question.to_owned(),
            answer,
            detail,
            help,
        });
    }

    pub(super) fn failures(&self) -> usize {
        self.0
            .iter()
            .filter(|line| line.answer == Answer::Failed)
            .count()
    }
}

/// All lines, under their subjects.
pub(super) fn print(global: &Global, target: &Target, report: &Report) -> Outcome {
    if global.json() {
        return output::print_json(&report.0);
    }
    target.show(global);
    let mut subject = "";
    for line in &report.0 {
        if line.subject != subject {
            subject = &line.subject;
            output::print(&format!("{bold}{subject}{bold:#}", bold = output::BOLD))?;
        }
        let (mark, style) = match line.answer {
            Answer::Passed => ("✓", output::GREEN),
            Answer::Failed => ("✗", output::RED),
            Answer::Unknown => ("?", output::YELLOW),
        };
        output::print(&format!(
            "  {style}{mark}{style:#} {:<16} {}",
            line.question, line.detail
        ))?;
        if let Some(help) = &line.help {
            output::print(&format!("    {dim}{help}{dim:#}", dim = output::DIM))?;
        }
    }
    Ok(())
}
