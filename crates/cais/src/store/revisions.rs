//! Releases (the texts of one `up`) and the revisions of services that they led to.

use super::{Journal, JournalError};
use crate::control::Release;
use crate::supervisor::fingerprint::Fingerprint;
use cais_engine::event::RevisionNumber;
use cais_engine::policy::Policy;
use cais_model::name::ServiceName;
use rusqlite::{OptionalExtension, params};

/// A numbered version of a service, as the journal keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revision {
    pub(crate) service: ServiceName,
    pub(crate) number: RevisionNumber,
    /// What it is told by.
    pub(crate) fingerprint: Fingerprint,
    /// The texts it came from.
    pub(crate) release: i64,
    /// What the engine reads of it.
    pub(crate) policy: Policy,
    /// Path of the program kept for it, relative to the artifacts folder.
    pub(crate) artifact: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub(crate) created_ms: u64,
}

impl Journal {
    /// Keeps a release's texts; the same texts are kept once.
    pub(crate) fn keep_release(&self, release: &Release, at_ms: u64) -> Result<i64, JournalError> {
        let json = serde_json::to_string(release).map_err(|cause| JournalError::Corrupt {
            what: "release",
            cause,
        })?;
        let hash = blake3::hash(json.as_bytes()).to_hex();
        self.connection
            .execute(
                "INSERT OR IGNORE INTO releases (hash, release, at_ms) VALUES (?1, ?2, ?3)",
                params![hash.as_str(), json, at_ms],
            )
            .map_err(|e| self.unusable(e))?;
        self.connection
            .query_row(
                "SELECT id FROM releases WHERE hash = ?1",
                [hash.as_str()],
                |row| row.get(0),
            )
            .map_err(|e| self.unusable(e))
    }

    /// A release's texts.
    pub(crate) fn release(&self, id: i64) -> Result<Option<Release>, JournalError> {
        let json: Option<String> = self
            .connection
            .query_row("SELECT release FROM releases WHERE id = ?1", [id], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|e| self.unusable(e))?;
        json.map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|cause| JournalError::Corrupt {
                what: "release",
                cause,
            })
    }

    /// The release that was applied last.
    pub(crate) fn newest_release(&self) -> Result<Option<Release>, JournalError> {
        let id: Option<i64> = self
            .connection
            .query_row(
                "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'release'",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.unusable(e))?;
        match id {
            Some(id) => self.release(id),
            None => Ok(None),
        }
    }

    /// Keeps a revision.
    pub(crate) fn keep_revision(&self, revision: &Revision) -> Result<(), JournalError> {
        let policy =
            serde_json::to_string(&revision.policy).map_err(|cause| JournalError::Corrupt {
                what: "policy",
                cause,
            })?;
        let fingerprint = serde_json::to_string(&revision.fingerprint).map_err(|cause| {
            JournalError::Corrupt {
                what: "fingerprint",
                cause,
            }
        })?;
        self.connection
            .execute(
                "INSERT OR REPLACE INTO revisions (service, number, fingerprint, release, policy, artifact, created_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    revision.service.as_str(),
                    revision.number.0,
                    fingerprint,
                    revision.release,
                    policy,
                    revision.artifact,
                    revision.created_ms
                ],
            )
            .map(drop)
            .map_err(|e| self.unusable(e))
    }

    /// All revisions of a service, newest first.
    pub(crate) fn revisions(&self, service: &ServiceName) -> Result<Vec<Revision>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT number, fingerprint, release, policy, artifact, created_ms FROM revisions
                 WHERE service = ?1 ORDER BY number DESC",
            )
            .map_err(|e| self.unusable(e))?;
        let rows = statement
            .query_map([service.as_str()], |row| {
                Ok((
                    row.get::<_, u32>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, Option<String>>(4)?,
                    row.get::<_, u64>(5)?,
                ))
            })
            .map_err(|e| self.unusable(e))?;
        let mut revisions = Vec::new();
        for row in rows {
            let (number, fingerprint, release, policy, artifact, created_ms) =
                row.map_err(|e| self.unusable(e))?;
            let policy = serde_json::from_str(&policy).map_err(|cause| JournalError::Corrupt {
                what: "policy",
                cause,
            })?;
            let fingerprint =
                serde_json::from_str(&fingerprint).map_err(|cause| JournalError::Corrupt {
                    what: "fingerprint",
                    cause,
                })?;
            revisions.push(Revision {
                service: service.clone(),
                number: RevisionNumber(number),
                fingerprint,
                release,
                policy,
                artifact,
                created_ms,
            });
        }
        Ok(revisions)
    }
}
