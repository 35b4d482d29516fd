//! Which lines a reader wants.

use super::Line;
use super::folder::TaskFolder;
use cais_engine::event::TaskId;
use cais_model::name::ServiceName;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What to read. The default is everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Of these services only; empty is all.
    pub(crate) services: BTreeSet<ServiceName>,
    /// Of these tasks only; empty is all.
    pub(crate) tasks: BTreeSet<TaskId>,
    /// Nothing older.
    pub(crate) since: Option<Timestamp>,
    /// Nothing younger.
    pub(crate) until: Option<Timestamp>,
    /// How many of the newest lines.
    pub(crate) tail: Tail,
    /// Only lines that contain this text.
    pub(crate) grep: Option<String>,
}

/// How many of the newest lines (of those that pass the filters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tail {
    /// All of them.
    #[default]
    All,
    /// So many of each task, as `docker compose logs --tail` counts.
    PerTask(usize),
    /// So many of each service, however many tasks it went through.
    PerService(usize),
}

impl Tail {
    /// More than this of one task is not needed.
    pub(super) fn of_one_task(self) -> Option<usize> {
        match self {
            Tail::All => None,
            Tail::PerTask(lines) | Tail::PerService(lines) => Some(lines),
        }
    }
}

impl Options {
    pub(super) fn wants_task(&self, task: TaskId) -> bool {
        self.tasks.is_empty() || self.tasks.contains(&task)
    }

    pub(super) fn wants_folder(&self, folder: &TaskFolder) -> bool {
        self.wants_task(folder.task)
            && (self.services.is_empty() || self.services.contains(&folder.service))
    }

    pub(super) fn wants(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at <= until)
            && self
                .grep
                .as_ref()
                .is_none_or(|grep| line.text().contains(grep))
    }
}
