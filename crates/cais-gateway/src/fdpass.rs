//! Moves frames and descriptors over a Unix socket (SCM_RIGHTS); what a frame says is left to its caller.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Descriptors that travel with one frame. Linux refuses more than 253 in one message (`SCM_MAX_FD`).
pub(crate) const MAX_DESCRIPTORS: usize = 200;
/// Bytes of one frame that are accepted: a table of ten thousand targets is a tenth of it.
const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// Why a frame could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The socket failed.
    #[error("the control socket failed")]
    Io(#[from] io::Error),
    /// The frame is not what the protocol says.
    #[error("a frame is not valid JSON for this protocol")]
    Json(#[from] serde_json::Error),
    /// The length field is out of bounds.
    #[error("a frame of `{0}` bytes is too long")]
    TooLong(usize),
    /// The peer closed in the middle of a frame.
    #[error("the peer closed in the middle of a frame")]
    Torn,
    /// Fewer descriptors arrived than the frame names.
    #[error("a frame names `{named}` sockets and `{arrived}` came with it")]
    SocketsMissing {
        /// Named by the frame.
        named: usize,
        /// That arrived.
        arrived: usize,
    },
}

/// Writes one frame with its descriptors, which stay open here.
pub(crate) async fn write_frame<M: Serialize>(
    stream: &UnixStream,
    message: &M,
    sockets: &[BorrowedFd<'_>],
) -> Result<(), FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let len = frame.len() - 4;
    if len > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(len));
    }
    frame[..4].copy_from_slice(
        &u32::try_from(len)
            .map_err(|_| FrameError::TooLong(len))?
            .to_be_bytes(),
    );

    let mut sent = 0;
    while sent < frame.len() {
        // The descriptors ride on the first bytes; the receiver keeps them in order until the frame is whole.
        let riding = if sent == 0 { sockets } else { &[] };
        sent += stream
            .async_io(Interest::WRITABLE, || {
                send(stream.as_fd(), &frame[sent..], riding)
            })
            .await?;
    }
    Ok(())
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many descriptors for one frame",
        ));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        flags,
    )?)
}

/// Reads frames from one stream; descriptors wait here until the frame that names them asks for them.
pub(crate) struct FrameReader<'a> {
    stream: &'a UnixStream,
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl<'a> FrameReader<'a> {
    pub(crate) fn new(stream: &'a UnixStream) -> Self {
        Self {
            stream,
            bytes: Vec::new(),
            descriptors: VecDeque::new(),
        }
    }

    /// The next frame; `None` when the peer closed between two.
    pub(crate) async fn next<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameError> {
        loop {
            if let Some(len) = self
                .bytes
                .first_chunk::<4>()
                .map(|len| u32::from_be_bytes(*len) as usize)
            {
                if len > MAX_FRAME_BYTES {
                    return Err(FrameError::TooLong(len));
                }
                if self.bytes.len() >= 4 + len {
                    let message = serde_json::from_slice(&self.bytes[4..4 + len])?;
                    self.bytes.drain(..4 + len);
                    return Ok(Some(message));
                }
            }
            let received = self
                .stream
                .async_io(Interest::READABLE, || self.receive())
                .await;
            let (bytes, descriptors) = received?;
            self.descriptors.extend(descriptors);
            if bytes.is_empty() {
                return if self.bytes.is_empty() {
                    Ok(None)
                } else {
                    Err(FrameError::Torn)
                };
            }
            self.bytes.extend_from_slice(&bytes);
        }
    }

    /// The descriptors of the frame just read, as many as it names.
    pub(crate) fn take_sockets(&mut self, named: usize) -> Result<Vec<OwnedFd>, FrameError> {
        let arrived = self.descriptors.len();
        if arrived < named {
            return Err(FrameError::SocketsMissing { named, arrived });
        }
        Ok(self.descriptors.drain(..named).collect())
    }

    fn receive(&self) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; 64 * 1024];
        let mut space =
            vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let message = rustix::net::recvmsg(
            self.stream.as_fd(),
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            flags,
        )?;
        let mut descriptors = Vec::new();
        for item in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = item {
                descriptors.extend(rights);
            }
        }
        bytes.truncate(message.bytes);
        Ok((bytes, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToGateway;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as StdStream;

    #[tokio::test]
    async fn frames_keep_their_descriptors_apart() {
        let (a, b) = UnixStream::pair().unwrap();
        let mut peers = Vec::new();
        for (at, count) in [2usize, 0, 1].into_iter().enumerate() {
            let pairs: Vec<_> = (0..count).map(|_| StdStream::pair().unwrap()).collect();
            let fds: Vec<_> = pairs.iter().map(|(_, there)| there.as_fd()).collect();
            write_frame(
                &a,
                &ToGateway::Shutdown {
                    grace_ms: at as u64,
                },
                &fds,
            )
            .await
            .unwrap();
            peers.push(pairs.into_iter().map(|(here, _)| here).collect::<Vec<_>>());
        }
        let mut reader = FrameReader::new(&b);
        for (at, here) in peers.iter_mut().enumerate() {
            let frame: ToGateway = reader.next().await.unwrap().unwrap();
            assert_eq!(
                frame,
                ToGateway::Shutdown {
                    grace_ms: at as u64
                }
            );
            let arrived = reader.take_sockets(here.len()).unwrap();
            for (stream, descriptor) in here.iter_mut().zip(arrived) {
                StdStream::from(descriptor).write_all(b"x").unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                assert_eq!(&byte, b"x");
            }
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_torn_too_long_or_no_json_is_an_error() {
        for (bytes, error) in [
            (
                &b"\x00\x00\x00\x09{}"[..],
                "the peer closed in the middle of a frame",
            ),
            (
                b"\xff\xff\xff\xff",
                "a frame of `4294967295` bytes is too long",
            ),
            (
                b"\x00\x00\x00\x02{}",
                "a frame is not valid JSON for this protocol",
            ),
        ] {
            let (a, b) = UnixStream::pair().unwrap();
            a.try_write(bytes).unwrap();
            drop(a);
            let found = FrameReader::new(&b).next::<ToGateway>().await.unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }
}
