//! Reads what is on disk now, all tasks merged by time.

use super::Line;
use super::cursor::{self, Cursor};
use super::filter::{Options, Tail};
use super::folder::{self, TaskFolder};
use cais_model::name::ServiceName;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;
use std::path::Path;
use tracing::warn;

/// Reads the lines of every task under the state folder, the oldest first. Needs no supervisor.
///
/// # Errors
/// When the state folder cannot be listed. A single log that cannot be read is warned about and left out.
pub(crate) fn read(state: &Path, options: &Options) -> io::Result<Lines> {
    let folders = folder::list(state, |task| options.wants_task(task))?;
    let folders = folders
        .into_iter()
        .filter(|folder| options.wants_folder(folder));
    let Some(lines) = options.tail.of_one_task() else {
        let sources = folders
            .filter_map(|folder| open(folder, options))
            .map(|cursor| Source::Cursor(Box::new(cursor)))
            .collect();
        return Ok(Lines::merge(sources, Vec::new(), options.clone()));
    };
    let found = folders.filter_map(|folder| tail(folder, options, lines));
    let (behind, tails): (Vec<Cursor>, Vec<VecDeque<Line>>) = found.unzip();
    let sources = vec![Source::Read(newest(tails, options.tail))];
    Ok(Lines::merge(sources, behind, options.clone()))
}

/// Lines in the order of their time.
pub(crate) struct Lines {
    sources: Vec<Source>,
    /// The next line of each source that has one.
    heads: BinaryHeap<Reverse<Head>>,
    /// Places behind lines that were read already.
    behind: Vec<Cursor>,
    options: Options,
}

/// Where lines come from.
enum Source {
    /// A log that is read as it is asked for.
    Cursor(Box<Cursor>),
    /// Lines that were filtered already.
    Read(VecDeque<Line>),
}

struct Head {
    line: Line,
    source: usize,
}

impl Lines {
    fn merge(sources: Vec<Source>, behind: Vec<Cursor>, options: Options) -> Self {
        let mut lines = Self {
            sources,
            heads: BinaryHeap::new(),
            behind,
            options,
        };
        for source in 0..lines.sources.len() {
            lines.refill(source);
        }
        lines
    }

    /// Once everything is read: the places where more may come.
    pub(super) fn into_cursors(self) -> Vec<Cursor> {
        let read = self.sources.into_iter().filter_map(|source| match source {
            Source::Cursor(cursor) => Some(*cursor),
            Source::Read(_) => None,
        });
        read.chain(self.behind).collect()
    }

    fn refill(&mut self, source: usize) {
        let line = match self.sources.get_mut(source) {
            Some(Source::Cursor(cursor)) => next_wanted(cursor, &self.options),
            Some(Source::Read(lines)) => lines.pop_front(),
            None => None,
        };
        self.heads
            .extend(line.map(|line| Reverse(Head { line, source })));
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let Reverse(Head { line, source }) = self.heads.pop()?;
        self.refill(source);
        Some(line)
    }
}

/// Lines of one moment keep the order of their tasks; within a task the source keeps it.
impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.line.at, self.source).cmp(&(other.line.at, other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// Opens a log at its beginning (or where `since` allows); `None`, with a warning, where that fails.
pub(super) fn open(folder: TaskFolder, options: &Options) -> Option<Cursor> {
    let dir = folder.dir.clone();
    let opened = Cursor::open(folder, options.since);
    opened
        .inspect_err(|error| warn!(dir = %dir.display(), %error, "cannot open a log"))
        .ok()
}

/// The next line that passes the filter; `None` at the end of what is there, or where reading fails.
pub(super) fn next_wanted(cursor: &mut Cursor, options: &Options) -> Option<Line> {
    loop {
        let line = match cursor.next() {
            Ok(Some(line)) => line,
            Ok(None) if cursor.folder().is_forgotten => cursor.finish()?,
            Ok(None) => return None,
            Err(error) => {
                warn!(dir = %cursor.folder().dir.display(), %error, "cannot read a log");
                return None;
            }
        };
        if options.wants(&line) {
            return Some(line);
        }
    }
}

/// The newest lines of one task, and the cursor behind them. Begins with the youngest file and takes in an
/// older one only while there are too few: two more than asked for, because the window may cut into one line
/// of each stream.
fn tail(folder: TaskFolder, options: &Options, lines: usize) -> Option<(Cursor, VecDeque<Line>)> {
    let dir = folder.dir.clone();
    let found = try_tail(folder, options, lines);
    found
        .inspect_err(|error| warn!(dir = %dir.display(), %error, "cannot read a log"))
        .ok()
}

fn try_tail(
    folder: TaskFolder,
    options: &Options,
    lines: usize,
) -> io::Result<(Cursor, VecDeque<Line>)> {
    let files = cursor::files(&folder)?;
    let mut window = 1;
    loop {
        let part = &files[files.len().saturating_sub(window)..];
        let mut cursor = Cursor::at(folder.clone(), cursor::rewind(part)?);
        let (mut newest, mut seen) = (VecDeque::new(), 0_usize);
        while let Some(line) = next_wanted(&mut cursor, options) {
            seen += 1;
            newest.push_back(line);
            if newest.len() > lines {
                newest.pop_front();
            }
        }
        if window >= files.len() || seen >= lines.saturating_add(2) {
            return Ok((cursor, newest));
        }
        window += 1;
    }
}

/// Merges the tails of tasks by time and cuts them to what was asked for.
fn newest(tails: Vec<VecDeque<Line>>, tail: Tail) -> VecDeque<Line> {
    let mut lines: Vec<Line> = tails.into_iter().flatten().collect();
    lines.sort_by_key(|line| line.at);
    if let Tail::PerService(limit) = tail {
        let mut room: BTreeMap<ServiceName, usize> = BTreeMap::new();
        lines.reverse();
        lines.retain(|line| {
            let left = room.entry(line.service.clone()).or_insert(limit);
            let keep = *left > 0;
            *left = left.saturating_sub(1);
            keep
        });
        lines.reverse();
    }
    lines.into()
}
