//! Good releases, one after the other: nothing may be lost, and each must be there soon.

use super::site::Site;
use super::stack::{App, HEALTH, Stack};
use super::table::{Table, median_and_worst};
use super::{Setting, Times, counted, deploy, list_failures, with_folder};
use crate::report::Report;
use anyhow::ensure;
use std::time::Duration;

/// An app and how it is rolled out.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// For the table.
    pub name: &'static str,
    /// How long a task takes to listen.
    pub start_ms: u32,
    /// Has it a health check?
    pub check: bool,
    /// Does it finish what it has when it is told to stop?
    pub graceful: bool,
    /// A rollout should take no longer.
    pub target: Duration,
}

impl Case {
    /// The app, three times.
    pub(super) fn app(&self) -> App {
        let mut app = App::sound(3).with("START_DELAY_MS", self.start_ms);
        app.health = self.check.then_some(HEALTH);
        if self.graceful {
            app.grace = "30s";
            app = app.with("GRACEFUL", 1);
        }
        app
    }
}

/// The app that starts at once and the one that needs two seconds, each with a health check and with a route alone.
pub const CASES: [Case; 4] = [
    Case {
        name: "instant app, health check",
        start_ms: 0,
        check: true,
        graceful: false,
        target: Duration::from_secs(2),
    },
    Case {
        name: "instant app, no health check",
        start_ms: 0,
        check: false,
        graceful: false,
        target: Duration::from_secs(2),
    },
    Case {
        name: "2 s to start, health check",
        start_ms: 2000,
        check: true,
        graceful: false,
        target: Duration::from_secs(5),
    },
    Case {
        name: "2 s to start, no health check",
        start_ms: 2000,
        check: false,
        graceful: false,
        target: Duration::from_secs(5),
    },
];

/// What one case came to.
#[derive(Debug)]
pub struct Outcome {
    /// Every request.
    pub report: Report,
    /// Every deploy.
    pub times: Vec<Times>,
}

/// Deploys `deploys` times in a row.
///
/// # Errors
/// When a deploy fails.
pub fn run(setting: &Setting, case: &Case, deploys: u32) -> anyhow::Result<Outcome> {
    let mut stack = Stack::up(&setting.programs, case.app())?;
    let result = roll(setting, &mut stack, deploys);
    with_folder(&mut stack, result)
}

/// Deploys `deploys` good releases of `site` in a row.
pub(super) fn roll(
    setting: &Setting,
    site: &mut dyn Site,
    deploys: u32,
) -> anyhow::Result<Outcome> {
    let load = setting.load(site)?;
    let mut changes = Vec::new();
    for _ in 0..deploys {
        site.edit(&[])?;
        let change = deploy(site, &load)?;
        ensure!(
            change.ended.status.success(),
            "a deploy failed:\n{}",
            change.ended.output
        );
        changes.push(change);
    }
    std::thread::sleep(Duration::from_secs(1));
    let report = load.stop();
    let mut until: Vec<Duration> = changes.iter().skip(1).map(|change| change.began).collect();
    until.push(Duration::MAX);
    let times = changes
        .into_iter()
        .zip(until)
        .map(|(change, until)| change.times(&report, until))
        .collect();
    Ok(Outcome { report, times })
}

/// All cases as a table.
///
/// # Errors
/// When a deploy fails; lost requests are in the table.
pub fn table(setting: &Setting, deploys: u32) -> anyhow::Result<Table> {
    let mut table = Table::new(
        &format!("Good releases: {deploys} deploys in a row, 3 replicas"),
        &[
            "app",
            "sent",
            "failed",
            "rollout s, median / worst",
            "target s",
            "drain s, median / worst",
            "`cais deploy` s, median / worst",
            "p99 ms of short GETs",
        ],
    );
    for case in &CASES {
        let Outcome { report, times } = run(setting, case, deploys)?;
        let all = |pick: fn(&Times) -> Option<Duration>| {
            median_and_worst(&times.iter().filter_map(pick).collect::<Vec<_>>())
        };
        let short = report
            .only(|sample| {
                matches!(
                    sample.kind,
                    crate::kind::Kind::Get | crate::kind::Kind::Close
                )
            })
            .total();
        let mut row = vec![case.name.to_owned()];
        row.extend(counted(&report));
        row.extend([
            all(|times| Some(times.rollout)),
            case.target.as_secs().to_string(),
            all(|times| times.drain),
            all(|times| Some(times.command)),
            short.latency.map_or_else(
                || "-".to_owned(),
                |latency| format!("{:.0}", latency.p99_us as f64 / 1000.0),
            ),
        ]);
        table.row(row);
        if times.iter().any(|times| times.drain.is_none()) {
            table.notes.push(format!(
                "{}: an old task was still there after a minute.",
                case.name
            ));
        }
        if report.total().failed > 0 {
            table.notes.push(format!(
                "{}: {}",
                case.name,
                list_failures(report.failures())
            ));
        }
    }
    Ok(table)
}
