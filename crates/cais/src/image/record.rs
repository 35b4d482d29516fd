//! What was built last for each service of a project, so that an `up` without a build knows what there is.

use super::reference::Reference;
use crate::exit::Outcome;
use crate::paths::{self, Paths};
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A service's last build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// Its name and tag.
    pub(crate) reference: String,
    /// Its manifest's digest in the project's folder, or the engine's id of it.
    pub(crate) id: String,
}

/// What is remembered of a project.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    last: BTreeMap<String, Last>,
    /// Every name that an engine may know one of its images by: `clean` asks for them.
    names: BTreeSet<String>,
}

/// Every name that the project's images were ever given.
pub(crate) fn names(paths: &Paths) -> BTreeSet<String> {
    read(paths).names
}

/// The last build of a service.
pub(super) fn last(paths: &Paths, service: &ServiceName) -> Outcome<Option<Last>> {
    Ok(read(paths).last.remove(service.as_str()))
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
    record.names.insert(last.reference.clone());
    record.last.insert(service.to_string(), last);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_build_is_known_and_all_names_are() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths {
            state: root.path().join("state"),
            runtime: root.path().join("run"),
        };
        let web = ServiceName::parse("web").unwrap();
        assert_eq!(last(&paths, &web).unwrap(), None);
        for tag in ["app:1", "app:2"] {
            keep(&paths, &web, &Reference::parse(tag).unwrap(), tag).unwrap();
        }
        assert_eq!(last(&paths, &web).unwrap().unwrap().reference, "app:2");
        assert_eq!(
            names(&paths).into_iter().collect::<Vec<_>>(),
            ["app:1", "app:2"]
        );
        std::fs::write(paths.images().join("built.json"), "{").unwrap();
        assert_eq!(last(&paths, &web).unwrap(), None);
    }
}
