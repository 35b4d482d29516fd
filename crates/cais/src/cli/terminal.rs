//! The caller's terminal, for a command that runs elsewhere: raw mode, size, what is typed.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::Read;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Keys go through one by one, uninterpreted; dropping it gives the terminal back as it was.
pub(super) struct RawMode {
    before: Option<Termios>,
}

impl RawMode {
    /// Where standard input is no terminal, nothing changes.
    pub(super) fn enter() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &raw);
        }
        Self { before }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Columns and rows.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_col, size.ws_row))
}

/// Told when the size changes.
pub(super) fn resized() -> Option<Signal> {
    signal(SignalKind::window_change()).ok()
}

/// Waits for the next change of size; for ever where none is told.
pub(super) async fn changed(resized: &mut Option<Signal>) {
    match resized {
        Some(resized) => {
            resized.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Standard input. It is read on a thread of its own that nobody waits for: a read cannot be taken back.
pub(super) fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (send, typed) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut buffer = [0; 4096];
        while let Ok(length) = input.read(&mut buffer) {
            if length == 0 || send.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    typed
}
