//! What an image is named by, and what a build is pinned to.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;

/// The image of a service that is not built here, where its name can be judged: a variable without a value leaves nothing to say.
fn named<'a>(service: &Service<'a>) -> Option<(&'a Node, Reference<'a>)> {
    if service.typed.build.is_some() {
        return None;
    }
    let node = service.at(&["image"])?;
    let reference = Reference::of(node.as_str()?)?;
    Some((node, reference))
}

struct Reference<'a> {
    /// `Some("")`: a colon with nothing behind it, as an unset variable leaves it.
    tag: Option<&'a str>,
    has_digest: bool,
}

impl<'a> Reference<'a> {
    fn of(image: &'a str) -> Option<Self> {
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (image, None),
        };
        let last = name.rsplit('/').next()?;
        if last.is_empty() || image == "scratch" {
            return None;
        }
        Some(Self {
            tag: last.split_once(':').map(|(_, tag)| tag),
            has_digest: digest.is_some(),
        })
    }
}

/// An image without tag and digest.
pub(super) fn no_tag(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if let Some((node, reference)) = named(service)
        && reference.tag.is_none()
        && !reference.has_digest
    {
        let image = node.as_str().unwrap_or_default();
        hits.push(Hit::on(
            node,
            format!("`{image}` has no tag: it is `latest`, whatever that is today"),
        ));
    }
}

/// `latest`, written out.
pub(super) fn latest(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if let Some((node, reference)) = named(service)
        && reference.tag == Some("latest")
        && !reference.has_digest
    {
        let image = node.as_str().unwrap_or_default();
        hits.push(Hit::on(
            node,
            format!("`{image}` is another image tomorrow"),
        ));
    }
}

/// A tag that can be moved.
pub(super) fn no_digest(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if let Some((node, reference)) = named(service)
        && reference
            .tag
            .is_some_and(|tag| !tag.is_empty() && tag != "latest")
        && !reference.has_digest
    {
        let image = node.as_str().unwrap_or_default();
        hits.push(Hit::on(
            node,
            format!("`{image}` is named by a tag alone, and tags can be moved"),
        ));
    }
}

/// `VERSION: latest` as a build argument.
pub(super) fn moving_build_arg(service: &Service<'_>, hits: &mut Vec<Hit>) {
    const MOVING: [&str; 8] = [
        "latest", "nightly", "edge", "main", "master", "dev", "unstable", "*",
    ];
    for (name, entry) in service.entries(&["build", "args"]) {
        let upper = name.to_ascii_uppercase();
        let chooses = ["VERSION", "TAG", "IMAGE", "REF"]
            .iter()
            .any(|end| upper.ends_with(end));
        let value = entry.value.as_str().unwrap_or_default();
        let tag = value.rsplit(':').next().unwrap_or_default();
        if chooses && MOVING.contains(&tag) {
            hits.push(Hit::on(
                &entry.value,
                format!("build argument `{name}` is `{value}`: two builds of one commit differ"),
            ));
        }
    }
}

/// A context from a repository's branch.
pub(super) fn moving_context(service: &Service<'_>, hits: &mut Vec<Hit>) {
    let Some(node) = service.at(&["build", "context"]) else {
        return;
    };
    let context = node.as_str().unwrap_or_default();
    let is_remote = context.starts_with("git@")
        || context.starts_with("git://")
        || (context.starts_with("http") && context.contains("://") && context.contains(".git"));
    let reference = context.split_once('#').map_or("", |(_, rest)| rest);
    let commit = reference.split(':').next().unwrap_or_default();
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_remote && !is_commit {
        hits.push(Hit::on(
            node,
            "the context is whatever that repository holds at the time of the build",
        ));
    }
}
