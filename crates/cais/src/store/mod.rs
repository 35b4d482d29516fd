//! The journal: what was decided, on disk before it is acted on. One SQLite file a project; every
//! commit is one transaction, synced to the disk before it returns.

mod places;
mod revisions;
mod rollouts;
mod schema;

pub(crate) use revisions::Revision;
pub(crate) use rollouts::PastRollout;

use crate::control::Stamped;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Notices kept; older ones go.
const NOTICES_KEPT: i64 = 20_000;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// Written by a later version of cais.
    #[error("the journal `{path}` has schema {found}; this cais knows {known}", path = path.display())]
    Newer {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    /// SQLite's refusal: full disk, wrong owner, a file that is no database.
    #[error("cannot use the journal `{path}`", path = path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    /// Something in it cannot be read back.
    #[error("the journal's {what} cannot be read")]
    Corrupt {
        what: &'static str,
        #[source]
        cause: serde_json::Error,
    },
}

impl JournalError {
    /// What to type next.
    pub(crate) fn help(&self) -> String {
        match self {
            JournalError::Newer { .. } => {
                "use the newer cais that wrote it, or another project name with `-p NAME`"
                    .to_owned()
            }
            JournalError::Unusable { path, cause }
                if matches!(
                    cause.sqlite_error_code(),
                    Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
                ) =>
            {
                format!(
                    "the file is damaged; move it away and the stack starts anew: `mv {0} {0}.damaged`",
                    path.display()
                )
            }
            JournalError::Unusable { path, .. } => format!(
                "check the disk's free space and the owner: `df -h {0}; ls -ld {0}`",
                path.parent().unwrap_or(path).display()
            ),
            JournalError::Corrupt { .. } => {
                "stop the stack with `cais down -v`: it removes this project's state".to_owned()
            }
        }
    }
}

/// The open journal of one project.
pub(crate) struct Journal {
    connection: Connection,
    path: PathBuf,
}

impl Journal {
    /// Opens or makes the journal at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let unusable = |cause| JournalError::Unusable {
            path: path.to_owned(),
            cause,
        };
        // SQLite gives its side files the mode of this one. Where it cannot be made SQLite says why.
        let _ = std::fs::File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path);
        let connection = Connection::open(path).map_err(unusable)?;
        // FULL: a commit that returned survives a power cut (WAL alone syncs only at checkpoints).
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;",
            )
            .map_err(unusable)?;
        let found: u32 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(unusable)?;
        if found > schema::VERSION {
            return Err(JournalError::Newer {
                path: path.to_owned(),
                found,
                known: schema::VERSION,
            });
        }
        schema::migrate(&connection, found).map_err(unusable)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
        })
    }

    /// Opens the journal for looking only; `None` when there is none.
    pub(crate) fn look(path: &Path) -> Result<Option<Self>, JournalError> {
        if path.exists() {
            Self::open(path).map(Some)
        } else {
            Ok(None)
        }
    }

    fn unusable(&self, cause: rusqlite::Error) -> JournalError {
        JournalError::Unusable {
            path: self.path.clone(),
            cause,
        }
    }

    /// A fact about the project, by name.
    pub(crate) fn fact(&self, name: &str) -> Result<Option<String>, JournalError> {
        self.connection
            .query_row("SELECT value FROM facts WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|e| self.unusable(e))
    }

    /// Writes a fact about the project.
    pub(crate) fn set_fact(&self, name: &str, value: &str) -> Result<(), JournalError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)",
                params![name, value],
            )
            .map(drop)
            .map_err(|e| self.unusable(e))
    }

    /// The engine's last committed state.
    pub(crate) fn state(&self) -> Result<cais_engine::state::State, JournalError> {
        match self.fact("state")? {
            None => Ok(cais_engine::state::State::default()),
            Some(text) => serde_json::from_str(&text).map_err(|cause| JournalError::Corrupt {
                what: "engine state",
                cause,
            }),
        }
    }

    /// Commits the engine's state with the notices of the step that led to it: after this returns the
    /// step's actions may be performed.
    pub(crate) fn commit(
        &mut self,
        state: &cais_engine::state::State,
        notices: &[Stamped],
        now: cais_engine::time::Moment,
    ) -> Result<(), JournalError> {
        let text = serde_json::to_string(state).map_err(|cause| JournalError::Corrupt {
            what: "engine state",
            cause,
        })?;
        let path = self.path.clone();
        let unusable = |cause| JournalError::Unusable {
            path: path.clone(),
            cause,
        };
        let transaction = self.connection.transaction().map_err(unusable)?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES ('state', ?1), ('clock_last_ms', ?2)")
            .and_then(|mut statement| statement.execute(params![text, now.0.to_string()]))
            .map_err(unusable)?;
        for stamped in notices {
            let json =
                serde_json::to_string(&stamped.notice).map_err(|cause| JournalError::Corrupt {
                    what: "notice",
                    cause,
                })?;
            transaction
                .prepare_cached("INSERT INTO notices (at_ms, service, notice) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute(params![
                        stamped.at_ms,
                        stamped.notice.service.as_str(),
                        json
                    ])
                })
                .map_err(unusable)?;
            rollouts::record(&transaction, stamped).map_err(unusable)?;
        }
        transaction.commit().map_err(unusable)
    }

    /// Drops the oldest notices past the limit.
    pub(crate) fn trim(&self) -> Result<(), JournalError> {
        self.connection
            .execute(
                "DELETE FROM notices WHERE id <= (SELECT MAX(id) FROM notices) - ?1",
                [NOTICES_KEPT],
            )
            .map(drop)
            .map_err(|e| self.unusable(e))
    }

    /// The newest notices, oldest first.
    pub(crate) fn notices(&self, limit: u32) -> Result<Vec<Stamped>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at_ms, notice FROM notices ORDER BY id DESC LIMIT ?1")
            .map_err(|e| self.unusable(e))?;
        let rows = statement
            .query_map([limit], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(|e| self.unusable(e))?;
        let mut notices = Vec::new();
        for row in rows {
            let (at_ms, json) = row.map_err(|e| self.unusable(e))?;
            let notice = serde_json::from_str(&json).map_err(|cause| JournalError::Corrupt {
                what: "notice",
                cause,
            })?;
            notices.push(Stamped { at_ms, notice });
        }
        notices.reverse();
        Ok(notices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Release;
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        (folder, journal)
    }

    #[test]
    fn facts_addresses_and_ports_survive_reopening() {
        let (folder, journal) = journal();
        journal.set_fact("directory", "/srv").unwrap();
        journal
            .keep_address("redis", Ipv4Addr::new(127, 80, 1, 2))
            .unwrap();
        journal
            .keep_task_ports(7, &BTreeMap::from([(8080, 20001)]))
            .unwrap();
        drop(journal);
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        assert_eq!(journal.fact("directory").unwrap().as_deref(), Some("/srv"));
        assert_eq!(
            journal.addresses().unwrap()["redis"],
            Ipv4Addr::new(127, 80, 1, 2)
        );
        assert_eq!(journal.task_ports().unwrap()[&7][&8080], 20001);
        journal.forget_task(7).unwrap();
        assert!(journal.task_ports().unwrap().is_empty());
    }

    #[test]
    fn a_journal_from_a_newer_version_is_refused() {
        let (folder, journal) = journal();
        journal
            .connection
            .execute_batch("PRAGMA user_version = 999")
            .unwrap();
        drop(journal);
        let Err(error) = Journal::open(&folder.path().join("journal.db")) else {
            panic!("opened")
        };
        assert!(
            matches!(error, JournalError::Newer { found: 999, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::write(
            &path,
            "this is not a database, it is a text of more than one page".repeat(100),
        )
        .unwrap();
        assert!(matches!(
            Journal::open(&path),
            Err(JournalError::Unusable { .. })
        ));
    }

    #[test]
    fn the_same_texts_are_kept_once() {
        let (_folder, journal) = journal();
        let release = Release {
            files: vec!["compose.yaml".into()],
            texts: vec![("compose.yaml".into(), "services: {}".into())],
            directory: "/srv".into(),
            name: "srv".into(),
            profiles: vec![],
            env_files: vec![],
        };
        let first = journal.keep_release(&release, 1).unwrap();
        assert_eq!(journal.keep_release(&release, 2).unwrap(), first);
        assert_eq!(journal.release(first).unwrap(), Some(release));
    }
}
