//! Which revision a definition is: one that is known by its fingerprint, or the next number.

use super::definition::Definition;
use super::fingerprint::Fingerprint;
use super::journal_failure;
use crate::exit::Outcome;
use crate::store::{Journal, Revision};
use cais_engine::event::RevisionNumber;
use cais_model::name::ServiceName;
use std::path::Path;

/// The revision of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revised {
    pub(crate) number: RevisionNumber,
    pub(crate) fingerprint: Fingerprint,
    /// Does the journal know it already?
    pub(crate) is_known: bool,
}

/// An unchanged definition keeps its number, also when the file went back to an older one.
pub(crate) fn revise(
    known: &[Revision],
    definition: &Definition,
    artifact: Option<&str>,
    files: &[(String, Vec<u8>)],
    key: &[u8; 32],
) -> Revised {
    let fingerprint = Fingerprint::of(definition, artifact, files, key);
    match known
        .iter()
        .find(|revision| revision.fingerprint == fingerprint)
    {
        Some(same) => Revised {
            number: same.number,
            fingerprint,
            is_known: true,
        },
        None => {
            let newest = known
                .iter()
                .map(|revision| revision.number.0)
                .max()
                .unwrap_or(0);
            Revised {
                number: RevisionNumber(newest + 1),
                fingerprint,
                is_known: false,
            }
        }
    }
}

/// The revisions of a service that the journal knows; none where there is no journal.
pub(crate) fn known(journal: Option<&Journal>, service: &ServiceName) -> Outcome<Vec<Revision>> {
    journal.map_or_else(
        || Ok(Vec::new()),
        |journal| journal.revisions(service).map_err(journal_failure),
    )
}

/// The project's key for fingerprints, where it was made already.
pub(crate) fn key(state: &Path) -> Option<[u8; 32]> {
    std::fs::read(state.join("key")).ok()?.try_into().ok()
}
