//! Bad releases: they must be rolled back soon, said to be rolled back, and cost nobody a request.

use super::site::Site;
use super::stack::{App, Stack};
use super::table::{Table, seconds};
use super::{Setting, counted, deploy, list_failures, with_folder};
use crate::report::Report;
use anyhow::ensure;
use std::time::Duration;

/// The exit code of a deploy that was rolled back.
pub const ROLLED_BACK: i32 = 3;
/// A rollback should take no longer.
pub const TARGET: Duration = Duration::from_secs(10);

/// A way to be bad.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// For the table.
    pub name: &'static str,
    /// What makes it bad.
    pub variables: &'static [(&'static str, &'static str)],
    /// The health check, for good and bad releases.
    pub health: &'static str,
    /// `x-cais.rollout`.
    pub rollout: Option<&'static str>,
}

impl Case {
    /// The good app that the bad release is deployed over.
    pub(super) fn app(&self, replicas: u32) -> App {
        let mut app = App::sound(replicas);
        app.health = Some(self.health);
        app.rollout = self.rollout;
        app
    }
}

/// Exits at once, never turns healthy, turns healthy and dies.
pub const CASES: [Case; 3] = [
    Case {
        name: "exits at once",
        variables: &[("EXIT_AFTER_MS", "0"), ("EXIT_CODE", "7")],
        health: super::stack::HEALTH,
        rollout: None,
    },
    Case {
        name: "never healthy",
        variables: &[("NEVER_HEALTHY", "1")],
        health: "{ path: /healthz, interval: 500ms, timeout: 1s, retries: 2, start_period: 1s }",
        rollout: None,
    },
    Case {
        name: "healthy, dies after 500 ms (monitor 2 s)",
        variables: &[("EXIT_AFTER_MS", "500"), ("EXIT_CODE", "9")],
        health: super::stack::HEALTH,
        rollout: Some("{ monitor: 2s }"),
    },
];

/// What one bad release came to.
#[derive(Debug)]
pub struct Outcome {
    /// Every request.
    pub report: Report,
    /// The command's exit code.
    pub code: i32,
    /// What it said last.
    pub said: String,
    /// From the command to its end.
    pub took: Duration,
    /// Are exactly the good tasks left?
    pub restored: bool,
}

/// Deploys a bad release over `replicas` good tasks.
///
/// # Errors
/// When the scenario itself cannot be played.
pub fn run(setting: &Setting, case: &Case, replicas: u32) -> anyhow::Result<Outcome> {
    let mut stack = Stack::up(&setting.programs, case.app(replicas))?;
    let result = roll(setting, &mut stack, case);
    with_folder(&mut stack, result)
}

/// Deploys the bad release over the good tasks of `site`.
pub(super) fn roll(setting: &Setting, site: &mut dyn Site, case: &Case) -> anyhow::Result<Outcome> {
    let load = setting.load(site)?;
    site.edit(case.variables)?;
    let change = deploy(site, &load)?;
    std::thread::sleep(Duration::from_secs(1));
    let running: Vec<String> = site
        .processes()
        .into_iter()
        .map(|process| process.revision)
        .collect();
    let replicas = site.app().replicas as usize;
    let report = load.stop();
    ensure!(!report.samples().is_empty(), "nothing was sent");
    Ok(Outcome {
        report,
        code: change.ended.code(),
        said: change.ended.last_line().to_owned(),
        took: change.ended.took,
        restored: running == vec!["r1".to_owned(); replicas],
    })
}

/// All cases with 3 replicas and with 1.
///
/// # Errors
/// When a scenario cannot be played; what went wrong with cais is in the table.
pub fn table(setting: &Setting) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Bad releases: rolled back",
        &[
            "release",
            "replicas",
            "exit code",
            "rollback s (target 10)",
            "good tasks back",
            "sent",
            "failed",
            "of them idempotent, no answer begun",
        ],
    );
    for case in &CASES {
        for replicas in [3, 1] {
            let outcome = run(setting, case, replicas)?;
            let retryable = outcome.report.total().failed_retryable;
            let mut row = vec![
                case.name.to_owned(),
                replicas.to_string(),
                outcome.code.to_string(),
                seconds(outcome.took),
                if outcome.restored { "yes" } else { "no" }.to_owned(),
            ];
            row.extend(counted(&outcome.report));
            row.push(retryable.to_string());
            table.row(row);
            table
                .notes
                .push(format!("{}, {replicas}: `{}`", case.name, outcome.said));
            if outcome.report.total().failed > 0 {
                table.notes.push(list_failures(outcome.report.failures()));
            }
        }
    }
    Ok(table)
}
