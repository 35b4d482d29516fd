//! Forgets a task that is over: its logs move aside, everything else goes.

use super::launch::lock;
use crate::logs::archive;
use crate::shim::record::TaskRecord;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A shim that has said its last word lets go of the lock within this.
const PARTING: Duration = Duration::from_secs(1);

/// Removes a task's folder; its logs stay readable among the forgotten ones. Safe to perform twice.
///
/// # Errors
/// When the task still has a shim, or the folder cannot be moved.
pub(crate) fn forget(task_dir: &Path) -> io::Result<()> {
    if !task_dir.try_exists()? {
        return Ok(());
    }
    let deadline = Instant::now() + PARTING;
    let _lock = loop {
        match lock(task_dir)? {
            Some(lock) => break lock,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            None => {
                let reason = format!("`{}` still has a shim", task_dir.display());
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, reason));
            }
        }
    };
    match TaskRecord::read(task_dir)? {
        Some(record) => {
            let _ = fs::remove_file(&record.socket);
            archive(task_dir, &record.service, record.task)
        }
        // It never ran, so it said nothing.
        None => fs::remove_dir_all(task_dir),
    }
}
