//! Images of services: builds them, names them, pushes and pulls them, and says by which digest each is known.
//!
//! [`build_and_resolve`] is the way in for everything that runs containers. It needs no terminal: what happens goes to
//! a [`Report`]. Where an image is made: by a Docker engine from a Dockerfile (`build`), or here, without one, from a
//! static program (`x-cais.image`). The second kind lives in an OCI layout in the project's state folder.

mod artifact;
mod assemble;
mod context;
mod credentials;
mod dockerfile;
mod elf;
mod engine;
mod flow;
pub(crate) mod ignore;
mod layout;
mod names;
mod output;
mod platform;
mod record;
mod reference;
mod refusal;
mod registry;
mod sbom;
mod token;
mod version;

use crate::exit::Outcome;
use crate::paths::Paths;
use cais_model::Loaded;
use cais_model::diagnostic::Diagnostic;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub(crate) use platform::Platform;
pub(crate) use record::names;

/// The project whose images are meant.
#[derive(Clone, Copy)]
pub(crate) struct Images<'p> {
    pub(crate) loaded: &'p Loaded,
    pub(crate) paths: &'p Paths,
    /// The caller's environment: build arguments without a value, `DOCKER_HOST`, `DOCKER_CONFIG`, `PATH`.
    pub(crate) variables: &'p BTreeMap<String, String>,
}

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every image that is built rather than pulled.
    All,
    /// Only what the destination has no build of.
    Missing,
    /// Nothing: what is not there is an error.
    None,
}

/// Where images are wanted.
#[derive(Clone, Copy)]
pub(crate) enum Destination<'d> {
    /// In a Docker engine, to run there. Images that are not built are pulled by it, by `pull_policy`. A moving tag
    /// (`latest`, or none) is warned about: the digest that is answered is what the revision keeps.
    Engine(&'d bollard::Docker),
    /// In a registry, to be run elsewhere: built images are pushed, the others looked up. A moving tag is an error.
    Registry(&'d Registry),
    /// Built only: in the project's folder, or in the engine that their Dockerfile needs.
    Here,
}

/// Where images are pushed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    /// Registry and path to push to, instead of the service's `image`: `{service}` in it stands for the service's
    /// name, which is otherwise put after it.
    pub(crate) repository: Option<String>,
    /// What the images are for; by default the service's own `platform`, else this machine's.
    pub(crate) platform: Option<Platform>,
    /// Instead of what Docker's configuration says.
    pub(crate) credentials: Option<Credentials>,
}

/// A user and a password; printed never.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A service's image, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRef {
    /// Registry and repository as written: `ghcr.io/acme/clock`.
    pub(crate) name: String,
    /// The tag that it has now.
    pub(crate) tag: Option<String>,
    /// `sha256:…`, by which the destination knows it: in a registry its manifest's, in an engine its id.
    pub(crate) digest: String,
}

impl ImageRef {
    /// `ghcr.io/acme/clock@sha256:…`: what a registry gives out, whatever happens to the tag.
    pub(crate) fn pinned(&self) -> String {
        format!("{}@{}", self.name, self.digest)
    }
}

/// What is heard while images are built and moved.
pub(crate) trait Report {
    /// Something happened to a service's image.
    fn event(&self, service: &ServiceName, event: Event<'_>);
}

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'e> {
    /// A step begins, in words.
    Step(&'e str),
    /// A line that a build printed.
    Output(&'e str),
    /// Bytes of `what` (a layer's short digest) so far.
    Bytes {
        what: &'e str,
        done: u64,
        total: u64,
    },
    /// Something in the file deserves a warning.
    Warning(&'e Diagnostic),
    /// The image is where it was wanted.
    Done(&'e ImageRef),
}

/// Builds what is due, brings the image of each service to where it is wanted, and says by which digest it is known
/// there. `services` are names of the file; empty means all. Nothing is moved before everything is built, and nothing is
/// built before the file was found fit for it.
///
/// # Errors
/// A name or tag that cannot be used, with its place in the file; a build that fails, after its output; an engine or a
/// registry that is not there or refuses, with what to type next.
pub(crate) async fn build_and_resolve(
    images: &Images<'_>,
    services: &BTreeSet<ServiceName>,
    which: Which,
    destination: Destination<'_>,
    report: &dyn Report,
) -> Outcome<BTreeMap<ServiceName, ImageRef>> {
    flow::run(images, services, which, destination, report).await
}

/// Pulls the images that are not built here: into the engine, or into the project's folder where there is none.
///
/// # Errors
/// A name that cannot be used, a registry that is not there or refuses.
pub(crate) async fn pull(
    images: &Images<'_>,
    services: &BTreeSet<ServiceName>,
    engine: Option<&bollard::Docker>,
    report: &dyn Report,
) -> Outcome<BTreeMap<ServiceName, ImageRef>> {
    let into = engine.map_or(flow::Into::Layout, flow::Into::Engine);
    flow::pull(images, services, into, report).await
}

/// The digest that an image has in its registry under a tag, asked for with what Docker's configuration says; `None` where
/// there is no such image.
///
/// # Errors
/// A name that cannot be used, a registry that is not there or refuses.
#[cfg(feature = "aws")]
pub(crate) async fn digest(
    variables: &BTreeMap<String, String>,
    name: &str,
    tag: &str,
) -> Outcome<Option<String>> {
    let reference = reference::Reference::parse(name)
        .map_err(|error| crate::exit::Failure::new(crate::exit::Exit::Usage, error.to_string()))?;
    let login = credentials::find(variables, reference.registry()).await?;
    let operation = oci_client::RegistryOperation::Pull;
    let remote = registry::Remote::open(&reference, login, operation).await?;
    remote.digest(tag).await
}
