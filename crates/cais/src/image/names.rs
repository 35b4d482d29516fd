//! What each service's image is, and what it is called. Reads the file; builds and asks nothing.

use super::reference::Reference;
use super::{Images, Registry};
use crate::exit::{Failure, Outcome};
use cais_model::diagnostic::{Diagnostic, Severity};
use cais_model::name::ServiceName;
use cais_model::node::Node;
use cais_model::stack::{Artifact, Build, Service};
use std::collections::BTreeSet;

/// Where a service's image comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'s> {
    /// Assembled here from a static program.
    Artifact(&'s Artifact),
    /// Built by an engine from a Dockerfile.
    Dockerfile(&'s Build),
    /// Somebody else's.
    Named,
}

/// A service and its image.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'s> {
    pub(super) service: &'s Service,
    pub(super) origin: Origin<'s>,
    /// What it is called; a built image without a tag of its own gets its version's.
    pub(super) reference: Reference,
}

impl Wanted<'_> {
    /// Is it made by us, rather than pulled?
    pub(super) fn is_built(&self) -> bool {
        !matches!(self.origin, Origin::Named)
    }

    /// The name under the tag that the file gives, else under that of its version.
    pub(super) fn versioned(&self, version: &str) -> Reference {
        match (&self.reference.tag, self.reference.moving()) {
            (Some(tag), None) => self.reference.tagged(tag),
            _ => self.reference.tagged(version),
        }
    }
}

/// What becomes of names that mean another image tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// They are warned about.
    Local,
    /// They are refused.
    Deployed,
}

/// The images of the selected services (all when none is named), in name order, and what to warn about.
///
/// # Errors
/// All names that cannot be used, with their places.
pub(super) fn wanted<'p>(
    images: &Images<'p>,
    services: &BTreeSet<ServiceName>,
    rule: Rule,
) -> Outcome<(Vec<Wanted<'p>>, Vec<Diagnostic>)> {
    let stack = &images.loaded.stack;
    let mut wanted = Vec::new();
    let mut diagnostics = Vec::new();
    for service in stack.services.values() {
        if !services.is_empty() && !services.contains(&service.name) {
            continue;
        }
        let origin = match (&service.artifact, &service.build) {
            // It says how cais makes the image; `build` beside it is for those who run the file without cais.
            (Some(artifact), _) => Origin::Artifact(artifact),
            (None, Some(build)) => Origin::Dockerfile(build),
            (None, None) => Origin::Named,
        };
        let text = match &service.image {
            Some(text) => text.clone(),
            None if matches!(origin, Origin::Named) => continue,
            // Compose's own name for what it builds.
            None => format!("{}-{}", stack.name, service.name),
        };
        match Reference::parse(&text) {
            Ok(reference) => {
                let each = Wanted {
                    service,
                    origin,
                    reference,
                };
                diagnostics.extend(moving(images, &each, rule));
                wanted.push(each);
            }
            Err(error) => diagnostics.push(at_image(
                images,
                service,
                error.to_string(),
                Severity::Error,
            )),
        }
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure::invalid(diagnostics, images.loaded.files.clone()));
    }
    Ok((wanted, diagnostics))
}

/// The finding about a tag that moves. A built image without a tag is none: it gets its version's.
fn moving(images: &Images<'_>, wanted: &Wanted<'_>, rule: Rule) -> Option<Diagnostic> {
    let moving = wanted.reference.moving()?;
    let built = wanted.is_built();
    if built && wanted.reference.tag.is_none() {
        return None;
    }
    let name = &wanted.service.name;
    let image = &wanted.reference;
    let (severity, consequence) = match rule {
        Rule::Local if built => (Severity::Warning, "it gets the tag of its version instead"),
        Rule::Local => (
            Severity::Warning,
            "the revision keeps the digest that it has today",
        ),
        Rule::Deployed => (
            Severity::Error,
            "nobody could say tomorrow what runs, and going back would bring the newest",
        ),
    };
    let message = format!("the image of `{name}` {moving}: {consequence}");
    let help = if built {
        format!(
            "leave the tag out, and cais sets it: `image: {}`",
            image.name
        )
    } else {
        format!(
            "name a version (`{0}:1.2.3`) or a digest (`{0}@sha256:…`)",
            image.name
        )
    };
    Some(at_image(images, wanted.service, message, severity).with_help(help))
}

/// A finding at the service's `image`, or at the service where it has none.
pub(super) fn at_image(
    images: &Images<'_>,
    service: &Service,
    message: String,
    severity: Severity,
) -> Diagnostic {
    let name = service.name.as_str();
    let node = images.loaded.tree.at(&["services", name, "image"]);
    let mut diagnostic = match node {
        Some(node) => Node::error(node, message),
        None => {
            let width = u32::try_from(name.chars().count()).unwrap_or(1);
            Diagnostic::error(&service.position, message).with_width(width)
        }
    };
    diagnostic.severity = severity;
    diagnostic
}

/// A finding at a field of the service's `build`, or at its `image`.
pub(super) fn at_field(
    images: &Images<'_>,
    service: &Service,
    field: &str,
    message: String,
    severity: Severity,
) -> Diagnostic {
    let build = images
        .loaded
        .tree
        .at(&["services", service.name.as_str(), "build"]);
    let entry = build
        .and_then(Node::as_mapping)
        .and_then(|fields| fields.entry(field));
    match entry {
        Some(entry) => {
            let width = u32::try_from(field.len()).unwrap_or(1);
            let mut diagnostic = Diagnostic::error(&entry.key_position, message).with_width(width);
            diagnostic.severity = severity;
            diagnostic
        }
        None => at_image(images, service, message, severity),
    }
}

/// What a built image is called in the registry.
///
/// # Errors
/// Services that have no place there, and a `--repository` that is none.
pub(super) fn in_registry(
    images: &Images<'_>,
    wanted: &Wanted<'_>,
    registry: &Registry,
) -> Outcome<Reference> {
    let service = &wanted.service.name;
    let Some(repository) = &registry.repository else {
        if wanted.service.image.is_none() {
            let message = format!("`{service}` has no registry that its image could be pushed to");
            let help = format!(
                "say where: `image: registry.example.com/{service}`, or `cais push --repository registry.example.com/{}`",
                images.loaded.stack.name
            );
            let diagnostic =
                at_image(images, wanted.service, message, Severity::Error).with_help(help);
            return Err(Failure::invalid(
                vec![diagnostic],
                images.loaded.files.clone(),
            ));
        }
        return Ok(wanted.reference.clone());
    };
    let name = if repository.contains("{service}") {
        repository.replace("{service}", service.as_str())
    } else {
        format!("{}/{service}", repository.trim_end_matches('/'))
    };
    let parsed = Reference::parse(&name)
        .ok()
        .filter(|reference| reference.tag.is_none() && reference.digest.is_none());
    let parsed = parsed.ok_or_else(|| {
        Failure::new(crate::exit::Exit::Usage, format!("`{repository}` is not a repository"))
            .help("write registry and path without a tag, as in `ghcr.io/acme/shop` or `ghcr.io/acme/{service}`")
    })?;
    Ok(Reference {
        tag: wanted.reference.tag.clone().filter(|tag| tag != "latest"),
        ..parsed
    })
}
