//! Notices that files change: those that count, once they have been quiet for a moment, each time their content is another.

use super::rules::Rules;
use crate::exit::{Exit, Failure, Outcome};
use notify::event::{EventKind, ModifyKind};
use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, timeout_at};

/// Whoever saves ten files at once has finished when nothing was written for so long.
const QUIET: Duration = Duration::from_millis(200);
/// A change waits no longer for others.
const LONGEST: Duration = Duration::from_secs(2);

/// The changes of what some rules watch.
pub(crate) struct Changes {
    watcher: RecommendedWatcher,
    events: UnboundedReceiver<notify::Result<Event>>,
    /// What files held when they were last looked at, of those that changed.
    seen: HashMap<PathBuf, Option<blake3::Hash>>,
    /// Every file that counted when the watch began.
    files: BTreeSet<PathBuf>,
}

impl Changes {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system watches no more files: how to raise its limit.
    pub(crate) fn of(rules: &Rules) -> Outcome<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event| {
            // A receiver that is gone wants to know nothing.
            let _ = sender.send(event);
        })
        .map_err(|error| refused(&error))?;
        let mut changes = Self {
            watcher,
            events,
            seen: HashMap::new(),
            files: BTreeSet::new(),
        };
        for root in rules.roots() {
            let mut files = BTreeSet::new();
            // Editors put a new file in the old one's place, and a checkout a new folder: what is above stays.
            let above = root.parent().unwrap_or(root);
            changes.watch(above).map_err(|error| refused(&error))?;
            if root.is_dir() {
                changes
                    .enter(root, rules, &mut files)
                    .map_err(|error| refused(&error))?;
            } else {
                files.insert(root.to_owned());
            }
            changes.files.extend(files);
        }
        Ok(changes)
    }

    /// Every file that counted when the watch began.
    pub(crate) fn files(&self) -> &BTreeSet<PathBuf> {
        &self.files
    }

    /// Waits for changes that count, and then until no more come for a moment.
    pub(crate) async fn next(&mut self, rules: &Rules) -> BTreeSet<PathBuf> {
        loop {
            let mut changed = BTreeSet::new();
            while changed.is_empty() {
                match self.events.recv().await {
                    Some(event) => self.take(event, rules, &mut changed),
                    None => std::future::pending().await,
                }
            }
            let latest = Instant::now() + LONGEST;
            let mut until = Instant::now() + QUIET;
            while let Ok(Some(event)) = timeout_at(until.min(latest), self.events.recv()).await {
                let before = changed.len();
                let is_of_known = event
                    .as_ref()
                    .is_ok_and(|event| event.paths.iter().any(|path| changed.contains(path)));
                self.take(event, rules, &mut changed);
                // What does not count keeps nobody waiting.
                if changed.len() > before || is_of_known {
                    until = Instant::now() + QUIET;
                }
            }
            changed.retain(|path| self.is_another(path));
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    fn take(
        &mut self,
        event: notify::Result<Event>,
        rules: &Rules,
        changed: &mut BTreeSet<PathBuf>,
    ) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "a change was not noticed");
                return;
            }
        };
        if event.need_rescan() {
            // More happened than the system keeps: everything is looked at again.
            for root in rules.roots() {
                self.enter_or_note(root, rules, changed);
            }
            return;
        }
        match event.kind {
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => {}
            EventKind::Any
            | EventKind::Other
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(_) => {
                for path in event.paths {
                    self.enter_or_note(&path, rules, changed);
                }
            }
        }
    }

    fn enter_or_note(&mut self, path: &Path, rules: &Rules, changed: &mut BTreeSet<PathBuf>) {
        // A folder that is a link is not followed, as it is not when the watch begins.
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if !is_folder {
            if rules.counts(path) {
                changed.insert(path.to_owned());
            }
        } else if rules.enters(path)
            && let Err(error) = self.enter(path, rules, changed)
        {
            let failure = refused(&error);
            tracing::warn!(%failure, "a new folder is not watched");
        }
    }

    /// Watches a folder and those below; adds the files that count. A folder is watched before it is read, so that nothing
    /// is missed in between.
    fn enter(
        &mut self,
        folder: &Path,
        rules: &Rules,
        files: &mut BTreeSet<PathBuf>,
    ) -> notify::Result<()> {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            match self.watch(&folder) {
                Ok(()) => {}
                // It went in between.
                Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => continue,
                Err(error) => return Err(error),
            }
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if rules.enters(&path) {
                        open.push(path);
                    }
                } else if rules.counts(&path) {
                    files.insert(path);
                }
            }
        }
        Ok(())
    }

    fn watch(&mut self, folder: &Path) -> notify::Result<()> {
        self.watcher.watch(folder, RecursiveMode::NonRecursive)
    }

    /// Does it hold something else than when it was looked at last? A build that writes what was there already begins no other.
    fn is_another(&mut self, path: &Path) -> bool {
        let now = std::fs::read(path).ok().map(|bytes| blake3::hash(&bytes));
        self.seen.insert(path.to_owned(), now) != Some(now)
    }
}

fn refused(error: &notify::Error) -> Failure {
    let full = match &error.kind {
        ErrorKind::MaxFilesWatch => Some("max_user_watches=524288"),
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => Some("max_user_instances=512"),
        _ => None,
    };
    match full {
        Some(setting) => Failure::new(
            Exit::Error,
            "this system watches no more files for you",
        )
        .help(format!(
            "leave folders out with `ignore:` or .dockerignore, or raise the limit: `sudo sysctl fs.inotify.{setting}`"
        )),
        None => Failure::new(Exit::Error, format!("files cannot be watched: {error}")),
    }
}
