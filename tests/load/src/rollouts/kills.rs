//! kill -9 under load: of tasks, and of the supervisor at random moments of deploys.

use super::processes::{self, TaskProcess, kill};
use super::stack::{App, DEPLOY, Stack, UP};
use super::table::{Table, median_and_worst, seconds};
use super::{Setting, counted, list_failures, with_folder};
use crate::report::Report;
use crate::run::Running;
use anyhow::ensure;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// After a killed supervisor, everything is as wanted so long after `cais up -d`.
pub const CONVERGED: Duration = Duration::from_secs(2);
/// How long the killed supervisor's tasks take to listen: long enough that a kill often finds them half started.
const START_MS: u32 = 300;
/// Their deploy is over within about this time; the supervisor is killed somewhere in it.
const WITHIN: Duration = Duration::from_millis(900);
/// A task that was killed is replaced within this time, or never.
const REPLACED: Duration = Duration::from_secs(60);

/// What killing tasks came to.
#[derive(Debug)]
pub struct Tasks {
    /// Every request.
    pub report: Report,
    /// From each kill until three tasks were healthy again.
    pub replaced: Vec<Duration>,
}

/// Kills a random task of three, `kills` times, each when the one before was replaced.
///
/// # Errors
/// When a task is not replaced.
pub fn tasks(setting: &Setting, kills: u32) -> anyhow::Result<Tasks> {
    let mut stack = Stack::up(&setting.programs, App::sound(3))?;
    let result = kill_tasks(setting, &stack, kills);
    with_folder(&mut stack, result)
}

fn kill_tasks(setting: &Setting, stack: &Stack, kills: u32) -> anyhow::Result<Tasks> {
    let load = setting.load(stack)?;
    let mut replaced = Vec::new();
    for _ in 0..kills {
        let processes = stack.processes();
        ensure!(
            processes.len() == 3,
            "three tasks were expected: {processes:?}"
        );
        let victim = &processes[fastrand::usize(..processes.len())];
        let began = Instant::now();
        kill(victim.pid);
        while !all_healthy(stack, 3, victim.pid)? {
            ensure!(
                began.elapsed() < REPLACED,
                "task {} was not replaced",
                victim.task
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        replaced.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(Tasks {
        report: load.stop(),
        replaced,
    })
}

fn all_healthy(stack: &Stack, count: usize, without: u32) -> anyhow::Result<bool> {
    let rows = stack.rows()?;
    let fit = |row: &&super::stack::Row| {
        row.state == "running" && row.health == "healthy" && row.pid != Some(without)
    };
    Ok(rows.iter().filter(fit).count() == count)
}

/// What killing supervisors came to.
#[derive(Debug)]
pub struct Supervisors {
    /// Every request.
    pub report: Report,
    /// Supervisors that were killed.
    pub killed: u32,
    /// Times from `cais up -d --wait` to its end.
    pub converged: Vec<Duration>,
    /// Processes of tasks that cais did not know of.
    pub orphans: usize,
    /// Processes beyond one a task.
    pub duplicates: usize,
    /// Gateways that ended with their supervisor.
    pub gateways_lost: u32,
    /// Listening sockets that the gateway held before the first kill and after the last.
    pub listening: (usize, usize),
}

/// Kills the supervisor somewhere in each of `rounds` deploys and brings it back.
///
/// # Errors
/// When it does not come back, or the stack is not as its file says then.
pub fn supervisors(setting: &Setting, rounds: u32) -> anyhow::Result<Supervisors> {
    let app = App::sound(3).with("START_DELAY_MS", START_MS);
    let mut stack = Stack::up(&setting.programs, app)?;
    let result = kill_supervisors(setting, &mut stack, rounds);
    with_folder(&mut stack, result)
}

fn kill_supervisors(
    setting: &Setting,
    stack: &mut Stack,
    rounds: u32,
) -> anyhow::Result<Supervisors> {
    let load = setting.load(stack)?;
    let gateway = stack.gateway()?;
    let listening = processes::listening(gateway);
    let (mut killed, mut gateways_lost) = (0, 0);
    let (mut orphans, mut duplicates) = (BTreeSet::new(), BTreeSet::new());
    let mut converged = Vec::new();
    for round in 1..=rounds {
        stack.edit(|_| {})?;
        let command = stack.start(DEPLOY)?;
        std::thread::sleep(WITHIN.mul_f64(fastrand::f64()));
        if let Some(pid) = stack.supervisor()? {
            kill(pid);
            killed += 1;
        }
        // It may have been done before, or says that its supervisor is gone.
        command.wait()?;
        let ended = stack.cais(UP)?;
        ensure!(
            ended.status.success(),
            "round {round}: the stack did not come back:\n{}",
            ended.output
        );
        converged.push(ended.took);
        gateways_lost += u32::from(stack.gateway()? != gateway);
        check(stack, &mut orphans, &mut duplicates)?;
    }
    let listening = (listening, processes::listening(stack.gateway()?));
    let report = finish(stack, load)?;
    Ok(Supervisors {
        report,
        killed,
        converged,
        orphans: orphans.len(),
        duplicates: duplicates.len(),
        gateways_lost,
        listening,
    })
}

/// Compares what runs with what cais says.
fn check(
    stack: &Stack,
    orphans: &mut BTreeSet<u32>,
    duplicates: &mut BTreeSet<u32>,
) -> anyhow::Result<()> {
    let before = stack.processes();
    let known: BTreeSet<u64> = stack.rows()?.iter().map(|row| row.task).collect();
    // A process that ended meanwhile is no orphan, one that began meanwhile is not in `before`.
    let after: BTreeSet<u32> = stack
        .processes()
        .iter()
        .map(|process| process.pid)
        .collect();
    let there: Vec<&TaskProcess> = before
        .iter()
        .filter(|process| after.contains(&process.pid))
        .collect();
    let mut seen = BTreeSet::new();
    for process in &there {
        if !known.contains(&process.task) {
            orphans.insert(process.pid);
        }
        if !seen.insert(process.task) {
            duplicates.insert(process.pid);
        }
    }
    let newest = format!("r{}", stack.revision);
    let new = there
        .iter()
        .filter(|process| process.revision == newest)
        .count();
    ensure!(new == 3, "three tasks of {newest} were expected: {there:?}");
    Ok(())
}

/// Ends the load, then waits until only the newest tasks are left.
fn finish(stack: &Stack, load: Running) -> anyhow::Result<Report> {
    let report = load.stop();
    let began = Instant::now();
    let newest = format!("r{}", stack.revision);
    loop {
        let old: Vec<TaskProcess> = stack
            .processes()
            .into_iter()
            .filter(|process| process.revision != newest)
            .collect();
        if old.is_empty() {
            return Ok(report);
        }
        ensure!(began.elapsed() < REPLACED, "old tasks are left: {old:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Both as a table.
///
/// # Errors
/// When a scenario cannot be played to its end.
pub fn table(setting: &Setting, task_kills: u32, rounds: u32) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "kill -9 under load, 3 replicas",
        &[
            "killed",
            "times",
            "sent",
            "failed",
            "of them idempotent, no answer begun",
            "back to normal s, median / worst",
            "orphans",
            "duplicates",
            "gateways lost",
        ],
    );
    let tasks = tasks(setting, task_kills)?;
    let mut row = vec!["a task".to_owned(), tasks.replaced.len().to_string()];
    row.extend(counted(&tasks.report));
    row.push(tasks.report.total().failed_retryable.to_string());
    row.extend([
        median_and_worst(&tasks.replaced),
        "-".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
    ]);
    table.row(row);
    table.notes.push(
        "a task: requests that were in flight on it and not idempotent, or half answered, die with it; nobody can send them again".to_owned(),
    );
    if tasks.report.total().failed_retryable > 0 {
        let lost = tasks
            .report
            .samples()
            .iter()
            .filter(|sample| sample.is_failed_retryable());
        table.notes.push(list_failures(lost));
    }
    let outcome = supervisors(setting, rounds)?;
    let mut row = vec![
        "the supervisor, within a deploy".to_owned(),
        outcome.killed.to_string(),
    ];
    row.extend(counted(&outcome.report));
    row.push(outcome.report.total().failed_retryable.to_string());
    row.extend([
        median_and_worst(&outcome.converged),
        outcome.orphans.to_string(),
        outcome.duplicates.to_string(),
        outcome.gateways_lost.to_string(),
    ]);
    table.row(row);
    table.notes.push(format!(
        "the gateway held {} listening sockets before and {} after",
        outcome.listening.0, outcome.listening.1
    ));
    table.notes.push(format!(
        "the supervisor: from `cais up -d --wait` to its end; target {} s",
        seconds(CONVERGED)
    ));
    if outcome.report.total().failed > 0 {
        table.notes.push(list_failures(outcome.report.failures()));
    }
    Ok(table)
}
