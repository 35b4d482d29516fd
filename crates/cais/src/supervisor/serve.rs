//! The control socket's server: who may speak, one request a connection, answers as lines.

use super::{Input, Replies};
use crate::control::{Reply, Request};
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::Paths;
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// A request longer than this is refused: Compose files of a whole stack fit many times.
const REQUEST_LIMIT: u64 = 16 * 1024 * 1024;

/// Binds the control socket. The caller holds the project's lock, so a socket that is there belongs
/// to a supervisor that died.
pub(super) fn bind(paths: &Paths) -> Outcome<UnixListener> {
    let path = paths.control_socket();
    let _ = std::fs::remove_file(&path);
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!(
                "cannot make the control socket `{}`: {error}",
                path.display()
            ),
        )
        .help("set XDG_RUNTIME_DIR to a folder of yours with a short path")
    };
    let listener = UnixListener::bind(&path).map_err(cannot)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(cannot)?;
    Ok(listener)
}

/// Serves until the runtime ends.
pub(super) fn spawn(listener: UnixListener, inbox: mpsc::UnboundedSender<Input>) {
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, inbox.clone()));
                }
                // Out of descriptors: wait for some to come back.
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nobody for a moment");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    });
}

async fn converse(stream: UnixStream, inbox: mpsc::UnboundedSender<Input>) {
    // The folder is 0700 already; this holds where somebody opened it.
    let me = rustix::process::getuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == me || peer.uid() == 0 => {}
        _ => return,
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(REQUEST_LIMIT));
    if reader.read_line(&mut line).await.is_err() || line.is_empty() {
        return;
    }
    let (sender, mut replies) = mpsc::unbounded_channel();
    match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            let _ = inbox.send(Input::Request(Box::new(request), Replies(sender)));
        }
        Err(error) => Replies(sender).send(Reply::Failed {
            exit: Exit::Error,
            message: format!("the supervisor does not know this request: {error}"),
            help: Some(
                "the running supervisor may be of another version: `cais down`, then `cais up -d`"
                    .to_owned(),
            ),
        }),
    }
    drop(line);
    let mut rest = reader.into_inner().into_inner();
    let mut end = [0u8; 1];
    loop {
        tokio::select! {
            reply = replies.recv() => {
                let Some(reply) = reply else { return };
                let last = matches!(
                    reply,
                    Reply::Done { .. } | Reply::Failed { .. } | Reply::Status(_) | Reply::Hello { .. }
                );
                let Ok(mut text) = serde_json::to_vec(&reply) else { return };
                text.push(b'\n');
                if write.write_all(&text).await.is_err() || last {
                    return;
                }
            }
            // The caller left: whoever still answers it notices by the closed channel.
            _ = rest.read(&mut end) => return,
        }
    }
}
