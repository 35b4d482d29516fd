//! Copies a container's output into its task's log, in the form that shims write: each line once, with the engine's own stamps,
//! also across supervisors.
//!
//! A new supervisor reads the stamps of what is already written and goes on after them. Streams are counted apart: within one
//! the engine's stamps never go back, between two they may. Several pieces may bear one stamp (a long line is split by the
//! engine and keeps its stamp), so pieces of the last stamp are counted as well.

use super::Engine;
use crate::logs::line::{Piece, Stream, Tag};
use crate::logs::writer::{self, LogWriter};
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use cais_model::stack::LogRotation;
use futures_util::StreamExt;
use jiff::Timestamp;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// Pause before a stream that broke off is opened again.
const RETRY: Duration = Duration::from_millis(200);
/// How long the last lines of a container that ended may take.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines written at a time.
const BATCH: usize = 256;

/// Copies in the background until it is told that the container ended.
#[derive(Debug)]
pub(super) struct Follower {
    ended: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins after the last line that the folder has.
    pub(super) fn begin(
        engine: &Engine,
        container: &str,
        dir: &Path,
        rotation: LogRotation,
    ) -> Self {
        let (ended, told) = watch::channel(false);
        let copy = Copy {
            engine: engine.clone(),
            container: container.to_owned(),
            dir: dir.to_owned(),
            rotation,
            complained: false,
        };
        let task = tokio::spawn(copy.run(told));
        Self { ended, task }
    }

    /// The container ended: waits until everything that it said is written.
    pub(super) async fn finish(self) {
        let _ = self.ended.send(true);
        let abort = self.task.abort_handle();
        if timeout(2 * LAST_WORDS, self.task).await.is_err() {
            abort.abort();
        }
    }
}

struct Copy {
    engine: Engine,
    container: String,
    dir: PathBuf,
    rotation: LogRotation,
    complained: bool,
}

impl Copy {
    async fn run(mut self, mut told: watch::Receiver<bool>) {
        let opened = LogWriter::open(&self.dir, self.rotation)
            .and_then(|log| Ok((log, Written::read(&self.dir)?)));
        let (mut log, mut written) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                warn!(container = self.container, %error, "a container's log cannot be written");
                return;
            }
        };
        while !*told.borrow() {
            tokio::select! {
                () = self.copy(true, &mut log, &mut written) => {}
                // Following ends with the container; where it does not, the rest is read below.
                () = over(&mut told) => break,
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                _ = told.wait_for(|ended| *ended) => break,
            }
        }
        if timeout(LAST_WORDS, self.copy(false, &mut log, &mut written))
            .await
            .is_err()
        {
            warn!(
                container = self.container,
                "the last lines of a container did not come"
            );
        }
    }

    /// Until the engine's answer ends.
    async fn copy(&mut self, follow: bool, log: &mut LogWriter, written: &mut Written) {
        let options = LogsOptionsBuilder::default()
            .follow(follow)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(written.since())
            .build();
        let client = self.engine.client.clone();
        let mut frames = Box::pin(
            client
                .logs(&self.container, Some(options))
                .ready_chunks(BATCH),
        );
        // What stands already is met again, from the beginning of the second that the engine was asked for.
        let mut met = Met::default();
        while let Some(batch) = frames.next().await {
            let mut broken = false;
            for frame in batch {
                match frame {
                    Ok(frame) => self.take(&frame, log, written, &mut met),
                    Err(_) => broken = true,
                }
            }
            self.complain(log.commit());
            if broken {
                return;
            }
        }
    }

    fn take(
        &mut self,
        frame: &LogOutput,
        log: &mut LogWriter,
        written: &mut Written,
        met: &mut Met,
    ) {
        let (stream, message) = match frame {
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                (Stream::Stdout, message)
            }
            LogOutput::StdErr { message } => (Stream::Stderr, message),
            LogOutput::StdIn { .. } => return,
        };
        let Some((at, text)) = stamped(message) else {
            return;
        };
        if !written.is_new(stream, at, met) {
            return;
        }
        let (tag, text) = match text.strip_suffix(b"\n") {
            Some(text) => (Tag::Full, text.strip_suffix(b"\r").unwrap_or(text)),
            None => (Tag::Partial, text),
        };
        log.begin_at(at);
        let added = log.add(stream, tag, text);
        self.complain(added);
        written.note(stream, at);
        met.all(written, stream);
    }

    /// Lines that a full disk loses are told once.
    fn complain(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if !self.complained => {
                self.complained = true;
                warn!(container = self.container, %error, "a container's log cannot be written; lines are lost");
            }
            Err(_) => {}
        }
    }
}

/// A little after the end was told: the stream that is being followed ends by itself.
async fn over(told: &mut watch::Receiver<bool>) {
    let _ = told.wait_for(|ended| *ended).await;
    sleep(LAST_WORDS).await;
}

/// `2026-11-25T02:20:00.123456789Z text`
fn stamped(message: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = message.iter().position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&message[..space]).ok()?.parse().ok()?;
    Some((at, &message[space + 1..]))
}

/// The last piece of each stream that stands on disk.
#[derive(Debug, Default, PartialEq, Eq)]
struct Written {
    stdout: Mark,
    stderr: Mark,
}

/// A stamp, and how many pieces bear it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Mark {
    at: Option<Timestamp>,
    pieces: usize,
}

/// Pieces of the last stamp that were met again since a stream was opened.
#[derive(Debug, Default)]
struct Met {
    stdout: usize,
    stderr: usize,
}

impl Met {
    /// A piece was written: with it, everything of its stamp was met.
    fn all(&mut self, written: &Written, stream: Stream) {
        *self.of(stream) = written.mark(stream).pieces;
    }

    fn of(&mut self, stream: Stream) -> &mut usize {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl Written {
    /// Reads the folder's log. Where its oldest file went already, nothing older than what is left is written again.
    fn read(dir: &Path) -> io::Result<Self> {
        let mut written = Self::default();
        let closed = writer::closed(dir)?;
        let mut files: Vec<PathBuf> = closed
            .iter()
            .map(|number| writer::closed_name(dir, *number))
            .collect();
        files.push(dir.join(writer::OPEN));
        let rotated_out = closed.first().is_some_and(|oldest| *oldest > 1);
        for file in files {
            let text = match std::fs::read(file) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for piece in text.split(|byte| *byte == b'\n').filter_map(Piece::parse) {
                if rotated_out && written == Self::default() {
                    let floor = Mark {
                        at: Some(piece.at),
                        pieces: usize::MAX,
                    };
                    (written.stdout, written.stderr) = (floor, floor);
                }
                written.note(piece.stream, piece.at);
            }
        }
        Ok(written)
    }

    fn mark(&self, stream: Stream) -> &Mark {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn note(&mut self, stream: Stream, at: Timestamp) {
        let mark = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if mark.at == Some(at) {
            mark.pieces = mark.pieces.saturating_add(1);
        } else {
            *mark = Mark {
                at: Some(at),
                pieces: 1,
            };
        }
    }

    /// From when on the engine is asked, in whole seconds: its own filter takes the beginning in.
    fn since(&self) -> i32 {
        let earliest = match (self.stdout.at, self.stderr.at) {
            (Some(one), Some(other)) => one.min(other),
            // The stream that has nothing yet may have said something before the other's last line.
            _ => return 0,
        };
        i32::try_from(earliest.as_second()).unwrap_or(0)
    }

    /// Is this piece not on disk yet?
    fn is_new(&self, stream: Stream, at: Timestamp, met: &mut Met) -> bool {
        let mark = self.mark(stream);
        let Some(last) = mark.at else { return true };
        if at != last {
            return at > last;
        }
        let met = met.of(stream);
        *met += 1;
        *met > mark.pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Plays what the engine says anew, as a new supervisor meets it; returns what is written.
    fn replay(written: &mut Written, pieces: &[(Stream, i64)]) -> Vec<usize> {
        let mut met = Met::default();
        let mut new = Vec::new();
        for (index, (stream, second)) in pieces.iter().enumerate() {
            if written.is_new(*stream, at(*second), &mut met) {
                written.note(*stream, at(*second));
                met.all(written, *stream);
                new.push(index);
            }
        }
        new
    }

    #[test]
    fn what_stands_is_not_written_again_and_what_follows_is() {
        use Stream::{Stderr as E, Stdout as O};
        let said = [(O, 1), (E, 2), (O, 5), (O, 5), (E, 4), (O, 5), (E, 6)];
        for seen in 0..=said.len() {
            let mut written = Written::default();
            assert_eq!(replay(&mut written, &said[..seen]).len(), seen);
            let rest: Vec<usize> = (seen..said.len()).collect();
            assert_eq!(replay(&mut written, &said), rest, "after {seen}");
        }
    }

    #[test]
    fn a_folder_tells_what_stands_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = LogRotation {
            max_bytes: 90,
            max_files: 2,
        };
        let mut log = LogWriter::open(dir.path(), rotation).unwrap();
        for second in [10, 20, 20, 30] {
            log.begin_at(at(second));
            log.add(Stream::Stdout, Tag::Full, b"a line of some length")
                .unwrap();
            log.commit().unwrap();
        }
        let written = Written::read(dir.path()).unwrap();
        assert_eq!(written.stdout.at, Some(at(30)));
        // The oldest lines went; standard error is not taken up from before what is left.
        assert_eq!(written.stderr.at, Some(at(20)));
        assert_eq!(written.since(), 20);
    }

    #[test]
    fn a_stamp_is_told_from_the_text() {
        let (when, text) = stamped(b"2026-11-25T02:20:00.5Z a b\n").unwrap();
        assert_eq!(when.to_string(), "2026-11-25T02:20:00.5Z");
        assert_eq!(text, b"a b\n");
        assert_eq!(stamped(b"no stamp"), None);
    }
}
