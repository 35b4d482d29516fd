//! Finds in a stack what should not reach production. Pure: what the files say arrives loaded, and the findings leave as values; reading, running tools and printing are `cli/check.rs`'s.

pub(crate) mod dockerfile;
pub(crate) mod finding;
mod ignore;
pub(crate) mod report;
pub(crate) mod rules;
mod secret;
#[cfg(test)]
mod tests;
pub(crate) mod tools;

use cais_model::Loaded;
use cais_model::diagnostic::Position;
use cais_model::name::ServiceName;
use cais_model::node::{Entry, Node};
use cais_model::stack;
use dockerfile::FinalStage;
use finding::{Finding, Place, Tier};
use rules::Hit;
use std::collections::BTreeMap;

/// Everything that a check looks at.
pub(crate) struct Subject<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) tier: Tier,
    /// Of each service that is built from a Dockerfile which could be read.
    pub(crate) dockerfiles: BTreeMap<ServiceName, FinalStage>,
}

/// What a check found in the Compose files.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// By file and line.
    pub(crate) findings: Vec<Finding>,
    /// How many were taken out by `cais:ignore`.
    pub(crate) ignored: usize,
    /// Lines that hold a secret, ignored ones included: nobody shows them.
    pub(crate) secrets: Vec<Place>,
}

/// One service as the rules see it: its tree for places, its type for meaning.
pub(crate) struct Service<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) name: &'a str,
    /// Its key and its merged tree.
    pub(crate) entry: &'a Entry,
    pub(crate) typed: &'a stack::Service,
}

/// Applies every rule to every service, then the ignores of the files.
pub(crate) fn check(subject: &Subject<'_>) -> Checked {
    let mut findings: Vec<Finding> = Vec::new();
    for service in services(subject) {
        for rule in rules::RULES {
            let Some(severity) = rule.severity(subject.tier) else {
                continue;
            };
            let mut hits = Vec::new();
            (rule.look)(&service, &mut hits);
            for hit in hits {
                add(&mut findings, rule.finding(severity, hit, service.name));
            }
        }
    }
    let secrets = findings
        .iter()
        .filter(|finding| finding.place.secret_from.is_some())
        .map(|finding| finding.place.clone())
        .collect();
    let files: Vec<(String, String)> = subject
        .loaded
        .files
        .iter()
        .map(|(path, text)| (path.display().to_string(), text.clone()))
        .collect();
    let ignored = ignore::apply(&mut findings, &files, subject.tier);
    findings.sort_by(|a, b| (&a.place, &a.rule).cmp(&(&b.place, &b.rule)));
    Checked {
        findings,
        ignored,
        secrets,
    }
}

/// What several services take from one anchor is one finding.
fn add(findings: &mut Vec<Finding>, finding: Finding) {
    let same = findings
        .iter_mut()
        .find(|other| other.rule == finding.rule && other.place == finding.place);
    match same {
        Some(other) => {
            for service in finding.services {
                if !other.services.contains(&service) {
                    other.services.push(service);
                }
            }
        }
        None => findings.push(finding),
    }
}

fn services<'a>(subject: &'a Subject<'a>) -> impl Iterator<Item = Service<'a>> {
    let tree = subject.loaded.tree.get("services");
    subject
        .loaded
        .stack
        .services
        .iter()
        .filter_map(move |(name, typed)| {
            let entry = tree?.as_mapping()?.entry(name.as_str())?;
            Some(Service {
                subject,
                name: name.as_str(),
                entry,
                typed,
            })
        })
}

impl<'a> Service<'a> {
    /// The value at the end of a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&'a Node> {
        self.entry.value.at(path)
    }

    /// The items of a list.
    pub(crate) fn items(&self, key: &str) -> &'a [Node] {
        self.at(&[key])
            .and_then(Node::as_sequence)
            .unwrap_or_default()
    }

    /// Keys and values of a mapping.
    pub(crate) fn entries(
        &self,
        path: &[&str],
    ) -> impl Iterator<Item = (&'a String, &'a Entry)> + use<'a> {
        self.at(path)
            .and_then(Node::as_mapping)
            .into_iter()
            .flat_map(|mapping| mapping.iter())
    }

    /// The text of a scalar.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        self.at(path).and_then(Node::scalar_text)
    }

    /// A hit on the service's key: for what is missing.
    pub(crate) fn hit(&self, message: impl Into<String>) -> Hit {
        let width = u32::try_from(self.name.chars().count()).unwrap_or(1);
        Hit::new(&self.entry.key_position, width, message)
    }

    /// Does somebody outside send it requests, as far as the file says?
    pub(crate) fn is_reached(&self) -> bool {
        !self.typed.routes.is_empty() || !self.typed.ports.is_empty()
    }

    /// Is it meant to end: a migration, a seed?
    pub(crate) fn is_one_shot(&self) -> bool {
        let awaited = self.subject.loaded.stack.services.values().any(|other| {
            other.depends_on.iter().any(|(name, dependency)| {
                name.as_str() == self.name
                    && dependency.condition == stack::Condition::ServiceCompletedSuccessfully
            })
        });
        awaited || self.typed.restart == stack::Restart::No
    }

    /// Does it wait to be asked for, by a profile?
    pub(crate) fn is_optional(&self) -> bool {
        self.at(&["profiles"]).is_some()
            || self.typed.process.as_ref().is_some_and(|it| it.optional)
    }

    /// Has it a check of its own: Compose's, `x-cais.health`, or the image's as far as its Dockerfile tells?
    pub(crate) fn has_health_check(&self) -> bool {
        self.typed.healthcheck.is_some()
            || self.typed.health.is_some()
            || (self.at(&["healthcheck"]).is_none()
                && self
                    .dockerfile()
                    .is_some_and(|stage| stage.has_health_check))
    }

    /// The last stage of its Dockerfile.
    pub(crate) fn dockerfile(&self) -> Option<&'a FinalStage> {
        self.subject.dockerfiles.get(&self.typed.name)
    }

    /// The last part of its image's name, without registry, tag and digest: `postgres`.
    pub(crate) fn image_name(&self) -> String {
        let image = self.typed.image.as_deref().unwrap_or_default();
        let image = image.split('@').next().unwrap_or_default();
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split(':').next().unwrap_or_default().to_owned()
    }
}

/// Where a value stands, the form `- NAME=value` told from `NAME: value`: there the whole item has one place.
pub(crate) fn is_list_item(key: &Position, value: &Node) -> bool {
    *key == value.position
}
