//! Ends what a killed shim left running. The task's leader is known by id and start time, its children by their group, descent and mark.

use crate::shim::processes::{self, Process};
use crate::shim::record::{ExitRecord, TaskRecord};
use crate::shim::signal::Signal;
use cais_engine::event::ExitStatus;
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::warn;

const GLANCE: Duration = Duration::from_millis(25);
/// How long SIGKILL may take.
const LAST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_GRACE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Ends the task of a shim that is gone and writes its end, which nobody saw: `Unknown`. The caller
/// holds the task's lock, so no second supervisor does the same and no new shim starts meanwhile.
pub(super) async fn end(task_dir: &Path, record: &TaskRecord, _lock: &File) -> ExitStatus {
    // After a reboot the ids in the record belong to strangers; the marks would still be right.
    let same_boot = processes::boot_id().is_ok_and(|boot| boot == record.boot_id);
    let leader = same_boot.then_some((record.pid, record.pid_start));
    let grace = Duration::from_millis(record.stop_grace_ms);
    end_all(|| find(leader, &record.mark), record.stop_signal, grace).await;
    let status = ExitStatus::Unknown;
    if let Err(error) = ExitRecord::now(status).write(task_dir) {
        warn!(dir = %task_dir.display(), %error, "cannot record the end of a lost task");
    }
    // The shim did not live to remove it.
    let _ = std::fs::remove_file(&record.socket);
    status
}

/// Ends every process that carries the mark; true where there was one.
pub(super) async fn end_marked(mark: &str, signal: Signal, grace: Duration) -> bool {
    end_all(|| find(None, mark), signal, grace).await
}

/// Asks, waits, kills. New children may appear in between, so each look is a fresh one; and a process that
/// is on its way out has lost its environment, and with it the mark, before its sockets: those seen before
/// are awaited by their ids.
async fn end_all(find: impl Fn() -> Vec<Process>, signal: Signal, grace: Duration) -> bool {
    let mut living = find();
    let found_any = !living.is_empty();
    tell(&living, signal);
    tell(&living, Signal::CONT);
    let kill_at = Instant::now() + grace.min(LONGEST_GRACE);
    loop {
        living.retain(still_runs);
        for process in find() {
            add(&mut living, process);
        }
        let now = Instant::now();
        if living.is_empty() {
            return found_any;
        }
        if now >= kill_at {
            tell(&living, Signal::KILL);
        }
        if now.saturating_duration_since(kill_at) >= LAST_WAIT {
            warn!(
                processes = living.len(),
                "gave up on processes that do not die"
            );
            return true;
        }
        sleep(GLANCE).await;
    }
}

fn still_runs(process: &Process) -> bool {
    processes::look(process.pid).is_some_and(|now| now.start == process.start && !now.zombie)
}

fn tell(processes: &[Process], signal: Signal) {
    for process in processes {
        if let Err(error) = processes::signal(process, signal) {
            warn!(pid = process.pid, %signal, %error, "cannot signal a process of a lost task");
        }
    }
}

/// The leader with its group, whoever carries the mark, and the descendants of all of them.
fn find(leader: Option<(u32, u64)>, mark: &str) -> Vec<Process> {
    let table = processes::all();
    let is_leader = |p: &Process| leader == Some((p.pid, p.start));
    // A group's number is only ours while its leader is seen to be ours.
    let group = table.iter().find(|p| is_leader(p)).map(|p| p.pid);
    // A supervisor that was started from within a task carries its mark; it does not end itself.
    let myself = std::process::id();
    let mine = processes::descendants(&table, myself);
    let is_mine = |p: &Process| p.pid == myself || mine.iter().any(|child| child.pid == p.pid);
    let mut found: Vec<Process> = Vec::new();
    for process in table.iter().filter(|p| !is_mine(p)) {
        if Some(process.group) == group || processes::carries(process.pid, mark) {
            add(&mut found, *process);
            for descendant in processes::descendants(&table, process.pid) {
                add(&mut found, descendant);
            }
        }
    }
    found.retain(|p| !p.zombie && !is_mine(p));
    found
}

fn add(found: &mut Vec<Process>, process: Process) {
    if !found.iter().any(|known| known.pid == process.pid) {
        found.push(process);
    }
}
