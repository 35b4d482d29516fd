//! The supervisor's end of the control socket: sends what the gateway is to do, hears what it did.

use crate::fdpass::{FrameError, FrameReader, MAX_DESCRIPTORS, write_frame};
use crate::protocol::{FromGateway, ToGateway};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc};

/// Why the gateway could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the control socket.
    #[error("cannot connect to the gateway at `{path}`")]
    Connect {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A frame could not be sent.
    #[error("cannot send to the gateway")]
    Send(#[source] FrameError),
    /// A Listen names another number of sockets than were given.
    #[error("a message names `{named}` sockets and `{given}` were given")]
    SocketCount {
        /// Named by the message.
        named: usize,
        /// Given beside it.
        given: usize,
    },
}

/// The sending half; clones share one connection and frames never mix.
#[derive(Debug, Clone)]
pub struct GatewayClient {
    stream: Arc<UnixStream>,
    /// One frame at a time.
    sending: Arc<Mutex<()>>,
}

/// What the gateway says, with the sockets that travelled beside it. Closed when the connection is.
pub type FromGatewayReceiver = mpsc::UnboundedReceiver<(FromGateway, Vec<OwnedFd>)>;

impl GatewayClient {
    /// Connects; the gateway lets an earlier supervisor go. Must be called within a tokio runtime. The
    /// connection closes when all clones and the receiver are dropped.
    ///
    /// # Errors
    /// When nobody listens at `path`, or not for this user.
    pub async fn connect(path: &Path) -> Result<(Self, FromGatewayReceiver), ClientError> {
        let fail = |source| ClientError::Connect {
            path: path.to_owned(),
            source,
        };
        let stream = Arc::new(UnixStream::connect(path).await.map_err(fail)?);
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(read(Arc::clone(&stream), sender));
        Ok((
            Self {
                stream,
                sending: Arc::default(),
            },
            receiver,
        ))
    }

    /// Sends one message. The sockets are those that a Listen names, in its order; they are duplicated on
    /// their way and closed here. A Listen of more than 200 travels in several frames.
    ///
    /// # Errors
    /// When the connection is gone, or the number of sockets is not the message's.
    pub async fn send(&self, message: ToGateway, sockets: Vec<OwnedFd>) -> Result<(), ClientError> {
        let named = if let ToGateway::Listen { sockets } = &message {
            sockets.len()
        } else {
            0
        };
        if named != sockets.len() {
            return Err(ClientError::SocketCount {
                named,
                given: sockets.len(),
            });
        }
        let _one_at_a_time = self.sending.lock().await;
        let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let ToGateway::Listen { sockets: addresses } = message else {
            return write_frame(&self.stream, &message, &[])
                .await
                .map_err(ClientError::Send);
        };
        for (addresses, sockets) in addresses
            .chunks(MAX_DESCRIPTORS)
            .zip(borrowed.chunks(MAX_DESCRIPTORS))
        {
            let part = ToGateway::Listen {
                sockets: addresses.to_vec(),
            };
            write_frame(&self.stream, &part, sockets)
                .await
                .map_err(ClientError::Send)?;
        }
        Ok(())
    }
}

async fn read(stream: Arc<UnixStream>, sender: mpsc::UnboundedSender<(FromGateway, Vec<OwnedFd>)>) {
    let mut reader = FrameReader::new(&stream);
    let forwarding = async {
        while let Some(message) = reader.next::<FromGateway>().await? {
            let sockets = match &message {
                FromGateway::Sockets { sockets } => reader.take_sockets(sockets.len())?,
                _ => Vec::new(),
            };
            if sender.send((message, sockets)).is_err() {
                break;
            }
        }
        Ok::<_, FrameError>(())
    };
    let ended = tokio::select! {
        ended = forwarding => ended,
        () = sender.closed() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "the gateway's connection is closed");
    }
}
