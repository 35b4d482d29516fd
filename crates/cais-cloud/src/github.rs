//! A pipeline as GitHub Actions workflows. They are thin: what changed, what is due and whether to go back is decided by `cais`
//! commands, so that what runs there was tested here. Pure: the files belong to the caller.

use crate::files::Files;
use crate::names::{Names, webhook_variable};
use cais_model::stack::{DOCKER_HUB, Stack};

mod deploy;
mod infrastructure;
mod pull_request;
mod rollback;
mod step;
mod yaml;

/// What a pipeline is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The stack's name, which the buckets of states begin with.
    pub project: String,
    /// What describes the infrastructure.
    pub iac: Iac,
    /// Where images are pushed to.
    pub registry: Registry,
    /// Does it take a login to see them? On ECR a role is enough.
    pub images_are_private: bool,
    /// Variables of the services root that hold addresses of webhooks, such as `chat_webhook`.
    pub webhooks: Vec<String>,
    /// A branch whose pushes deploy to all environments but the last; without one, `main` goes through all of them.
    pub staging_branch: Option<String>,
    /// Environments in the order of a release; the last is production.
    pub environments: Vec<String>,
    /// Where a runner gets `cais` from.
    pub cais: Cais,
}

/// What describes the infrastructure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iac {
    /// `infra/terraform`.
    Terraform,
    /// `infra/pulumi`.
    Pulumi,
}

/// Where images are pushed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// The environment's own repositories on AWS.
    Ecr,
    /// Docker Hub.
    DockerHub,
    /// GitHub's container registry.
    Ghcr,
}

/// Docker Hub and GitHub's registry, by their hosts.
const HOSTS: [(&str, Registry); 2] = [
    (DOCKER_HUB, Registry::DockerHub),
    ("ghcr.io", Registry::Ghcr),
];

/// Where a runner gets `cais` from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cais {
    /// Built from this repository: cais' own pipeline.
    Source,
    /// One file at a URL, with its SHA-256 in hexadecimal digits: what was rendered is what runs.
    Release {
        /// `https://…`
        url: String,
        /// 64 digits.
        sha256: String,
    },
}

impl Iac {
    /// As on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Pulumi => "pulumi",
        }
    }
}

impl Registry {
    /// The registry at a host; `None` is one that the workflows cannot log in to.
    pub fn at(host: &str) -> Option<Self> {
        let known = HOSTS.iter().find(|(known, _)| *known == host);
        known.map(|(_, registry)| *registry)
    }

    /// Its host; `None` for ECR, which has one for each account and region.
    pub fn host(self) -> Option<&'static str> {
        let known = HOSTS.iter().find(|(_, known)| *known == self);
        known.map(|(host, _)| *host)
    }

    /// As on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::DockerHub => "dockerhub",
            Self::Ghcr => "ghcr",
        }
    }
}

impl Pipeline {
    /// The flags that render this pipeline again, as every file's head has them: a line for the address of cais.
    fn flags(&self) -> Vec<String> {
        let mut flags = format!(
            "--iac {} --registry {}",
            self.iac.word(),
            self.registry.word()
        );
        if let Some(branch) = &self.staging_branch {
            flags.push_str(&format!(" --staging-branch {branch}"));
        }
        let cais = match &self.cais {
            Cais::Source => "--cais source".to_owned(),
            Cais::Release { url, sha256 } => format!("--cais {url}#sha256={sha256}"),
        };
        vec![flags, cais]
    }

    /// What the infrastructure of an environment reads: its bucket of states, in the account of the role that the step `role` took.
    fn state_bucket(&self, environment: &str, role: &str) -> String {
        let account = format!("${{{{ steps.{role}.outputs.aws-account-id }}}}");
        Names::new(&self.project, environment).state_bucket(&account)
    }

    /// Branches whose pushes deploy.
    fn branches(&self) -> Vec<&str> {
        let staging = self.staging_branch.as_deref();
        std::iter::once("main").chain(staging).collect()
    }
}

/// The first line of every rendered file.
pub const HEADER: &str =
    "# Rendered by `cais ci init`: change the Compose file or these flags, not this file.";

/// What the lines with the flags begin with.
const FLAG: &str = "#   --";

/// The words that a rendered file was rendered with; `None` where it is not one of ours.
pub fn rendered_with(text: &str) -> Option<Vec<String>> {
    let mut lines = text.lines();
    if lines.next()? != HEADER {
        return None;
    }
    let flags = lines.take_while(|line| line.starts_with(FLAG));
    let words = flags.flat_map(|line| line[1..].split_whitespace());
    Some(words.map(str::to_owned).collect())
}

/// Variables of the services root that a stack's webhooks are given by: their addresses are secrets, and in no file.
pub fn webhooks(stack: &Stack) -> impl Iterator<Item = String> {
    let channels = stack.cloud.notify.iter();
    channels
        .filter(|(_, channel)| channel.webhook.is_some())
        .map(|(name, _)| webhook_variable(name))
}

/// All workflows, by path relative to the repository.
pub fn workflows(pipeline: &Pipeline) -> Files {
    let texts = [
        ("pull-request", pull_request::workflow(pipeline)),
        ("deploy", deploy::workflow(pipeline)),
        ("infrastructure", infrastructure::workflow(pipeline)),
        ("rollback", rollback::workflow(pipeline)),
    ];
    let flags: String = pipeline
        .flags()
        .iter()
        .map(|flags| format!("#   {flags}\n"))
        .collect();
    let head = format!("{HEADER}\n{flags}---\n");
    texts
        .into_iter()
        .map(|(name, workflow)| {
            (
                format!(".github/workflows/{name}.yml"),
                format!("{head}{}", workflow.print()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(iac: Iac, registry: Registry) -> Pipeline {
        Pipeline {
            project: "shop".into(),
            iac,
            registry,
            images_are_private: true,
            webhooks: vec!["chat_webhook".into()],
            staging_branch: None,
            environments: vec!["staging".into(), "production".into()],
            cais: Cais::Source,
        }
    }

    fn all() -> Vec<Pipeline> {
        let mut all = Vec::new();
        for iac in [Iac::Terraform, Iac::Pulumi] {
            for registry in [Registry::Ecr, Registry::DockerHub, Registry::Ghcr] {
                let plain = pipeline(iac, registry);
                all.push(Pipeline {
                    staging_branch: Some("develop".into()),
                    ..plain.clone()
                });
                all.push(plain);
            }
        }
        all
    }

    #[test]
    fn every_action_is_pinned_and_nothing_is_latest() {
        for pipeline in all() {
            for (path, text) in workflows(&pipeline) {
                for line in text.lines().filter(|line| line.contains("uses: ")) {
                    let (_, pinned) = line.split_once('@').unwrap_or_default();
                    let (hash, version) = pinned.split_once("  # v").unwrap_or_default();
                    assert_eq!(hash.len(), 40, "{path}: {line}");
                    assert!(!version.is_empty(), "{path}: {line}");
                }
                assert!(!text.contains("latest"), "{path}");
            }
        }
    }

    #[test]
    fn nothing_is_permitted_unless_a_job_says_so() {
        for pipeline in all() {
            for (path, text) in workflows(&pipeline) {
                assert!(text.contains("\npermissions: {}\n"), "{path}");
                assert!(!text.contains("pull_request_target"), "{path}");
                let jobs = text.matches("\n    runs-on: ").count();
                assert_eq!(jobs, text.matches("\n    permissions:").count(), "{path}");
                assert_eq!(
                    jobs,
                    text.matches("\n    timeout-minutes: ").count(),
                    "{path}"
                );
                let checkouts = text.matches("actions/checkout@").count();
                assert_eq!(
                    checkouts,
                    text.matches("persist-credentials: false").count(),
                    "{path}"
                );
            }
        }
    }

    /// What an event brings along is text of a stranger: it reaches a shell by a variable or not at all.
    #[test]
    fn no_script_has_an_expression_in_it() {
        for pipeline in all() {
            for (path, text) in workflows(&pipeline) {
                let mut inside: Option<usize> = None;
                for line in text.lines() {
                    let indent = line.len() - line.trim_start().len();
                    if inside.is_some_and(|script| indent <= script && !line.trim().is_empty()) {
                        inside = None;
                    }
                    let begins = line.trim_start().starts_with("run: ");
                    if begins {
                        inside = Some(indent);
                    }
                    assert!(inside.is_none() || !line.contains("${{"), "{path}: {line}");
                }
            }
        }
    }

    #[test]
    fn rendering_is_deterministic_and_reads_as_written() {
        let pipeline = pipeline(Iac::Terraform, Registry::Ecr);
        assert_eq!(workflows(&pipeline), workflows(&pipeline));
        let files = workflows(&pipeline);
        insta::assert_snapshot!(files[".github/workflows/deploy.yml"]);
    }
}
