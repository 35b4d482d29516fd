//! The gateway's end of the control socket: who may connect, frames in, frames out, and records that wait
//! for somebody to read them. What a frame asks for is done by the control thread.

use crate::core::Batch;
use crate::fdpass::{FrameError, FrameReader, write_frame};
use crate::protocol::{FromGateway, RequestRecord, ToGateway};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Records kept while the supervisor is away or slow; older ones are dropped and counted.
const KEPT_RECORDS: usize = 65_536;
/// Records of one frame.
const RECORDS_PER_FRAME: usize = 2_000;
/// How long the last frames may take on their way out.
const FLUSH: Duration = Duration::from_secs(1);

/// What comes from control connections, each marked with its number.
pub(crate) enum Event {
    Connected(UnixStream),
    Message(u64, ToGateway, Vec<OwnedFd>),
    Gone(u64),
}

/// Accepts connections of this user and of root (SO_PEERCRED), and nobody else.
pub(crate) async fn accept(listener: UnixListener, events: mpsc::UnboundedSender<Event>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let own = rustix::process::geteuid();
        match rustix::net::sockopt::socket_peercred(&stream) {
            Ok(peer) if peer.uid == own || peer.uid.is_root() => {
                if events.send(Event::Connected(stream)).is_err() {
                    return;
                }
            }
            Ok(peer) => tracing::warn!(
                uid = peer.uid.as_raw(),
                "a control connection of another user was refused"
            ),
            Err(error) => {
                tracing::warn!(%error, "a control connection of an unknown user was refused");
            }
        }
    }
}

/// Finished requests on their way to a supervisor, present or future.
#[derive(Default)]
pub(crate) struct Backlog {
    records: RefCell<VecDeque<RequestRecord>>,
    dropped: RefCell<u64>,
    some: Notify,
}

impl Backlog {
    pub(crate) fn add(&self, (batch, dropped): Batch) {
        let mut records = self.records.borrow_mut();
        records.extend(batch);
        let excess = records.len().saturating_sub(KEPT_RECORDS);
        records.drain(..excess);
        *self.dropped.borrow_mut() += dropped + excess as u64;
        self.some.notify_one();
    }

    fn take(&self) -> Option<FromGateway> {
        let mut records = self.records.borrow_mut();
        let count = records.len().min(RECORDS_PER_FRAME);
        if count == 0 {
            return None;
        }
        let mut taken: Vec<_> = records.drain(..count).collect();
        // Each core's batch is in order, the batches of several cores are not.
        taken.sort_by_key(|record| record.at_ms);
        if !records.is_empty() {
            self.some.notify_one();
        }
        Some(FromGateway::Records {
            records: taken,
            dropped: self.dropped.take(),
        })
    }
}

/// A connected supervisor; dropping it closes the connection.
pub(crate) struct Supervisor {
    pub(crate) id: u64,
    frames: mpsc::UnboundedSender<(FromGateway, Vec<OwnedFd>)>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Supervisor {
    pub(crate) fn new(
        id: u64,
        stream: UnixStream,
        backlog: Rc<Backlog>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let stream = Rc::new(stream);
        let (frames, outbox) = mpsc::unbounded_channel();
        let reader = tokio::task::spawn_local(read(id, Rc::clone(&stream), events));
        let writer = tokio::task::spawn_local(write(stream, outbox, backlog));
        Self {
            id,
            frames,
            reader,
            writer,
        }
    }

    pub(crate) fn send(&self, frame: FromGateway, sockets: Vec<OwnedFd>) {
        // When the writer has ended, the reader says so too, and the supervisor is let go.
        let _ = self.frames.send((frame, sockets));
    }

    /// Writes what is queued, then closes.
    pub(crate) async fn finish(mut self) {
        let (none, _) = mpsc::unbounded_channel();
        drop(std::mem::replace(&mut self.frames, none));
        let _ = timeout(FLUSH, &mut self.writer).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

async fn read(id: u64, stream: Rc<UnixStream>, events: mpsc::UnboundedSender<Event>) {
    let mut reader = FrameReader::new(&stream);
    if let Err(error) = read_frames(id, &mut reader, &events).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, "the control connection is closed");
    }
    let _ = events.send(Event::Gone(id));
}

async fn read_frames(
    id: u64,
    reader: &mut FrameReader<'_>,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<(), FrameError> {
    while let Some(message) = reader.next::<ToGateway>().await? {
        let sockets = match &message {
            ToGateway::Listen { sockets } => reader.take_sockets(sockets.len())?,
            _ => Vec::new(),
        };
        if events.send(Event::Message(id, message, sockets)).is_err() {
            break;
        }
    }
    Ok(())
}

async fn write(
    stream: Rc<UnixStream>,
    mut outbox: mpsc::UnboundedReceiver<(FromGateway, Vec<OwnedFd>)>,
    backlog: Rc<Backlog>,
) {
    // What a former supervisor did not take.
    backlog.some.notify_one();
    loop {
        let (frame, sockets) = tokio::select! {
            biased;
            next = outbox.recv() => match next {
                Some(next) => next,
                None => break,
            },
            () = backlog.some.notified() => match backlog.take() {
                Some(frame) => (frame, Vec::new()),
                None => continue,
            },
        };
        let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        if write_frame(&stream, &frame, &borrowed).await.is_err() {
            return;
        }
    }
    while let Some(frame) = backlog.take() {
        if write_frame(&stream, &frame, &[]).await.is_err() {
            return;
        }
    }
}
