//! Connections to targets: opens them, keeps idle ones per core, and gives out only those that live. It knows
//! nothing of routing; the key is a target's state and the address it serves on.

use crate::upload::UploadBody;
use hyper::client::conn::http1::{Builder, Parts, SendRequest};
use hyper_util::rt::TokioIo;
use rustix::net::{RecvFlags, Shutdown};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Idle connections kept per target and core.
const KEPT_PER_TARGET: usize = 256;
/// An idle connection older than this is closed: many servers close after 60 s, and guessing when is a race.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of a response head that are accepted.
const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// Bytes that crossed a connection: what decides whether a request may be sent again.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    read: Cell<u64>,
    written: Cell<u64>,
}

/// A meter's reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// A task's socket as hyper sees it.
#[derive(Debug)]
pub(crate) struct UpstreamIo {
    stream: Rc<TcpStream>,
    meter: Rc<Meter>,
}

/// A connection to a target, in use by one request.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<UploadBody>,
    stream: Rc<TcpStream>,
    meter: Rc<Meter>,
    key: (u64, SocketAddr),
    idle_since: Instant,
    /// It has carried a request before.
    pub(crate) reused: bool,
    driver: JoinHandle<Option<Parts<TokioIo<UpstreamIo>>>>,
}

impl Connection {
    /// Connects; `target` is the id of the target's state.
    ///
    /// # Errors
    /// What the system said, or `TimedOut` after `timeout`.
    pub(crate) async fn open(
        target: u64,
        address: SocketAddr,
        timeout: Duration,
    ) -> io::Result<Self> {
        let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let stream = Rc::new(stream);
        let meter = Rc::new(Meter::default());
        let io = TokioIo::new(UpstreamIo {
            stream: Rc::clone(&stream),
            meter: Rc::clone(&meter),
        });
        let (sender, connection) = Builder::new()
            .max_buf_size(MAX_BUFFER_BYTES)
            .handshake(io)
            .await
            .map_err(io::Error::other)?;
        let driver =
            tokio::task::spawn_local(async move { connection.without_shutdown().await.ok() });
        Ok(Self {
            sender,
            stream,
            meter,
            key: (target, address),
            idle_since: Instant::now(),
            reused: false,
            driver,
        })
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading {
            read: self.meter.read.get(),
            written: self.meter.written.get(),
        }
    }

    /// After a 101: the socket, and what of the tunnel was already read.
    pub(crate) async fn into_tunnel(self) -> Option<(UpstreamIo, bytes::Bytes)> {
        drop(self.sender);
        let parts = self.driver.await.ok().flatten()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// The peer has neither closed nor said anything unasked. hyper learns of a close only when its task
    /// runs next; one `recv` that takes nothing knows it now.
    fn lives(&self) -> bool {
        let mut byte = [0];
        !self.sender.is_closed()
            && rustix::net::recv(
                &*self.stream,
                &mut byte,
                RecvFlags::PEEK | RecvFlags::DONTWAIT,
            )
            .err()
                == Some(rustix::io::Errno::AGAIN)
    }
}

/// A core's idle connections.
#[derive(Default)]
pub(crate) struct Pools {
    idle: RefCell<HashMap<(u64, SocketAddr), Vec<Connection>>>,
}

impl Pools {
    /// A living idle connection, the one used last first.
    pub(crate) async fn take(&self, target: u64, address: SocketAddr) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().get_mut(&(target, address))?.pop()?;
            connection.reused = true;
            // Its task may not have run since the last answer ended: then it is ready in a moment.
            if connection.lives()
                && (connection.sender.is_ready() || connection.sender.ready().await.is_ok())
            {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer, and request, are whole.
    pub(crate) fn put(&self, mut connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let kept = idle.entry(connection.key).or_default();
        if kept.len() < KEPT_PER_TARGET {
            kept.push(connection);
        }
    }

    /// Closes what can no longer be picked.
    pub(crate) fn keep_only(&self, serving: &HashSet<u64>) {
        self.idle
            .borrow_mut()
            .retain(|(target, _), _| serving.contains(target));
    }

    /// Closes what is too old or was closed by its peer.
    pub(crate) fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, kept| {
            kept.retain(|c| !c.sender.is_closed() && c.idle_since.elapsed() < IDLE_LIMIT);
            !kept.is_empty()
        });
    }
}

impl UpstreamIo {
    /// A fresh connection's socket, for a TCP forward.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.meter.read.get()
    }

    fn count_read(&self, bytes: usize) {
        self.meter.read.set(self.meter.read.get() + bytes as u64);
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(bytes) => {
                    self.meter
                        .written
                        .set(self.meter.written.get() + bytes as u64);
                    return Poll::Ready(Ok(bytes));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(bytes) => {
                    self.count_read(bytes);
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&*self.stream, Shutdown::Write) {
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use tokio::task::LocalSet;

    /// What becomes of a kept connection after its peer did this, before this core's runtime could notice.
    async fn check(
        does: impl FnOnce(std::net::TcpStream) -> Option<std::net::TcpStream>,
        taken: bool,
    ) {
        LocalSet::new()
            .run_until(async {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let connection = Connection::open(1, address, Duration::from_secs(9))
                    .await
                    .unwrap();
                let (peer, _) = listener.accept().unwrap();
                let pools = Pools::default();
                pools.put(connection);
                let _peer = does(peer);
                assert_eq!(pools.take(1, address).await.is_some(), taken);
                assert!(pools.take(1, address).await.is_none());
            })
            .await;
    }

    #[tokio::test]
    async fn only_a_connection_that_lives_is_given_out() {
        check(Some, true).await;
        check(|_closed| None, false).await;
        check(
            |mut peer| {
                peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
                    .unwrap();
                Some(peer)
            },
            false,
        )
        .await;
    }

    #[tokio::test]
    async fn connections_to_targets_that_no_longer_serve_are_closed() {
        LocalSet::new()
            .run_until(async {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let pools = Pools::default();
                for target in [1, 2] {
                    pools.put(
                        Connection::open(target, address, Duration::from_secs(9))
                            .await
                            .unwrap(),
                    );
                }
                pools.keep_only(&HashSet::from([2]));
                assert!(pools.take(1, address).await.is_none());
                assert!(pools.take(2, address).await.is_some());
            })
            .await;
    }
}
