//! The machine's processes as `/proc` shows them: who descends from whom, who carries a task's mark. Signals go through pidfds, so a reused id is never hit.

use super::signal::Signal;
use super::spec::MARK;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io;

/// One process at the moment of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: u32,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its process group.
    pub(crate) group: u32,
    /// Clock ticks since boot; with the id it names a process for ever (until the next boot).
    pub(crate) start: u64,
    /// A zombie runs nothing; it only waits to be reaped. (Where only the first thread has ended, the rest
    /// still runs, though the kernel prints `Z`.)
    pub(crate) zombie: bool,
}

/// Looks at one process.
pub(crate) fn look(pid: u32) -> Option<Process> {
    parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Looks at all of them. Those that end while we look are left out.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(look).collect()
}

/// proc_pid_stat(5): the name in parentheses may hold anything, so fields are counted from the last `)`.
fn parse_stat(pid: u32, stat: &[u8]) -> Option<Process> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of the manual is the first one here.
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X" | "x")
            && fields.get(17)?.parse::<u32>().ok()? <= 1,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// Every process below `ancestor` in the table, itself left out.
pub(crate) fn descendants(table: &[Process], ancestor: u32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for process in table
            .iter()
            .filter(|p| p.parent == parent && p.pid != parent)
        {
            if !found.iter().any(|known| known.pid == process.pid) {
                found.push(*process);
                parents.push(process.pid);
            }
        }
    }
    found
}

/// Did this process start with the mark in its environment? Foreign users' processes cannot be read: no.
pub(crate) fn carries(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    environ
        .split(|b| *b == 0)
        .any(|variable| variable == wanted.as_bytes())
}

/// Signals exactly this process: the id is checked against the start time while a pidfd pins it.
pub(crate) fn signal(process: &Process, signal: Signal) -> io::Result<()> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    if look(process.pid).is_none_or(|now| now.start != process.start) {
        return Ok(());
    }
    match pidfd_send_signal(&pidfd, signal.raw()) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Identifies this boot of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let tail = "S 10 20 30 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 777 1000 2";
        for name in ["(sh)", "(a) b)", "() ()"] {
            let stat = format!("42 {name} {tail}");
            let expected = Process {
                pid: 42,
                parent: 10,
                group: 20,
                start: 777,
                zombie: false,
            };
            assert_eq!(parse_stat(42, stat.as_bytes()), Some(expected), "{name}");
        }
        for (threads, zombie) in [(0, true), (1, true), (2, false)] {
            let stat =
                format!("42 (sh) Z 10 20 30 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 {threads} 0 777");
            assert_eq!(
                parse_stat(42, stat.as_bytes()).unwrap().zombie,
                zombie,
                "{threads} threads"
            );
        }
        assert_eq!(parse_stat(42, b"42 (sh) S 1"), None);
        assert_eq!(parse_stat(42, b""), None);
    }

    #[test]
    fn descendants_are_found_through_every_generation() {
        let process = |pid, parent| Process {
            pid,
            parent,
            group: pid,
            start: 1,
            zombie: false,
        };
        let table = [
            process(2, 1),
            process(3, 2),
            process(4, 3),
            process(5, 1),
            process(1, 1),
        ];
        let mut pids: Vec<u32> = descendants(&table, 2).iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [3, 4]);
    }

    #[test]
    fn this_process_is_seen() {
        let me = look(std::process::id()).unwrap();
        assert!(!me.zombie && me.start > 0);
        assert!(all().contains(&me));
        assert!(!boot_id().unwrap().is_empty());
    }
}
