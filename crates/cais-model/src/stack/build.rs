//! What an image is made from: `build`, and `x-cais.image` for a program that needs no Dockerfile.

use super::FileMount;
use std::collections::BTreeMap;

/// `build`: an image from a Dockerfile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Build {
    /// Context folder as written, relative to the project directory; or the URL of a repository or an archive.
    pub context: String,
    /// Dockerfile relative to the context. Default `Dockerfile`.
    pub dockerfile: Option<String>,
    /// `dockerfile_inline`: the Dockerfile itself.
    pub dockerfile_inline: Option<String>,
    /// `target`: the stage to stop at.
    pub target: Option<String>,
    /// `args`; one without a value takes the caller's variable.
    pub args: BTreeMap<String, Option<String>>,
    /// `labels` of the image.
    pub labels: BTreeMap<String, String>,
    /// `cache_from`.
    pub cache_from: Vec<String>,
    /// `cache_to`.
    pub cache_to: Vec<String>,
    /// `additional_contexts`: name to folder or address.
    pub additional_contexts: BTreeMap<String, String>,
    /// `platforms`, e.g. `linux/amd64`.
    pub platforms: Vec<String>,
    /// `network` of `RUN` steps.
    pub network: Option<String>,
    /// `extra_hosts`, as `name=address`.
    pub extra_hosts: Vec<String>,
    /// `shm_size` of `RUN` steps, in bytes.
    pub shm_size: Option<u64>,
    /// `secrets` of `RUN --mount=type=secret`; the target is the mount's id.
    pub secrets: Vec<FileMount>,
    /// `ssh`: id to key file or agent socket; `None` is the caller's agent.
    pub ssh: BTreeMap<String, Option<String>>,
    /// `tags`: more names for the image.
    pub tags: Vec<String>,
    /// `no_cache`.
    pub no_cache: bool,
    /// `pull`: ask for newer base images.
    pub pull: bool,
    /// `entitlements` and `privileged`, in BuildKit's words.
    pub entitlements: Vec<String>,
}

/// `x-cais.ci`: what a pipeline runs for the service, instead of what its folder shows. Shell commands in the project's folder; an
/// empty one runs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ci {
    /// Formatters and linters.
    pub lint: Option<String>,
    /// Tests.
    pub test: Option<String>,
}

/// `x-cais.image`: an image of one static program, made without a Docker engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// A shell command that makes it; `x-cais.process.build` where absent.
    pub build: Option<String>,
    /// The program's file, relative to the project directory.
    pub path: String,
}
