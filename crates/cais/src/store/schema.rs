//! The journal's tables, and how an older journal is brought to today's.

use rusqlite::Connection;

/// Today's schema, kept in SQLite's `user_version`.
pub(super) const VERSION: u32 = 1;

/// Each entry leads from its index to the next version.
const STEPS: [&str; VERSION as usize] = ["
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE releases (
        id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, release TEXT NOT NULL, at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE revisions (
        service TEXT NOT NULL, number INTEGER NOT NULL, fingerprint TEXT NOT NULL,
        release INTEGER NOT NULL REFERENCES releases (id), policy TEXT NOT NULL, artifact TEXT,
        created_ms INTEGER NOT NULL, PRIMARY KEY (service, number)
    ) STRICT;
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, service TEXT NOT NULL, notice TEXT NOT NULL
    ) STRICT;
    CREATE TABLE addresses (service TEXT PRIMARY KEY, address TEXT NOT NULL) STRICT;
    CREATE TABLE task_ports (task INTEGER PRIMARY KEY, ports TEXT NOT NULL) STRICT;
    CREATE TABLE rollouts (
        id INTEGER PRIMARY KEY, service TEXT NOT NULL, from_revision INTEGER, to_revision INTEGER NOT NULL,
        state TEXT NOT NULL, failed INTEGER NOT NULL, reason TEXT NOT NULL,
        started_ms INTEGER NOT NULL, ended_ms INTEGER
    ) STRICT;
    CREATE INDEX rollouts_by_service ON rollouts (service, id);
"];

/// Brings the journal from schema `found` to today's, each step in one transaction.
pub(super) fn migrate(connection: &Connection, found: u32) -> rusqlite::Result<()> {
    for (from, step) in STEPS.iter().enumerate().skip(found as usize) {
        connection.execute_batch(&format!(
            "BEGIN; {step} PRAGMA user_version = {}; COMMIT;",
            from + 1
        ))?;
    }
    Ok(())
}
