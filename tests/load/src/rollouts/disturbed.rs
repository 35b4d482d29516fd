//! Rollouts that something comes into: another deploy, a change of scale, a health check that flaps, a task that does
//! not listen to SIGTERM, connections that are held from before the first task left until after the last one did.

use super::stack::{App, DEPLOY, Stack};
use super::table::{Table, seconds};
use super::{Setting, counted, list_failures, with_folder};
use crate::kind::{Kind, Shape};
use crate::report::Report;
use anyhow::ensure;
use std::time::{Duration, Instant};

/// What became of a disturbed rollout.
#[derive(Debug)]
pub struct Outcome {
    /// What was done.
    pub name: &'static str,
    /// What came of it, in words.
    pub became: String,
    /// Did what had to come of it?
    pub as_wanted: bool,
    /// Every request.
    pub report: Report,
}

/// A scenario.
pub type Scene = fn(&Setting) -> anyhow::Result<Outcome>;

/// All of them.
pub const SCENES: [Scene; 6] = [
    deploy_during_a_deploy,
    scale_during_a_deploy,
    health_that_alternates,
    health_that_comes_and_goes,
    a_task_that_ignores_sigterm,
    connections_held,
];

/// A second deploy supersedes the first.
///
/// # Errors
/// When the scenario cannot be played.
pub fn deploy_during_a_deploy(setting: &Setting) -> anyhow::Result<Outcome> {
    play(
        setting,
        App::sound(3).with("START_DELAY_MS", 2000),
        |stack| {
            stack.edit(|_| {})?;
            let first = stack.start(DEPLOY)?;
            std::thread::sleep(Duration::from_secs(1));
            stack.edit(|_| {})?;
            let second = stack.cais(DEPLOY)?;
            let first = first.wait()?;
            let last = settle(stack)?;
            Ok((
                format!(
                    "first: exit code {} (`{}`); second: exit code {} after {} s; {last} runs",
                    first.code(),
                    first.last_line(),
                    second.code(),
                    seconds(second.took)
                ),
                second.code() == 0 && last == "3 × r3",
            ))
        },
    )
    .map(|outcome| Outcome {
        name: "a deploy during a deploy",
        ..outcome
    })
}

/// The new count holds for the new revision.
///
/// # Errors
/// When the scenario cannot be played.
pub fn scale_during_a_deploy(setting: &Setting) -> anyhow::Result<Outcome> {
    play(
        setting,
        App::sound(3).with("START_DELAY_MS", 2000),
        |stack| {
            stack.edit(|_| {})?;
            let deploy = stack.start(DEPLOY)?;
            std::thread::sleep(Duration::from_secs(1));
            let scale = stack.cais(&["scale", "app=5", "--progress", "plain"])?;
            let deploy = deploy.wait()?;
            let last = settle(stack)?;
            Ok((
                format!(
                    "deploy: exit code {}; scale: exit code {}; {last} runs",
                    deploy.code(),
                    scale.code()
                ),
                deploy.code() == 0 && scale.code() == 0 && last == "5 × r2",
            ))
        },
    )
    .map(|outcome| Outcome {
        name: "`scale app=5` during a deploy",
        ..outcome
    })
}

/// Every other probe fails: never two in a row, so nothing may happen.
///
/// # Errors
/// When the scenario cannot be played.
pub fn health_that_alternates(setting: &Setting) -> anyhow::Result<Outcome> {
    flapping(setting, "1", 0, "3 × r2").map(|outcome| Outcome {
        name: "a release whose health check fails every other time (retries 2)",
        ..outcome
    })
}

/// Two probes pass, two fail: each task turns unhealthy within `monitor`, so the release goes back.
///
/// # Errors
/// When the scenario cannot be played.
pub fn health_that_comes_and_goes(setting: &Setting) -> anyhow::Result<Outcome> {
    flapping(setting, "2", super::bad::ROLLED_BACK, "3 × r1").map(|outcome| Outcome {
        name: "a release whose health check fails two times of four (retries 2, monitor 3 s)",
        ..outcome
    })
}

fn flapping(setting: &Setting, flap: &str, code: i32, runs: &str) -> anyhow::Result<Outcome> {
    let mut app = App::sound(3);
    app.rollout = Some("{ monitor: 3s }");
    play(setting, app, |stack| {
        stack.edit(|app| {
            app.variables.insert("FLAP", flap.to_owned());
        })?;
        let deploy = stack.cais(DEPLOY)?;
        let last = settle(stack)?;
        Ok((
            format!(
                "exit code {} after {} s; {last} runs",
                deploy.code(),
                seconds(deploy.took)
            ),
            deploy.code() == code && last == runs,
        ))
    })
}

/// It is killed when its grace period is over; nobody waits for it.
///
/// # Errors
/// When the scenario cannot be played.
pub fn a_task_that_ignores_sigterm(setting: &Setting) -> anyhow::Result<Outcome> {
    let mut app = App::sound(3).with("IGNORE_SIGTERM", 1);
    app.grace = "2s";
    play(setting, app, |stack| {
        stack.edit(|_| {})?;
        let deploy = stack.cais(DEPLOY)?;
        let returned = Instant::now();
        while stack
            .processes()
            .iter()
            .any(|process| process.revision == "r1")
        {
            ensure!(
                returned.elapsed() < Duration::from_secs(60),
                "an old task stays"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let gone = returned.elapsed();
        let last = settle(stack)?;
        Ok((
            format!(
                "exit code {} after {} s; old tasks gone {} s later (grace 2 s); {last} runs",
                deploy.code(),
                seconds(deploy.took),
                seconds(gone)
            ),
            deploy.code() == 0 && last == "3 × r2",
        ))
    })
    .map(|outcome| Outcome {
        name: "tasks that ignore SIGTERM (stop_grace_period 2 s)",
        ..outcome
    })
}

/// WebSocket sessions and downloads that begin before a deploy and end after it.
///
/// # Errors
/// When the scenario cannot be played.
pub fn connections_held(setting: &Setting) -> anyhow::Result<Outcome> {
    let held = Setting {
        rate: 20.0,
        mix: "ws=1,download=1".parse()?,
        shape: Shape {
            ws: setting.shape.download,
            ..setting.shape
        },
        ..setting.clone()
    };
    let outcome = play(&held, App::sound(3), |stack| {
        stack.edit(|_| {})?;
        let deploy = stack.cais(DEPLOY)?;
        std::thread::sleep(Duration::from_millis(500));
        Ok((
            format!(
                "exit code {} after {} s",
                deploy.code(),
                seconds(deploy.took)
            ),
            deploy.code() == 0,
        ))
    })?;
    let held = |kind: Kind| {
        let old = outcome.report.only(|sample| {
            sample.kind == kind && sample.who.as_ref().is_some_and(|who| who.revision == "r1")
        });
        let total = old.total();
        format!("{} of {} {kind}", total.ok, total.sent)
    };
    Ok(Outcome {
        name: "WebSocket sessions and downloads held through a deploy",
        became: format!(
            "{}; on old tasks {} and {} ended whole",
            outcome.became,
            held(Kind::Ws),
            held(Kind::Download)
        ),
        as_wanted: outcome.as_wanted && outcome.report.total().failed == 0,
        ..outcome
    })
}

fn play(
    setting: &Setting,
    app: App,
    scene: impl FnOnce(&mut Stack) -> anyhow::Result<(String, bool)>,
) -> anyhow::Result<Outcome> {
    let mut stack = Stack::up(&setting.programs, app)?;
    let load = setting.load(&stack)?;
    let result = scene(&mut stack);
    let report = load.stop();
    let (became, as_wanted) = with_folder(&mut stack, result)?;
    Ok(Outcome {
        name: "",
        became,
        as_wanted,
        report,
    })
}

/// Waits until a second has passed in which nothing changed, and says what runs, leaving tasks left out.
fn settle(stack: &Stack) -> anyhow::Result<String> {
    let mut seen = String::new();
    let mut since = Instant::now();
    let began = Instant::now();
    while since.elapsed() < Duration::from_secs(1) && began.elapsed() < Duration::from_secs(20) {
        let now = standing(stack)?;
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(seen)
}

fn standing(stack: &Stack) -> anyhow::Result<String> {
    let rows = stack.rows()?;
    let standing = |task: u64| {
        rows.iter()
            .any(|row| row.task == task && row.state == "running")
    };
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for process in stack
        .processes()
        .into_iter()
        .filter(|process| standing(process.task))
    {
        *counts.entry(process.revision).or_default() += 1;
    }
    let list = counts
        .iter()
        .map(|(revision, count)| format!("{count} × {revision}"));
    Ok(list.collect::<Vec<_>>().join(", "))
}

/// All scenes as a table.
///
/// # Errors
/// When a scenario cannot be played to its end.
pub fn table(setting: &Setting) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Rollouts that something comes into, 3 replicas",
        &[
            "what",
            "what became of it",
            "as it should",
            "sent",
            "failed",
            "of them idempotent, no answer begun",
        ],
    );
    for scene in SCENES {
        let outcome = scene(setting)?;
        let mut row = vec![
            outcome.name.to_owned(),
            outcome.became,
            if outcome.as_wanted { "yes" } else { "no" }.to_owned(),
        ];
        row.extend(counted(&outcome.report));
        row.push(outcome.report.total().failed_retryable.to_string());
        table.row(row);
        if outcome.report.total().failed > 0 {
            table.notes.push(format!(
                "{}: {}",
                outcome.name,
                list_failures(outcome.report.failures())
            ));
        }
    }
    Ok(table)
}
