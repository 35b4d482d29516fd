//! What a deploy or a rollback came to: for people, for programs, for the page of a pipeline's run; and its exit code.

use super::Target;
use super::plan::Move;
use super::show;
use super::wave::Done;
use crate::cli::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::outcome::{self, Verdict};
use cais_aws::service::{Service, family_revision};
use cais_model::name::ServiceName;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;

/// Version of the JSON below.
const SCHEMA: u32 = 1;

/// The whole.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    schema: u32,
    project: String,
    environment: String,
    account: String,
    region: String,
    services: Vec<Row>,
}

/// One service.
#[derive(Debug, Serialize)]
struct Row {
    service: ServiceName,
    /// `family:revision` before.
    from: String,
    /// `family:revision` that was asked for.
    to: Option<String>,
    image: Option<String>,
    /// The service deployment's ARN.
    deployment: Option<String>,
    /// As `completed`, `rolled back`, `unchanged`, `under way`, `not begun`.
    result: String,
    reason: String,
    seconds: f32,
    #[serde(skip)]
    outcome: Option<outcome::Outcome>,
}

impl Summary {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            schema: SCHEMA,
            project: target.project.name().to_owned(),
            environment: target.environment.clone(),
            account: target.identity.account.clone(),
            region: target.session.region().to_owned(),
            services: Vec::new(),
        }
    }

    pub(super) fn unchanged(&mut self, service: &ServiceName, live: &Service) {
        self.services.push(Row {
            service: service.clone(),
            from: family_revision(&live.definition).to_owned(),
            to: None,
            image: None,
            deployment: None,
            result: "unchanged".to_owned(),
            reason: String::new(),
            seconds: 0.0,
            outcome: None,
        });
    }

    pub(super) fn not_begun(&mut self, one: &Move) {
        self.services.push(Row {
            service: one.service.clone(),
            from: one.from().to_owned(),
            to: None,
            image: one.image.clone(),
            deployment: None,
            result: "not begun".to_owned(),
            reason: "it depends on what did not complete".to_owned(),
            seconds: 0.0,
            outcome: None,
        });
    }

    pub(super) fn done(&mut self, one: &Done) {
        let outcome = one.outcome.as_ref();
        self.services.push(Row {
            service: one.moved.service.clone(),
            from: one.moved.from().to_owned(),
            to: Some(family_revision(&one.definition).to_owned()),
            image: one.moved.image.clone(),
            deployment: Some(one.deployment.clone()),
            result: outcome
                .map_or("under way", outcome::Outcome::word)
                .to_owned(),
            reason: outcome.map(outcome::Outcome::reason).unwrap_or_default(),
            seconds: one.took.as_secs_f32(),
            outcome: one.outcome.clone(),
        });
    }

    /// The exit code, as a failure with what to type next.
    pub(super) fn judge(&self, target: &Target) -> Outcome {
        let outcomes: Vec<_> = self
            .services
            .iter()
            .filter_map(|row| row.outcome.as_ref())
            .collect();
        let verdict = outcome::verdict(outcomes);
        let sentence = self
            .services
            .iter()
            .filter(|row| row.outcome.as_ref().is_some_and(|o| o.verdict() == verdict))
            .map(|row| format!("`{}` {}: {}", row.service, row.result, row.reason))
            .collect::<Vec<_>>()
            .join("; ");
        let environment = &target.environment;
        let first = self
            .services
            .iter()
            .find(|row| row.outcome.as_ref().is_some_and(|o| o.verdict() == verdict))
            .map_or("", |row| row.service.as_str());
        match verdict {
            Verdict::Completed => Ok(()),
            Verdict::RolledBack => Err(Failure::new(Exit::RolledBack, sentence).help(format!(
                "more of its log: `cais logs -E {environment} {first}`; its story: `cais status -E {environment} {first}`"
            ))),
            Verdict::TimedOut => Err(Failure::new(Exit::TimedOut, sentence)
                .help(format!("see how it goes on: `cais status -E {environment} {first}`"))),
            Verdict::Superseded => Err(Failure::new(Exit::Error, sentence)
                .help(format!("see what runs now: `cais status -E {environment} {first}`"))),
            Verdict::Failed => Err(Failure::new(Exit::Error, sentence).help(format!(
                "see what runs now: `cais status -E {environment} {first}`; go back by hand: `cais rollback -E {environment} {first}`"
            ))),
        }
    }

    /// For the page of a pipeline's run.
    fn markdown(&self) -> String {
        let mut text = format!(
            "### {} in {}\n\nAccount {}, {}\n\n| service | from | to | result | took | why |\n|---|---|---|---|---|---|\n",
            self.project, self.environment, self.account, self.region
        );
        for row in &self.services {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {:.0} s | {} |",
                row.service,
                row.from,
                row.to.as_deref().unwrap_or(""),
                row.result,
                row.seconds,
                row.reason.replace('|', "\\|").replace('\n', " "),
            );
        }
        text
    }
}

/// To the terminal or as JSON, and to the page of the pipeline's run where there is one.
pub(super) fn print(global: &Global, target: &Target, summary: &Summary) -> Outcome {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let written = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(summary.markdown().as_bytes()));
        if let Err(error) = written {
            output::note(&format!(
                "the summary for the run's page was not written to `{}`: {error}",
                path.display()
            ));
        }
    }
    let calls: u32 = target.session.calls().values().sum();
    if global.json() {
        let mut value = serde_json::to_value(summary)
            .map_err(|error| Failure::new(Exit::Error, format!("cannot print as JSON: {error}")))?;
        // Attempts counted.
        value["calls"] = serde_json::Value::from(calls);
        return output::print_json(&value);
    }
    for row in &summary.services {
        let word = match &row.outcome {
            Some(outcome) => {
                let styled = show::ended(outcome);
                // The reason is the failure's sentence; here the word is enough.
                styled.split(':').next().unwrap_or(&styled).to_owned()
            }
            None => row.result.clone(),
        };
        let to = row.to.as_deref().unwrap_or(&row.from);
        let took = if row.seconds > 0.0 {
            format!("{:.0} s", row.seconds)
        } else {
            String::new()
        };
        let line = format!("{:<14} {word:<18} {to:<34} {took}", row.service);
        output::print(line.trim_end())?;
    }
    Ok(())
}
