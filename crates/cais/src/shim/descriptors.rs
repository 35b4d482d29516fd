//! Closes what this process inherited beyond its three streams, before it opens anything of its own.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Closes every descriptor above standard error. A lock or a pipe that the user's shell had open
/// (`exec 9>lock; flock 9; cais up -d`) would otherwise be held for as long as a task runs.
///
/// Only for the first lines of `main`: nothing in the process may own a descriptor yet.
pub(crate) fn close_inherited() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    let inherited: Vec<RawFd> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in inherited {
        // The folder that we listed is closed by now and in the list; its number is not open, so it has no link.
        if fs::read_link(format!("/proc/self/fd/{fd}")).is_ok() {
            #[expect(
                unsafe_code,
                reason = "no safe call closes a descriptor by its number; nobody owns these"
            )]
            // SAFETY: the descriptor is open, and by this function's contract nothing in the process owns it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}
