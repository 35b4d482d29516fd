//! Finds out what a client speaks by the first bytes it sends; a connection that has sent nothing yet costs
//! a socket, a timer and this.

use crate::guard::{HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, Wire};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// RFC 9113 section 3.4.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A connection that was accepted just before the end has a request on its way: it is waited for, once.
pub(crate) const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// What a connection begins with.
pub(crate) struct Beginning {
    /// All that was read.
    pub(crate) bytes: Vec<u8>,
    pub(crate) http2: bool,
}

/// Reads until it is sure; `None` when the client leaves, says nothing, or has to go.
pub(crate) async fn sniff(stream: &TcpStream, wire: &Wire) -> Option<Beginning> {
    let mut bytes = Vec::new();
    let mut timer = pin!(sleep(KEEP_ALIVE_TIMEOUT));
    let mut told = false;
    loop {
        let readable = poll_fn(|cx| {
            wire.driven_by(cx.waker());
            if wire.stopping() && !told {
                told = true;
                timer.as_mut().reset(Instant::now() + FIRST_REQUEST_GRACE);
            }
            match stream.poll_read_ready(cx) {
                Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
                Poll::Pending => timer.as_mut().poll(cx).map(|()| false),
            }
        });
        if !readable.await {
            return None;
        }
        if !read_some(stream, &mut bytes)? {
            continue;
        }
        let compared = bytes.len().min(HTTP2_PREFACE.len());
        if bytes[..compared] != HTTP2_PREFACE[..compared] {
            return Some(Beginning {
                bytes,
                http2: false,
            });
        }
        if compared == HTTP2_PREFACE.len() {
            return Some(Beginning { bytes, http2: true });
        }
        timer.as_mut().reset(Instant::now() + HEAD_TIMEOUT);
    }
}

/// What there is, usually a whole request; `None` at the end of the stream. The buffer lives only in here, so
/// that a waiting connection does not hold it.
fn read_some(stream: &TcpStream, bytes: &mut Vec<u8>) -> Option<bool> {
    let mut buffer = [0; 4096];
    match stream.try_read(&mut buffer) {
        Ok(0) => None,
        Ok(read) => {
            bytes.extend_from_slice(&buffer[..read]);
            Some(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(false),
        Err(_) => None,
    }
}
