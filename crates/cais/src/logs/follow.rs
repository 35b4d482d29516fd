//! Reads what is on disk and then what is added to it, new tasks included, until told to end.

use super::Line;
use super::cursor::Cursor;
use super::filter::Options;
use super::folder;
use super::read::{Lines, next_wanted, open, read};
use cais_engine::event::TaskId;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Logs are looked at so often: late enough to cost nothing, early enough to feel immediate.
const GLANCE: Duration = Duration::from_millis(100);
/// Lines that wait for a slow reader before the disk is left alone.
const AHEAD: usize = 1024;

/// Follows the logs under the state folder: first what [`super::read()`] would give, then every new line once.
///
/// The channel closes after `end` is cancelled (what was written until then still comes), after `until` has
/// passed, or when the receiver is dropped. Lines of one glance are in the order of their time.
///
/// # Errors
/// When the state folder cannot be listed at the beginning.
pub(crate) fn follow(
    state: &Path,
    options: Options,
    end: CancellationToken,
) -> io::Result<mpsc::Receiver<Line>> {
    let history = read(state, &options)?;
    let state = state.to_owned();
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if let Some(history) = send_history(&sender, history).await {
            let follower = Follower::behind(history, state, options);
            send_news(&sender, follower, &end).await;
        }
    });
    Ok(receiver)
}

/// A part at a time: a history may be larger than memory. `None` when nobody listens any more.
async fn send_history(sender: &mpsc::Sender<Line>, mut history: Lines) -> Option<Lines> {
    loop {
        let read_on = move || {
            let part: Vec<Line> = history.by_ref().take(AHEAD).collect();
            (history, part)
        };
        let (rest, part) = tokio::task::spawn_blocking(read_on).await.ok()?;
        if part.is_empty() {
            return Some(rest);
        }
        send(sender, part).await?;
        history = rest;
    }
}

async fn send_news(
    sender: &mpsc::Sender<Line>,
    mut follower: Follower,
    end: &CancellationToken,
) -> Option<()> {
    loop {
        // Asked before the glance, so that the last one sees everything from before the end.
        let is_last = end.is_cancelled() || follower.is_past();
        let (next, lines) = tokio::task::spawn_blocking(move || follower.glance())
            .await
            .ok()?;
        follower = next;
        send(sender, lines).await?;
        if is_last {
            return Some(());
        }
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => {}
            () = end.cancelled() => {}
            () = sender.closed() => return None,
        }
    }
}

async fn send(sender: &mpsc::Sender<Line>, lines: Vec<Line>) -> Option<()> {
    for line in lines {
        sender.send(line).await.ok()?;
    }
    Some(())
}

/// Places in the logs of all wanted tasks.
struct Follower {
    state: PathBuf,
    options: Options,
    cursors: Vec<Cursor>,
    known: BTreeSet<TaskId>,
}

impl Follower {
    fn behind(history: Lines, state: PathBuf, options: Options) -> Self {
        let cursors = history.into_cursors();
        let known = cursors.iter().map(|cursor| cursor.folder().task).collect();
        Self {
            state,
            options,
            cursors,
            known,
        }
    }

    fn is_past(&self) -> bool {
        self.options
            .until
            .is_some_and(|until| Timestamp::now() > until)
    }

    /// Everything that was added since the last glance.
    fn glance(mut self) -> (Self, Vec<Line>) {
        self.meet_new_tasks();
        let mut lines = Vec::new();
        let options = &self.options;
        self.cursors.retain_mut(|cursor| {
            // Known to be complete before it is read to its end, not after.
            let is_complete = cursor.folder().is_forgotten;
            while let Some(line) = next_wanted(cursor, options) {
                lines.push(line);
            }
            !is_complete
        });
        lines.sort_by_key(|line| line.at);
        (self, lines)
    }

    fn meet_new_tasks(&mut self) {
        let is_new = |task| self.options.wants_task(task) && !self.known.contains(&task);
        let found = folder::list(&self.state, is_new).unwrap_or_else(|error| {
            warn!(state = %self.state.display(), %error, "cannot list the logs");
            Vec::new()
        });
        for folder in found {
            self.known.insert(folder.task);
            if self.options.wants_folder(&folder) {
                self.cursors.extend(open(folder, &self.options));
            }
        }
    }
}
