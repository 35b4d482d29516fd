//! What really runs, read from /proc: a stack's tasks by a variable that their environment holds, its supervisor and
//! its gateway by their arguments. It asks cais nothing, so that cais can be checked against it.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::path::Path;

/// A process of the test app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskProcess {
    /// Its process id.
    pub pid: u32,
    /// The task's number.
    pub task: u64,
    /// Its `REVISION`.
    pub revision: String,
}

/// The variable that names the stack in its tasks' environments.
pub const STACK_VARIABLE: &str = "LOAD_STACK";

/// Every task process of the stack `stack`.
pub fn tasks(stack: &str) -> Vec<TaskProcess> {
    let mark = format!("{STACK_VARIABLE}={stack}");
    let task = |pid: u32| {
        let environment = zero_separated(pid, "environ")?;
        let value = |name: &str| {
            let found = environment
                .iter()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        if !environment.contains(&mark) {
            return None;
        }
        Some(TaskProcess {
            pid,
            task: value("CAIS_TASK")?.rsplit('-').next()?.parse().ok()?,
            revision: value("REVISION")?,
        })
    };
    all().filter_map(task).collect()
}

/// Processes of cais itself that run `verb` with their state under `state_home`.
pub fn of_cais(verb: &str, state_home: &Path) -> Vec<u32> {
    let state = format!("XDG_STATE_HOME={}", state_home.display());
    let is_it = |pid: &u32| {
        let arguments = zero_separated(*pid, "cmdline").unwrap_or_default();
        let environment = zero_separated(*pid, "environ").unwrap_or_default();
        arguments.get(1).is_some_and(|word| word == verb) && environment.contains(&state)
    };
    let found: Vec<u32> = all().filter(is_it).collect();
    // Between fork and exec a child looks like its parent.
    let is_fork = |pid: &u32| parent(*pid).is_some_and(|parent| found.contains(&parent));
    found.iter().copied().filter(|pid| !is_fork(pid)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// Is there such a process that has not ended?
pub fn is_there(pid: u32) -> bool {
    // A process that ended and was not waited for has neither arguments nor environment any more.
    zero_separated(pid, "cmdline").is_some_and(|arguments| !arguments.is_empty())
}

/// Descriptors of listening TCP sockets that this process holds.
pub fn listening(pid: u32) -> usize {
    // The tenth column is the socket's inode, the fourth its state; 0A is LISTEN (proc_net_tcp).
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening: BTreeSet<String> = rows
        .filter(|row| row.get(3) == Some(&"0A"))
        .filter_map(|row| Some(format!("socket:[{}]", row.get(9)?)))
        .collect();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets
        .filter(|target| {
            target
                .to_str()
                .is_some_and(|target| listening.contains(target))
        })
        .count()
}

/// kill -9.
pub fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn zero_separated(pid: u32, file: &str) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
    let words = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}
