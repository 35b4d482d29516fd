//! Writes one task's log: stamps, appends whole lines, rotates by size and count. Called by the shim's two pipe readers in turn.

use super::line::{Piece, Stream, Tag};
use cais_model::stack::LogRotation;
use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The open file's name. Closed ones are `log.1`, `log.2`, …, the youngest last: a file is renamed once and
/// keeps its number, so a reader never meets a half-shifted row of names (as with logrotate's way of counting).
pub(crate) const OPEN: &str = "log";

/// The log of one task.
pub(crate) struct LogWriter {
    dir: PathBuf,
    rotation: LogRotation,
    file: File,
    /// The number that the open file gets when it is closed.
    number: u64,
    /// Bytes in the open file.
    size: u64,
    /// Lines of the current batch that are not written yet.
    batch: Vec<u8>,
    /// Stamp of the current batch; never earlier than the one before, whatever the wall clock does.
    now: Timestamp,
    /// The last write failed half-way: begin the next one on a fresh line.
    torn: bool,
}

impl LogWriter {
    /// Opens `<dir>/log` for appending.
    pub(crate) fn open(dir: &Path, rotation: LogRotation) -> io::Result<Self> {
        let file = open(dir)?;
        let size = file.metadata()?.len();
        let now = Timestamp::now();
        let number = closed(dir)?.last().map_or(1, |last| last + 1);
        Ok(Self {
            dir: dir.to_owned(),
            rotation,
            file,
            number,
            size,
            batch: Vec::new(),
            now,
            torn: size > 0,
        })
    }

    /// Begins a batch: all of its lines bear this moment.
    pub(crate) fn begin(&mut self) {
        self.now = self.now.max(Timestamp::now());
    }

    /// The same at a moment that somebody else noted; several may follow in one batch.
    pub(crate) fn begin_at(&mut self, at: Timestamp) {
        self.now = at;
    }

    /// Adds one piece to the batch.
    pub(crate) fn add(&mut self, stream: Stream, tag: Tag, text: &[u8]) -> io::Result<()> {
        let before = self.batch.len();
        Piece {
            at: self.now,
            stream,
            tag,
            text,
        }
        .print(&mut self.batch);
        let filled = self.size + self.batch.len() as u64;
        let is_first = self.size == 0 && before == 0;
        if filled > self.rotation.max_bytes && !is_first {
            let next = self.batch.split_off(before);
            self.commit()?;
            self.rotate()?;
            self.batch = next;
        }
        Ok(())
    }

    /// Writes the batch.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.torn) {
            self.batch.insert(0, b'\n');
        }
        let written = self.file.write_all(&self.batch);
        self.size += self.batch.len() as u64;
        self.torn = written.is_err();
        self.batch.clear();
        written
    }

    /// Gives the open file its number, begins a new one, and lets the oldest go.
    fn rotate(&mut self) -> io::Result<()> {
        let name = closed_name(&self.dir, self.number);
        missing_is_fine(fs::rename(self.dir.join(OPEN), name))?;
        self.number += 1;
        self.file = open(&self.dir)?;
        self.size = 0;
        let numbers = closed(&self.dir)?;
        let keep = self.rotation.max_files.max(1) as usize - 1;
        let excess = numbers.len().saturating_sub(keep);
        for number in &numbers[..excess] {
            missing_is_fine(fs::remove_file(closed_name(&self.dir, *number)))?;
        }
        Ok(())
    }
}

/// The numbers of the closed files, the oldest first.
pub(crate) fn closed(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(OPEN));
        numbers.extend(name.and_then(|name| name.strip_prefix('.')?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where a closed file is.
pub(crate) fn closed_name(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{OPEN}.{number}"))
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(dir.join(OPEN))
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_lines(dir: &Path, rotation: LogRotation, lines: usize) {
        let mut log = LogWriter::open(dir, rotation).unwrap();
        for line in 0..lines {
            log.begin();
            log.add(Stream::Stdout, Tag::Full, format!("line {line}").as_bytes())
                .unwrap();
            log.commit().unwrap();
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_rotated_by_size_and_kept_by_count() {
        let dir = tempfile::tempdir().unwrap();
        write_lines(
            dir.path(),
            LogRotation {
                max_bytes: 100,
                max_files: 3,
            },
            20,
        );
        // Two lines a file.
        assert_eq!(names(dir.path()), ["log", "log.8", "log.9"]);
        for name in names(dir.path()) {
            assert!(fs::metadata(dir.path().join(name)).unwrap().len() <= 100);
        }
        let newest = fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(newest.ends_with("line 19\n"), "{newest}");
    }

    #[test]
    fn one_file_means_one_file() {
        let dir = tempfile::tempdir().unwrap();
        write_lines(
            dir.path(),
            LogRotation {
                max_bytes: 1,
                max_files: 1,
            },
            5,
        );
        assert_eq!(names(dir.path()), ["log"]);
        assert!(
            fs::read_to_string(dir.path().join("log"))
                .unwrap()
                .ends_with("line 4\n")
        );
        write_lines(
            dir.path(),
            LogRotation {
                max_bytes: 0,
                max_files: 0,
            },
            5,
        );
        assert_eq!(names(dir.path()), ["log"]);
    }

    #[test]
    fn a_batch_larger_than_a_file_is_spread() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(
            dir.path(),
            LogRotation {
                max_bytes: 200,
                max_files: 100,
            },
        )
        .unwrap();
        log.begin();
        for line in 0..50 {
            log.add(Stream::Stderr, Tag::Full, format!("{line}").as_bytes())
                .unwrap();
        }
        log.commit().unwrap();
        let total: usize = names(dir.path())
            .iter()
            .map(|name| {
                fs::read_to_string(dir.path().join(name))
                    .unwrap()
                    .lines()
                    .count()
            })
            .sum();
        assert_eq!(total, 50);
    }
}
