//! HTTP/1.1 over one connection, as the client needs it: sends bytes, reads a head, reads a body, and knows at
//! every moment whether an answer has begun. What is asked and what is expected is the exchanges' affair.

use crate::outcome::{Fault, Reason, Who};
use bytes::{Buf, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Longer heads are refused.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// More fields are refused.
const MAX_FIELDS: usize = 64;

/// A connection with at most one request under way.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
    deadline: Instant,
    head_done: bool,
}

/// How long a body is (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) who: Who,
    length: Length,
    /// The connection may be used again once the body was read.
    pub(crate) keep: bool,
}

impl Wire {
    /// Connects; everything on it ends at `deadline`.
    pub(crate) async fn open(address: SocketAddr, deadline: Instant) -> Result<Self, Fault> {
        let reason = match timeout_at(deadline, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it a small piece of a body waits for the answer to the piece before.
                let _ = stream.set_nodelay(true);
                return Ok(Self {
                    stream,
                    buffer: BytesMut::new(),
                    deadline,
                    head_done: false,
                });
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Reason::Refused,
            Ok(Err(_)) => Reason::NotConnected,
            Err(_) => Reason::Timeout,
        };
        Err(Fault {
            reason,
            answer_begun: false,
        })
    }

    /// Ready for the next request; `false` when the other side has closed, or sent what nobody asked for.
    pub(crate) fn renew(&mut self, deadline: Instant) -> bool {
        self.deadline = deadline;
        self.head_done = false;
        let mut byte = [0];
        let quiet = matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        quiet && self.buffer.is_empty()
    }

    /// The connection as it is, for a protocol that is not HTTP any more.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// A fault as of now.
    pub(crate) fn fault(&self, reason: Reason) -> Fault {
        Fault {
            reason,
            answer_begun: self.head_done || !self.buffer.is_empty(),
        }
    }

    /// Sends. A connection that broke is no fault yet: an answer may have come before it did.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match timeout_at(self.deadline, self.stream.write_all(bytes)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.fault(Reason::Timeout)),
        }
    }

    /// Waits until `moment`, or until something can be read.
    pub(crate) async fn pause_until(&self, moment: Instant) -> Paused {
        match timeout_at(moment, self.stream.ready(Interest::READABLE)).await {
            Ok(_) => Paused::Interrupted,
            Err(_) => Paused::Whole,
        }
    }

    /// Reads the answer's head; interim answers (RFC 9110 section 15.2) are skipped.
    pub(crate) async fn head(&mut self) -> Result<Head, Fault> {
        loop {
            if let Some((head, length)) = self.parse_head()? {
                self.buffer.advance(length);
                if (100..200).contains(&head.status) {
                    continue;
                }
                self.head_done = true;
                return Ok(head);
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(self.fault(Reason::NotHttp));
            }
            if !self.read().await? {
                return Err(self.fault(Reason::ResetBeforeHead));
            }
        }
    }

    fn parse_head(&self) -> Result<Option<(Head, usize)>, Fault> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        match answer.parse(&self.buffer) {
            Ok(httparse::Status::Partial) => Ok(None),
            Ok(httparse::Status::Complete(length)) => {
                let head = head_of(&answer).ok_or_else(|| self.fault(Reason::NotHttp))?;
                Ok(Some((head, length)))
            }
            Err(_) => Err(self.fault(Reason::NotHttp)),
        }
    }

    /// Reads the body to its end.
    pub(crate) async fn body(
        &mut self,
        head: &Head,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Fault> {
        match head.length {
            Length::Known(length) => self.exactly(length, &mut sink).await,
            Length::UntilClose => loop {
                sink(&self.buffer);
                self.buffer.clear();
                if !self.read().await? {
                    return Ok(());
                }
            },
            Length::Chunked => loop {
                let line = self.line().await?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size =
                    u64::from_str_radix(size, 16).map_err(|_| self.fault(Reason::NotHttp))?;
                if size == 0 {
                    while !self.line().await?.is_empty() {}
                    return Ok(());
                }
                self.exactly(size, &mut sink).await?;
                if !self.line().await?.is_empty() {
                    return Err(self.fault(Reason::NotHttp));
                }
            },
        }
    }

    async fn exactly(
        &mut self,
        mut length: u64,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), Fault> {
        while length > 0 {
            if self.buffer.is_empty() && !self.read().await? {
                return Err(self.fault(Reason::ResetInBody));
            }
            let take = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len());
            sink(&self.buffer[..take]);
            self.buffer.advance(take);
            length -= take as u64;
        }
        Ok(())
    }

    /// A line of the chunked coding, without its end.
    async fn line(&mut self) -> Result<String, Fault> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return String::from_utf8(line.to_vec()).map_err(|_| self.fault(Reason::NotHttp));
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(self.fault(Reason::NotHttp));
            }
            if !self.read().await? {
                return Err(self.fault(Reason::ResetInBody));
            }
        }
    }

    /// More bytes; `false` at the end of the connection.
    async fn read(&mut self) -> Result<bool, Fault> {
        let read = self.stream.read_buf(&mut self.buffer);
        match timeout_at(self.deadline, read).await {
            Ok(Ok(count)) => Ok(count > 0),
            Ok(Err(_)) if self.head_done => Err(self.fault(Reason::ResetInBody)),
            Ok(Err(_)) => Err(self.fault(Reason::ResetBeforeHead)),
            Err(_) => Err(self.fault(Reason::Timeout)),
        }
    }
}

/// `None` when its fields contradict each other.
fn head_of(answer: &httparse::Response<'_, '_>) -> Option<Head> {
    let status = answer.code?;
    let mut length = Length::UntilClose;
    let mut keep = answer.version == Some(1);
    let mut who = Who::default();
    for field in answer.headers.iter() {
        let value = std::str::from_utf8(field.value).ok()?.trim();
        match field.name.to_ascii_lowercase().as_str() {
            "content-length" => {
                // Two lengths: one of them would be somebody else's answer.
                if length != Length::UntilClose {
                    return None;
                }
                length = Length::Known(value.parse().ok()?);
            }
            "transfer-encoding" => {
                if length != Length::UntilClose || !value.eq_ignore_ascii_case("chunked") {
                    return None;
                }
                length = Length::Chunked;
            }
            "connection" if value.eq_ignore_ascii_case("close") => keep = false,
            "x-task" => who.task = value.to_owned(),
            "x-revision" => who.revision = value.to_owned(),
            "x-pid" => who.pid = u32::from_str(value).unwrap_or_default(),
            _ => {}
        }
    }
    if matches!(status, 204 | 304) {
        length = Length::Known(0);
    }
    Some(Head {
        status,
        who,
        keep: keep && length != Length::UntilClose,
        length,
    })
}

/// How a pause ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paused {
    Whole,
    Interrupted,
}
