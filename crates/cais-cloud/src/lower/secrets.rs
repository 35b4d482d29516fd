//! Which secrets the foundation makes a place for.

use super::{Kind, Plan};
use crate::task::cache_of_password;
use cais_model::stack::FileOrigin;
use std::collections::BTreeSet;

/// A secret that is in Secrets Manager.
pub(super) struct Place {
    /// Its name there.
    pub(super) name: String,
    /// What its instance is called.
    pub(super) id: String,
    /// What it is for.
    pub(super) description: String,
    /// Is it somebody else's, and looked up?
    pub(super) is_external: bool,
}

impl Plan<'_> {
    /// The secrets of the stack: those that services use, one for each managed cache, and the registry's credentials.
    pub(super) fn secrets(&self) -> Vec<Place> {
        let mut names = BTreeSet::new();
        for planned in self.services.iter().filter(|it| it.kind != Kind::Cache) {
            let mounts = planned.service.secrets.iter();
            let own = mounts.filter(|mount| cache_of_password(self.stack, &mount.source).is_none());
            names.extend(own.map(|mount| mount.source.clone()));
        }
        let mut places: Vec<Place> = names
            .into_iter()
            .map(|name| {
                let source = self.stack.secrets.get(&name);
                let origin = source.map(|source| &source.origin);
                let is_external = matches!(origin, Some(FileOrigin::External));
                Place {
                    id: crate::names::identifier(&name),
                    description: format!("`{name}` of the Compose file"),
                    // An external one too: two environments of an account do not share a value by accident, and
                    // `cais secret set` writes it there.
                    name: self.names.secret(&name),
                    is_external,
                }
            })
            .collect();
        for planned in self.with_kind(Kind::Cache) {
            places.push(Place {
                name: self.names.cache_secret(planned.name()),
                id: format!("{}_cache", planned.id),
                description: format!("Where the cache `{}` is, and its password", planned.name()),
                is_external: false,
            });
        }
        let registry = self.aws.registry.as_ref();
        if let Some(credentials) = registry.and_then(|registry| registry.credentials.as_ref()) {
            let name = self.names.secret(&credentials.value);
            // A service may read it too.
            if !places.iter().any(|place| place.name == name) {
                places.push(Place {
                    id: crate::names::identifier(&credentials.value),
                    description:
                        "What ECS pulls images with: a JSON text with username and password"
                            .to_owned(),
                    name,
                    is_external: false,
                });
            }
        }
        places
    }
}
