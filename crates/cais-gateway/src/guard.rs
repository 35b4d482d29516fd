//! Stands between a client's socket and hyper: every byte passes the [`Framing`] first, and what it refuses
//! hyper never sees. It keeps the connection's clock readings; who acts on them is the connection's driver.

use crate::framing::{Framing, Refusal, Stop};
use crate::tunnel::PendingTunnel;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A head has to be whole after this time.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection without a request ends after this time.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// A client that takes none of what is sent to it is given up after this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a connection's parts know of each other: guard, driver, requests, and the core that stops them.
pub(crate) struct Wire {
    framing: RefCell<Framing>,
    /// Read from the socket, not yet passed on.
    held: RefCell<Vec<u8>>,
    held_waker: RefCell<Option<Waker>>,
    refused: Cell<Option<Refusal>>,
    head_since: Cell<Option<Instant>>,
    idle_since: Cell<Instant>,
    blocked_since: Cell<Option<Instant>>,
    flushed: Cell<bool>,
    /// Whole heads that passed (HTTP/1) or requests that began (HTTP/2).
    begun: Cell<u64>,
    ended: Cell<u64>,
    stopping: Cell<bool>,
    driver: RefCell<Option<Waker>>,
    /// Where an upgraded connection goes on.
    pub(crate) tunnel: RefCell<Option<PendingTunnel>>,
}

/// What the connection's next deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// The head that has begun.
    Head,
    /// The next request.
    Idle,
    /// The client taking bytes.
    Write,
}

impl Wire {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            framing: RefCell::new(Framing::new()),
            held: RefCell::default(),
            held_waker: RefCell::default(),
            refused: Cell::new(None),
            head_since: Cell::new(None),
            idle_since: Cell::new(Instant::now()),
            blocked_since: Cell::new(None),
            flushed: Cell::new(true),
            begun: Cell::new(0),
            ended: Cell::new(0),
            stopping: Cell::new(false),
            driver: RefCell::default(),
            tunnel: RefCell::default(),
        })
    }

    /// The connection turned out not to be HTTP/1: nothing is judged any more.
    pub(crate) fn pass_everything(&self) {
        self.framing.borrow_mut().tunnel();
    }

    /// Bytes that were read before the guard stood there.
    pub(crate) fn preload(&self, bytes: &[u8]) {
        self.held.borrow_mut().extend_from_slice(bytes);
        self.head_since.set((!bytes.is_empty()).then(Instant::now));
    }

    pub(crate) fn refused(&self) -> Option<Refusal> {
        self.refused.get()
    }

    /// A request of HTTP/2 began; HTTP/1's are counted by the guard.
    pub(crate) fn request_begun(&self) {
        self.begun.set(self.begun.get() + 1);
    }

    /// A request's answer is over.
    pub(crate) fn request_ended(&self) {
        self.ended.set(self.ended.get() + 1);
        self.idle_since.set(Instant::now());
    }

    /// The request being answered stays in HTTP: if it asked to leave, what follows it is HTTP again.
    pub(crate) fn stay_http(&self) {
        let mut framing = self.framing.borrow_mut();
        // A later, pipelined request may be the one that waits for its own decision.
        if framing.heads() != self.ended.get() + 1 {
            return;
        }
        framing.resume();
        drop(framing);
        if let Some(waker) = self.held_waker.take() {
            waker.wake();
        }
    }

    /// A request is being answered.
    pub(crate) fn busy(&self) -> bool {
        self.begun.get() != self.ended.get()
    }

    /// Nothing of a request or of its answer is on its way.
    pub(crate) fn quiet(&self) -> bool {
        !self.busy() && self.flushed.get()
    }

    /// Part of a request has been read that nobody will read on.
    pub(crate) fn amid_request(&self) -> bool {
        let framing = self.framing.borrow();
        self.refused.get().is_some() || framing.in_body() || framing.in_head()
    }

    pub(crate) fn in_head(&self) -> bool {
        self.head_since.get().is_some()
    }

    /// Asks the driver to finish.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The driver's task, to be woken by [`Wire::stop`].
    pub(crate) fn driven_by(&self, waker: &Waker) {
        let mut driver = self.driver.borrow_mut();
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    /// When the connection is to end unless something happens.
    pub(crate) fn deadline(&self) -> Option<(Instant, Deadline)> {
        if let Some(since) = self.blocked_since.get() {
            return Some((since + WRITE_TIMEOUT, Deadline::Write));
        }
        if self.busy() {
            return None;
        }
        let idle = self.idle_since.get();
        Some(match self.head_since.get() {
            Some(since) => (since.max(idle) + HEAD_TIMEOUT, Deadline::Head),
            None => (idle + KEEP_ALIVE_TIMEOUT, Deadline::Idle),
        })
    }

    /// What was read and not passed on: the first bytes of a tunnel.
    pub(crate) fn take_held(&self) -> Vec<u8> {
        self.held.take()
    }

    fn holding(&self) -> bool {
        self.framing.borrow().holding()
    }

    /// Judges bytes; says how many may pass.
    fn judge(&self, bytes: &[u8]) -> (usize, Option<Stop>) {
        let mut framing = self.framing.borrow_mut();
        let before = framing.heads();
        let fed = framing.feed(bytes);
        self.begun.set(self.begun.get() + framing.heads() - before);
        match (
            framing.in_head() && fed.stop.is_none(),
            self.head_since.get(),
        ) {
            (true, None) => self.head_since.set(Some(Instant::now())),
            (false, Some(_)) => self.head_since.set(None),
            _ => {}
        }
        if let Some(Stop::Refused(refusal)) = fed.stop {
            self.refused.set(Some(refusal));
        }
        (fed.passed, fed.stop)
    }
}

/// A client's socket as hyper sees it.
pub(crate) struct Guard {
    pub(crate) stream: TcpStream,
    wire: Rc<Wire>,
}

impl Guard {
    pub(crate) fn new(stream: TcpStream, wire: Rc<Wire>) -> Self {
        Self { stream, wire }
    }

    /// After a refusal: within a body the request in flight has to fail; within a head nothing more
    /// arrives, and the driver answers once earlier requests are answered.
    fn after_refusal(&self) -> Poll<io::Result<()>> {
        if self.wire.framing.borrow().refused_in_body() {
            Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the body's framing is not valid",
            )))
        } else {
            Poll::Pending
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let wire = &this.wire;
        if wire.refused().is_some() {
            return this.after_refusal();
        }
        if wire.holding() {
            *wire.held_waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut held = wire.held.borrow_mut();
        let passed = if held.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let new = &buf.filled()[before..];
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let (passed, stop) = wire.judge(new);
            if stop == Some(Stop::Hold) {
                held.extend_from_slice(&new[passed..]);
            }
            buf.set_filled(before + passed);
            passed
        } else {
            let offered = held.len().min(buf.remaining());
            let (passed, _) = wire.judge(&held[..offered]);
            buf.put_slice(&held[..passed]);
            held.drain(..passed);
            if held.is_empty() {
                *held = Vec::new();
            }
            passed
        };
        drop(held);
        if passed > 0 {
            return Poll::Ready(Ok(()));
        }
        if wire.holding() {
            *wire.held_waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        this.after_refusal()
    }
}

impl Guard {
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending if self.wire.blocked_since.get().is_none() => {
                self.wire.blocked_since.set(Some(Instant::now()));
            }
            Poll::Pending => {}
            Poll::Ready(_) => self.wire.blocked_since.set(None),
        }
        self.wire.flushed.set(false);
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket only when its own buffer is empty.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wire.flushed.set(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
