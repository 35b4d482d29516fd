//! Reads one task's log forward, through its rotated files, each line once: also while it is written, rotated and moved aside.

use super::Line;
use super::archive;
use super::folder::TaskFolder;
use super::line::{Piece, Stream, Tag};
use super::writer::{OPEN, closed, closed_name};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Pieces are joined up to this; a longer line is shown in parts.
const LINE_BYTES: usize = 1 << 20;

/// A place in one task's log.
pub(super) struct Cursor {
    folder: TaskFolder,
    /// The file being read. Its handle pins its inode, so identity is a safe comparison.
    current: Option<BufReader<File>>,
    /// Younger files, the oldest first.
    younger: VecDeque<File>,
    /// What was read of a line whose end is not there yet.
    unfinished: Vec<u8>,
    joiner: Joiner,
}

impl Cursor {
    /// At the beginning of these files (the oldest first, as [`files`] gives them).
    pub(super) fn at(folder: TaskFolder, files: Vec<File>) -> Self {
        Self {
            folder,
            current: None,
            younger: files.into(),
            unfinished: Vec::new(),
            joiner: Joiner::default(),
        }
    }

    /// At the oldest line of the task, leaving out files that were closed before `since`.
    pub(super) fn open(folder: TaskFolder, since: Option<Timestamp>) -> io::Result<Self> {
        let mut files = files(&folder)?;
        let youngest = files.pop();
        if let Some(since) = since {
            files.retain(|file| {
                file.metadata()
                    .is_ok_and(|file| file.mtime() >= since.as_second())
            });
        }
        files.extend(youngest);
        Ok(Self::at(folder, files))
    }

    /// Which task's log it is.
    pub(super) fn folder(&self) -> &TaskFolder {
        &self.folder
    }

    /// The next line; `None` when nothing more is there yet.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if !self.read_stored_line()? {
                if self.younger.is_empty() {
                    self.younger = self.younger_files()?.into();
                    if self.younger.is_empty() {
                        return Ok(None);
                    }
                    // It was rotated: its end is final, but we may have looked before its last write.
                    if self.read_stored_line()? {
                        if let Some(line) = self.take_line() {
                            return Ok(Some(line));
                        }
                        continue;
                    }
                }
                // What has no newline in a finished file was cut off by a failing disk.
                self.unfinished.clear();
                self.current = self.younger.pop_front().map(BufReader::new);
                continue;
            }
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
        }
    }

    /// The task is over and everything is read: the beginning of a line that nobody will end.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.joiner.finish(&self.folder)
    }

    /// Adds to `unfinished`; true when it holds a whole stored line.
    fn read_stored_line(&mut self) -> io::Result<bool> {
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        current.read_until(b'\n', &mut self.unfinished)?;
        Ok(self.unfinished.last() == Some(&b'\n'))
    }

    /// Turns the stored line into a line, unless it is only a piece of one.
    fn take_line(&mut self) -> Option<Line> {
        let stored = self
            .unfinished
            .strip_suffix(b"\n")
            .unwrap_or(&self.unfinished);
        let line = Piece::parse(stored).and_then(|piece| self.joiner.join(&self.folder, &piece));
        self.unfinished.clear();
        line
    }

    /// The files that came after the current one, the oldest first; none while it is still the open one.
    fn younger_files(&mut self) -> io::Result<Vec<File>> {
        let current = match &self.current {
            Some(current) => Some(identity(current.get_ref())?),
            None => None,
        };
        if let Some(current) = current
            && fs::metadata(self.folder.dir.join(OPEN))
                .is_ok_and(|open| (open.dev(), open.ino()) == current)
        {
            return Ok(Vec::new());
        }
        let mut files = self.files_wherever_they_are()?;
        for (index, file) in files.iter().enumerate() {
            if Some(identity(file)?) == current {
                return Ok(files.split_off(index + 1));
            }
        }
        // The current one was the oldest and has been let go: all of these came after it.
        Ok(files)
    }

    /// Forgetting a task moves its folder.
    fn files_wherever_they_are(&mut self) -> io::Result<Vec<File>> {
        let found = files(&self.folder)?;
        if !found.is_empty() || self.folder.is_forgotten {
            return Ok(found);
        }
        match archive::place(&self.folder.dir, &self.folder.service, self.folder.task.0) {
            Some(dir) if dir.exists() => {
                self.folder.dir = dir;
                self.folder.is_forgotten = true;
                files(&self.folder)
            }
            _ => Ok(found),
        }
    }
}

/// Opens a task's files, the oldest first; none where there is no folder (any more).
///
/// The open one comes first, the list second: what is closed in between is met twice and told by its identity.
pub(super) fn files(folder: &TaskFolder) -> io::Result<Vec<File>> {
    let mut open = open_if_there(&folder.dir.join(OPEN))?;
    let mut numbers = closed_numbers(&folder.dir)?;
    // readdir(3) may leave out a name that appears while it reads, and two may have appeared. Once more is
    // enough, but not for ever: a hole that stays was made by somebody's rm.
    for _ in 0..3 {
        if numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]) {
            break;
        }
        open = open_if_there(&folder.dir.join(OPEN))?;
        numbers = closed_numbers(&folder.dir)?;
    }
    let mut files = Vec::new();
    for number in numbers {
        // One that is missing now was the oldest and had to go.
        files.extend(open_if_there(&closed_name(&folder.dir, number))?);
    }
    if let Some(open) = open {
        let opened = identity(&open)?;
        if !files
            .iter()
            .any(|file| identity(file).is_ok_and(|closed| closed == opened))
        {
            files.push(open);
        }
    }
    Ok(files)
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn closed_numbers(dir: &Path) -> io::Result<Vec<u64>> {
    match closed(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        numbers => numbers,
    }
}

/// Back to the beginning of each.
pub(super) fn rewind(files: &[File]) -> io::Result<Vec<File>> {
    files
        .iter()
        .map(|file| {
            let mut file = file.try_clone()?;
            file.rewind()?;
            Ok(file)
        })
        .collect()
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let file = file.metadata()?;
    Ok((file.dev(), file.ino()))
}

/// Joins the pieces of long lines, each stream by itself. A line bears the time of its first piece.
#[derive(Default)]
struct Joiner {
    stdout: Option<(Timestamp, Vec<u8>)>,
    stderr: Option<(Timestamp, Vec<u8>)>,
}

impl Joiner {
    fn join(&mut self, folder: &TaskFolder, piece: &Piece<'_>) -> Option<Line> {
        let begun = match piece.stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let (at, mut text) = begun.take().unwrap_or((piece.at, Vec::new()));
        text.extend_from_slice(piece.text);
        if piece.tag == Tag::Partial && text.len() < LINE_BYTES {
            *begun = Some((at, text));
            return None;
        }
        Some(line(folder, at, piece.stream, text))
    }

    fn finish(&mut self, folder: &TaskFolder) -> Option<Line> {
        let stdout = self
            .stdout
            .take()
            .map(|(at, text)| line(folder, at, Stream::Stdout, text));
        stdout.or_else(|| {
            self.stderr
                .take()
                .map(|(at, text)| line(folder, at, Stream::Stderr, text))
        })
    }
}

fn line(folder: &TaskFolder, at: Timestamp, stream: Stream, text: Vec<u8>) -> Line {
    Line {
        at,
        service: folder.service.clone(),
        task: folder.task,
        stream,
        text,
    }
}
