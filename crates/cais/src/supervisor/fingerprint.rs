//! What a revision is told by: a keyed hash of each thing that a task of it would see. Keyed, so that the
//! journal gives no value away; of each thing, so that `plan` can say what differs.

use super::definition::{Definition, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hashes by what they are of: `definition`, `command`, `program`, `environment.NAME`, `content of PATH`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// The fingerprint of a definition with its kept program (a container has its image) and mounted files. The count of replicas
    /// is not part of it: scaling makes no revision. Values are hashed as the file has them: a
    /// service's address may change without making a revision.
    pub(crate) fn of(
        definition: &Definition,
        artifact: Option<&str>,
        files: &[(String, Vec<u8>)],
        key: &[u8; 32],
    ) -> Self {
        let hash = |bytes: &[u8]| blake3::keyed_hash(key, bytes).to_hex()[..32].to_owned();
        let service = &definition.service;
        let mut parts = BTreeMap::from([(
            "definition".to_owned(),
            hash(service.task_definition.as_bytes()),
        )]);
        match &definition.run {
            Run::Process { .. } => {
                // Words are separated by what no word can hold.
                let command = service.local_command().unwrap_or_default().join("\0");
                parts.insert("command".to_owned(), hash(command.as_bytes()));
                if let Some(artifact) = artifact {
                    parts.insert("program".to_owned(), hash(artifact.as_bytes()));
                }
            }
            Run::Container(run) => {
                parts.insert("image".to_owned(), hash(run.image.as_bytes()));
            }
        }
        for (name, value) in &service.environment {
            parts.insert(format!("environment.{name}"), hash(value.as_bytes()));
        }
        for (path, content) in files {
            parts.insert(format!("content of {path}"), hash(content));
        }
        Self(parts)
    }

    /// What is in only one of the two, or differs.
    pub(crate) fn differences<'f>(&'f self, other: &'f Self) -> impl Iterator<Item = &'f str> {
        let changed = self
            .0
            .iter()
            .filter(|(name, hash)| other.0.get(*name) != Some(hash));
        let gone = other.0.keys().filter(|name| !self.0.contains_key(*name));
        changed
            .map(|(name, _)| name.as_str())
            .chain(gone.map(String::as_str))
    }
}
