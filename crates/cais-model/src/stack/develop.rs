//! `develop` of a service: what becomes of a file that changes while somebody works on it.

use crate::diagnostic::Position;

/// One rule of `develop.watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRule {
    /// The file or folder that is watched, relative to the project directory.
    pub path: String,
    /// What a change brings about.
    pub action: WatchAction,
    /// Where a changed file goes in the container; only where it is copied.
    pub target: Option<String>,
    /// Patterns of `.dockerignore`'s kind, relative to the path: changes there count for nothing.
    pub ignore: Vec<String>,
    /// The same kind: where there are any, only files that they fit count.
    pub include: Vec<String>,
    /// Is everything copied once before the first change?
    pub initial_sync: bool,
    /// Where it stands in the file.
    pub position: Position,
}

/// `action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchAction {
    /// The file is copied into the container, whose program sees it by itself.
    Sync,
    /// The file is copied and a command is run in the container.
    SyncExec,
    /// The file is copied and the tasks are replaced.
    SyncRestart,
    /// The tasks are replaced.
    Restart,
    /// What the service runs is built again, and rolled out.
    Rebuild,
}

impl WatchAction {
    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::SyncExec => "sync+exec",
            Self::SyncRestart => "sync+restart",
            Self::Restart => "restart",
            Self::Rebuild => "rebuild",
        }
    }

    /// Does it copy files?
    pub fn copies(self) -> bool {
        matches!(self, Self::Sync | Self::SyncExec | Self::SyncRestart)
    }
}
