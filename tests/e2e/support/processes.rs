//! Finds and signals the processes of one test machine, by the folder that their environment names.

use std::path::Path;

/// A process as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// Arguments with spaces between.
    pub(crate) command: String,
}

/// Every living process whose environment names `root` (supervisors, gateways and tasks get their HOME
/// from it), and every shim that has a file of it open: a shim has no environment. A zombie has neither.
pub(crate) fn of(root: &Path) -> Vec<Process> {
    let own = std::process::id();
    let mut found: Vec<Process> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(look)
        .filter(|process| is_of(process, root))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn is_of(process: &Process, root: &Path) -> bool {
    let pid = process.pid;
    if process.command.starts_with("cais shim") {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        return files
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|target| target.starts_with(root));
    }
    let mark = root.as_os_str().as_encoded_bytes();
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.windows(mark.len()).any(|window| window == mark))
}

/// `None` when it is gone, or a zombie.
fn look(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command)
        .replace('\0', " ")
        .trim_end()
        .to_owned();
    (state != "Z").then_some(Process {
        pid,
        parent,
        command,
    })
}

/// Is it there, and no zombie?
pub(crate) fn is_alive(pid: u32) -> bool {
    look(pid).is_some()
}

/// SIGKILL.
pub(crate) fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

/// Any signal; a process that is gone gets none.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
