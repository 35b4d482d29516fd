//! The history of rollouts: one row each, kept up to date by the engine's own notices.

use super::{Journal, JournalError};
use crate::control::Stamped;
use cais_engine::event::RevisionNumber;
use cais_engine::notice::{NoticeKind, RolloutState};
use cais_model::name::ServiceName;
use rusqlite::{Row, Transaction, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// One rollout, finished or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PastRollout {
    /// Its number within the project.
    pub(crate) id: u64,
    pub(crate) service: ServiceName,
    /// The last completed revision before it.
    pub(crate) from: Option<u32>,
    pub(crate) to: u32,
    pub(crate) state: RolloutState,
    /// Failures that the breaker counted.
    pub(crate) failed: u32,
    /// Why it is in this state.
    pub(crate) reason: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) started_ms: u64,
    pub(crate) ended_ms: Option<u64>,
}

const COLUMNS: &str =
    "id, service, from_revision, to_revision, state, failed, reason, started_ms, ended_ms";

/// Writes what a notice says of a rollout; other notices are passed over.
pub(super) fn record(transaction: &Transaction<'_>, stamped: &Stamped) -> rusqlite::Result<()> {
    let NoticeKind::Rollout {
        from,
        to,
        state,
        failed,
        reason,
        ..
    } = &stamped.notice.kind
    else {
        return Ok(());
    };
    let service = stamped.notice.service.as_str();
    let word = serde_json::to_string(state).unwrap_or_default();
    let ended_ms = is_over(*state).then_some(stamped.at_ms);
    let updated = transaction
        .prepare_cached(
            "UPDATE rollouts SET state = ?3, failed = ?4, reason = ?5, ended_ms = ?6
             WHERE service = ?1 AND to_revision = ?2 AND ended_ms IS NULL",
        )?
        .execute(params![service, to.0, word, failed, reason, ended_ms])?;
    if updated == 0 {
        transaction
            .prepare_cached(
                "INSERT INTO rollouts
                 (service, from_revision, to_revision, state, failed, reason, started_ms, ended_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                service,
                from.map(|from| from.0),
                to.0,
                word,
                failed,
                reason,
                stamped.at_ms,
                ended_ms
            ])?;
    }
    Ok(())
}

fn is_over(state: RolloutState) -> bool {
    match state {
        RolloutState::Pending
        | RolloutState::InProgress
        | RolloutState::Baking
        | RolloutState::RollbackInProgress => false,
        RolloutState::Completed
        | RolloutState::Failed
        | RolloutState::RollbackSuccessful
        | RolloutState::RollbackFailed
        | RolloutState::Stopped => true,
    }
}

impl Journal {
    /// The newest rollouts, newest first, of one service or of all.
    pub(crate) fn rollouts(
        &self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<PastRollout>, JournalError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM rollouts WHERE ?1 IS NULL OR service = ?1 ORDER BY id DESC LIMIT ?2"
        );
        let mut statement = self
            .connection
            .prepare_cached(&sql)
            .map_err(|e| self.unusable(e))?;
        let rows = statement
            .query_map(params![service.map(ServiceName::as_str), limit], read)
            .map_err(|e| self.unusable(e))?;
        rows.collect::<Result<_, _>>().map_err(|e| self.unusable(e))
    }

    /// The rollouts that completed a revision which a service can go back to: the newest of each revision but the
    /// present one, newest first.
    pub(crate) fn ways_back(
        &self,
        service: &ServiceName,
    ) -> Result<Vec<PastRollout>, JournalError> {
        let mut rollouts = self.rollouts(Some(service), u32::MAX)?;
        let is_present = |rollout: &&PastRollout| match rollout.state {
            RolloutState::Pending
            | RolloutState::InProgress
            | RolloutState::Baking
            | RolloutState::Completed => true,
            RolloutState::RollbackInProgress
            | RolloutState::Failed
            | RolloutState::RollbackSuccessful
            | RolloutState::RollbackFailed
            | RolloutState::Stopped => false,
        };
        let mut seen: BTreeSet<u32> = rollouts
            .iter()
            .find(is_present)
            .map(|it| it.to)
            .into_iter()
            .collect();
        rollouts
            .retain(|rollout| rollout.state == RolloutState::Completed && seen.insert(rollout.to));
        Ok(rollouts)
    }

    /// The newest completed revision of a service that is not `present`.
    pub(crate) fn completed_before(
        &self,
        service: &ServiceName,
        present: Option<RevisionNumber>,
    ) -> Result<Option<RevisionNumber>, JournalError> {
        let rollouts = self.rollouts(Some(service), u32::MAX)?;
        Ok(rollouts
            .iter()
            .filter(|rollout| rollout.state == RolloutState::Completed)
            .map(|rollout| RevisionNumber(rollout.to))
            .find(|revision| Some(*revision) != present))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<PastRollout> {
    let foreign = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    let service: String = row.get(1)?;
    let state: String = row.get(4)?;
    Ok(PastRollout {
        id: row.get(0)?,
        service: ServiceName::parse(&service).map_err(|error| foreign(1, error.into()))?,
        from: row.get(2)?,
        to: row.get(3)?,
        state: serde_json::from_str(&state).map_err(|error| foreign(4, error.into()))?,
        failed: row.get(5)?,
        reason: row.get(6)?,
        started_ms: row.get(7)?,
        ended_ms: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cais_engine::notice::Notice;
    use cais_engine::state::State;
    use cais_engine::time::Moment;

    fn said(to: u32, state: RolloutState, at_ms: u64) -> Stamped {
        let kind = NoticeKind::Rollout {
            from: None,
            to: RevisionNumber(to),
            state,
            failed: 0,
            threshold: None,
            reason: String::new(),
        };
        let service = ServiceName::parse("web").unwrap();
        Stamped {
            at_ms,
            notice: Notice { service, kind },
        }
    }

    #[test]
    fn the_way_back_skips_what_never_completed() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        let story = [
            said(1, RolloutState::InProgress, 1),
            said(1, RolloutState::Completed, 2),
            said(2, RolloutState::InProgress, 3),
            said(2, RolloutState::RollbackSuccessful, 4),
            said(3, RolloutState::Completed, 5),
        ];
        journal
            .commit(&State::default(), &story, Moment(0))
            .unwrap();
        let web = ServiceName::parse("web").unwrap();
        let history = journal.rollouts(Some(&web), 10).unwrap();
        assert_eq!(
            history
                .iter()
                .map(|r| (r.to, r.ended_ms))
                .collect::<Vec<_>>(),
            [(3, Some(5)), (2, Some(4)), (1, Some(2))]
        );
        let before = journal
            .completed_before(&web, Some(RevisionNumber(3)))
            .unwrap();
        assert_eq!(before, Some(RevisionNumber(1)));
        assert_eq!(
            journal.completed_before(&web, None).unwrap(),
            Some(RevisionNumber(3))
        );
        assert_eq!(ways_back(&journal), [1]);
    }

    fn ways_back(journal: &Journal) -> Vec<u32> {
        let web = ServiceName::parse("web").unwrap();
        let ways = journal.ways_back(&web).unwrap();
        ways.iter().map(|rollout| rollout.to).collect()
    }

    #[test]
    fn a_service_can_go_back_to_each_completed_revision_but_its_present_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        assert_eq!(ways_back(&journal), [0; 0]);
        let story = [
            (said(1, RolloutState::Completed, 1), &[][..]),
            (said(2, RolloutState::Completed, 2), &[1]),
            (said(3, RolloutState::InProgress, 3), &[2, 1]),
            (said(3, RolloutState::Completed, 4), &[2, 1]),
            // Gone back: the newest is now a way, too.
            (said(2, RolloutState::Completed, 5), &[3, 1]),
            (said(4, RolloutState::InProgress, 6), &[2, 3, 1]),
            (said(4, RolloutState::RollbackSuccessful, 7), &[3, 1]),
        ];
        for (said, want) in story {
            journal
                .commit(&State::default(), std::slice::from_ref(&said), Moment(0))
                .unwrap();
            assert_eq!(ways_back(&journal), want, "{said:?}");
        }
    }
}
