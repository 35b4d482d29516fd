//! What was built last for each service of a project, so that an `up` without a build knows what there is.

use super::reference::Reference;
use crate::exit::Outcome;
use crate::paths::{self, Paths};
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service's last build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// Its name and tag.
    pub(crate) reference: String,
    /// Its manifest's digest in the project's folder, or the engine's id of it.
    pub(crate) id: String,
}

/// The names of all last builds: what an engine may have of ours.
pub(crate) fn references(paths: &Paths) -> Vec<String> {
    read(paths)
        .into_values()
        .map(|last| last.reference)
        .collect()
}

type Record = BTreeMap<String, Last>;

/// The last build of a service.
pub(super) fn last(paths: &Paths, service: &ServiceName) -> Outcome<Option<Last>> {
    Ok(read(paths).remove(service.as_str()))
}

/// Remembers a build.
pub(super) fn keep(
    paths: &Paths,
    service: &ServiceName,
    reference: &Reference,
    id: &str,
) -> Outcome {
    let mut record = read(paths);
    let last = Last {
        reference: reference.to_string(),
        id: id.to_owned(),
    };
    record.insert(service.to_string(), last);
    let folder = paths.images();
    paths::private_dir(&folder)?;
    let trouble = |error: std::io::Error| super::layout::trouble(&folder, &error);
    let file = tempfile::NamedTempFile::new_in(&folder).map_err(trouble)?;
    serde_json::to_writer_pretty(&file, &record).map_err(|error| trouble(error.into()))?;
    file.persist(folder.join("built.json"))
        .map_err(|error| trouble(error.error))?;
    Ok(())
}

/// A record that cannot be read is none: everything is built again.
fn read(paths: &Paths) -> Record {
    let text = std::fs::read(paths.images().join("built.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
