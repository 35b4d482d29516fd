//! Moves a task's output from its pipes to its log. One thread a pipe, so that a slow disk never delays a stop.

use super::fault;
use crate::logs::line::{Splitter, Stream};
use crate::logs::writer::LogWriter;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::mpsc::UnboundedSender;

/// As much as a pipe holds by default (pipe(7)).
const READ_BYTES: usize = 64 * 1024;

/// Reads the pipe on a thread of its own until its last writer closes it, then says so.
pub(crate) fn collect(
    pipe: impl Read + Send + 'static,
    stream: Stream,
    log: Arc<Mutex<LogWriter>>,
    closed: UnboundedSender<Stream>,
) -> io::Result<()> {
    let collector = move || {
        copy(pipe, stream, &log);
        // Nobody listens any more when the shim gave up waiting.
        let _ = closed.send(stream);
    };
    thread::Builder::new()
        .name(stream.to_string())
        .stack_size(256 * 1024)
        .spawn(collector)?;
    Ok(())
}

/// A write that fails (a full disk) loses those lines and says so once; the pipe is read on, so the task never blocks on it.
fn copy(mut pipe: impl Read, stream: Stream, log: &Mutex<LogWriter>) {
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut complained = false;
    loop {
        let length = match pipe.read(&mut buffer) {
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                fault(format_args!("cannot read {stream}: {e}"));
                0
            }
        };
        let written = append(log, stream, &mut splitter, &buffer[..length]);
        match written {
            Err(e) if !complained => {
                complained = true;
                fault(format_args!("cannot write the log, lines are lost: {e}"));
            }
            Err(_) => {}
            Ok(()) => complained = false,
        }
        if length == 0 {
            return;
        }
    }
}

/// Writes what the read completed; an empty read ends the stream.
fn append(
    log: &Mutex<LogWriter>,
    stream: Stream,
    splitter: &mut Splitter,
    bytes: &[u8],
) -> io::Result<()> {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.begin();
    let mut result = Ok(());
    let mut add = |tag, text: &[u8]| {
        if let Err(e) = log.add(stream, tag, text) {
            result = Err(e);
        }
    };
    match bytes.is_empty() {
        true => splitter.finish(&mut add),
        false => splitter.push(bytes, &mut add),
    }
    result.and(log.commit())
}
