//! The shim's socket: JSON lines from supervisors of the same user, and the task's end to all of them. What requests do is left to the keeper.

use super::fault;
use super::protocol::{Answer, Request};
use cais_engine::event::ExitStatus;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A request longer than this is not one.
const REQUEST_BYTES: u64 = 64 * 1024;
/// How long a supervisor may take to accept the last word.
const FAREWELL: Duration = Duration::from_secs(1);

/// The socket and its name.
pub(crate) struct Door {
    path: PathBuf,
    listener: UnixListener,
}

impl Door {
    /// Binds the socket. The caller holds the task's lock, so a file that is there belongs to nobody.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = listen(path)?;
        let path = path.to_owned();
        Ok(Self { path, listener })
    }

    /// Opens it anew where its name is gone: logind removes `/run/user/<uid>` with the user's last session,
    /// and cleaners of `/tmp` remove old files. A task whose shim nobody can find could not be stopped.
    pub(crate) fn mend(&mut self) {
        if self.path.try_exists().unwrap_or(true) {
            return;
        }
        let folder = self
            .path
            .parent()
            .map(|folder| DirBuilder::new().recursive(true).mode(0o700).create(folder));
        // Until the user is back there may be no place for it.
        if folder.is_none_or(|created| created.is_ok())
            && let Ok(listener) = listen(&self.path)
        {
            self.listener = listener;
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

/// The name goes with the door.
impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Every supervisor that is connected.
pub(crate) struct Control {
    started: Answer,
    requests: mpsc::UnboundedSender<Request>,
    ended: watch::Sender<Option<ExitStatus>>,
    connections: JoinSet<UnixStream>,
}

impl Control {
    /// `started` is the first line on each connection; what is asked arrives at `requests`.
    pub(crate) fn new(started: Answer, requests: mpsc::UnboundedSender<Request>) -> Self {
        Self {
            started,
            requests,
            ended: watch::Sender::new(None),
            connections: JoinSet::new(),
        }
    }

    /// Takes a new connection in; one from another user is dropped without a word.
    pub(crate) fn welcome(&mut self, stream: UnixStream) {
        while self.connections.try_join_next().is_some() {}
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == geteuid().as_raw() || peer.uid() == 0 => {}
            Ok(peer) => return fault(format_args!("refused a connection of user {}", peer.uid())),
            Err(e) => return fault(format_args!("refused a connection: {e}")),
        }
        let (started, requests) = (self.started.clone(), self.requests.clone());
        self.connections
            .spawn(converse(stream, started, requests, self.ended.subscribe()));
    }

    /// Tells everybody that the task is over. The connections stay open: they end with this process,
    /// and so an end of file also says that the lock is free.
    pub(crate) async fn farewell(&mut self, status: ExitStatus) -> Vec<UnixStream> {
        self.ended.send_replace(Some(status));
        let mut streams = Vec::new();
        let all = async {
            while let Some(stream) = self.connections.join_next().await {
                streams.extend(stream);
            }
        };
        // A supervisor that does not read finds the truth in `exit.json`.
        let _ = timeout(FAREWELL, all).await;
        streams
    }
}

async fn converse(
    stream: UnixStream,
    started: Answer,
    requests: mpsc::UnboundedSender<Request>,
    mut ended: watch::Receiver<Option<ExitStatus>>,
) -> UnixStream {
    let mut stream = BufReader::new(stream);
    if say(&mut stream, &started).await.is_err() {
        return stream.into_inner();
    }
    let mut line = Vec::new();
    loop {
        tokio::select! {
            biased;
            status = end_of(&mut ended) => {
                let _ = say(&mut stream, &Answer::Exited(status)).await;
                return stream.into_inner();
            }
            // Cancellation keeps what was read: `line` outlives the future.
            read = next_line(&mut stream, &mut line) => match read {
                Ok(true) => {
                    match serde_json::from_slice(&line) {
                        Ok(request) => drop(requests.send(request)),
                        Err(e) => drop(say(&mut stream, &Answer::Error(e.to_string())).await),
                    }
                    line.clear();
                }
                _ => return stream.into_inner(),
            },
        }
    }
}

async fn end_of(ended: &mut watch::Receiver<Option<ExitStatus>>) -> ExitStatus {
    // The sender lives as long as the loop that polls this, so an error cannot be.
    let status = ended
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|status| *status);
    status.unwrap_or(ExitStatus::Unknown)
}

/// Reads up to a newline; false at the end of the stream or past the limit.
async fn next_line(stream: &mut BufReader<UnixStream>, line: &mut Vec<u8>) -> io::Result<bool> {
    let room = REQUEST_BYTES.saturating_sub(line.len() as u64);
    stream.take(room).read_until(b'\n', line).await?;
    Ok(line.ends_with(b"\n"))
}

async fn say(stream: &mut BufReader<UnixStream>, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
