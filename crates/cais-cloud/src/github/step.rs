//! The parts that workflows are made of: jobs, and the few steps that all of them use. Every action is pinned here, once.

use super::yaml::{Map, Yaml, map, pairs};
use super::{Cais, Pipeline, Registry};

const CHECKOUT: (&str, &str) = (
    "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
    "v7.0.1",
);
const AWS: (&str, &str) = (
    "aws-actions/configure-aws-credentials@e6de054238d6b7531b4efff3b6587d9aade6a06c",
    "v6.2.3",
);
pub(super) const TERRAFORM: (&str, &str) = (
    "hashicorp/setup-terraform@b9cd54a3c349d3f38e8881555d616ced269862dd",
    "v3.1.2",
);
pub(super) const PULUMI: (&str, &str) = (
    "pulumi/actions@8582a9e8cc630786854029b4e09281acd6794b58",
    "v6.6.1",
);
pub(super) const ATTEST: (&str, &str) = (
    "actions/attest-build-provenance@a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32",
    "v4.1.0",
);

/// A job in the making.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) needs: Vec<String>,
    pub(super) condition: Option<String>,
    /// What it may do; all else it may not.
    pub(super) permissions: Vec<(&'static str, &'static str)>,
    pub(super) minutes: u32,
    pub(super) more: Map,
    pub(super) steps: Vec<Yaml>,
}

impl Job {
    pub(super) fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            needs: Vec::new(),
            condition: None,
            permissions: vec![("contents", "read")],
            minutes: 30,
            more: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn entry(self) -> (String, Yaml) {
        let mut map = pairs([("name", self.name.into())]);
        if !self.needs.is_empty() {
            map.push(("needs".into(), Yaml::Flow(self.needs)));
        }
        if let Some(condition) = self.condition {
            map.push(("if".into(), condition.into()));
        }
        map.push(("runs-on".into(), "ubuntu-24.04".into()));
        map.push(("timeout-minutes".into(), self.minutes.into()));
        let permissions = self
            .permissions
            .iter()
            .map(|(scope, access)| permission(scope, access));
        map.push(("permissions".into(), Yaml::Map(permissions.collect())));
        map.extend(self.more);
        map.push(("steps".into(), Yaml::List(self.steps)));
        (self.id, Yaml::Map(map))
    }
}

/// A grant with its reason: who reviews the file sees what it is for.
fn permission(scope: &str, access: &str) -> (String, Yaml) {
    let reason = match (scope, access) {
        ("id-token", _) => "OIDC: the role below, and no stored key",
        ("pull-requests", _) => "the plan as a comment",
        ("attestations", _) => "provenance",
        ("packages", _) => "the images",
        ("actions", _) => "which commit was released last",
        _ => return (scope.to_owned(), access.into()),
    };
    (
        scope.to_owned(),
        Yaml::Commented(access.to_owned(), reason.to_owned()),
    )
}

/// A whole workflow. `concurrency` is the group, and whether a newer run ends an older one.
pub(super) fn workflow(name: &str, on: Yaml, concurrency: (&str, bool), jobs: Vec<Job>) -> Yaml {
    let jobs = jobs.into_iter().map(Job::entry).collect();
    map([
        ("name", name.into()),
        ("on", on),
        ("permissions", Yaml::Map(Vec::new())),
        (
            "concurrency",
            map([
                ("group", concurrency.0.into()),
                ("cancel-in-progress", concurrency.1.into()),
            ]),
        ),
        ("defaults", map([("run", map([("shell", "bash".into())]))])),
        ("jobs", Yaml::Spaced(jobs)),
    ])
}

/// A step that runs commands; `env` is how anything but text of ours reaches them.
pub(super) fn run(name: &str, env: &[(&str, &str)], script: &str) -> Yaml {
    let mut step = pairs([("name", name.into())]);
    if !env.is_empty() {
        let env = env
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Yaml::from(*value)));
        step.push(("env".into(), Yaml::Map(env.collect())));
    }
    let script = if script.contains('\n') {
        Yaml::Block(script.to_owned())
    } else {
        script.into()
    };
    step.push(("run".into(), script));
    Yaml::Map(step)
}

/// A step with a condition, or an id.
pub(super) fn with(step: Yaml, key: &str, value: &str) -> Yaml {
    match step {
        Yaml::Map(mut entries) => {
            entries.insert(1, (key.to_owned(), value.into()));
            Yaml::Map(entries)
        }
        other => other,
    }
}

/// A step of somebody else's.
pub(super) fn uses(name: &str, action: (&str, &str), with: Map) -> Yaml {
    let mut step = pairs([
        ("name", name.into()),
        (
            "uses",
            Yaml::Commented(action.0.to_owned(), action.1.to_owned()),
        ),
    ]);
    if !with.is_empty() {
        step.push(("with".into(), Yaml::Map(with)));
    }
    Yaml::Map(step)
}

/// The repository, with its history where commits are compared.
pub(super) fn checkout(with_history: bool) -> Yaml {
    let mut with = pairs([("persist-credentials", false.into())]);
    if with_history {
        with.push(("fetch-depth".into(), 0.into()));
    }
    uses("Check out", CHECKOUT, with)
}

/// `cais` on the runner's PATH.
pub(super) fn install(pipeline: &Pipeline) -> Yaml {
    match &pipeline.cais {
        Cais::Source => run(
            "Build cais",
            &[],
            "cargo build --release --locked --package cais --features aws\necho \"$PWD/target/release\" >>\"$GITHUB_PATH\"",
        ),
        Cais::Release { url, sha256 } => run(
            "Install cais",
            &[("CAIS_URL", url), ("CAIS_SHA256", sha256)],
            "mkdir -p \"$RUNNER_TEMP/bin\"\n\
             curl --fail --silent --show-error --location --proto '=https' --retry 3 --output \"$RUNNER_TEMP/bin/cais\" \"$CAIS_URL\"\n\
             echo \"$CAIS_SHA256  $RUNNER_TEMP/bin/cais\" | sha256sum --check --strict\n\
             chmod +x \"$RUNNER_TEMP/bin/cais\"\n\
             echo \"$RUNNER_TEMP/bin\" >>\"$GITHUB_PATH\"",
        ),
    }
}

/// The role that a job takes on AWS, for an hour; `variable` names its ARN.
pub(super) fn aws(name: &str, variable: &str) -> Yaml {
    uses(
        name,
        AWS,
        pairs([
            (
                "role-to-assume",
                format!("${{{{ vars.{variable} }}}}").into(),
            ),
            ("aws-region", "${{ vars.AWS_REGION }}".into()),
        ]),
    )
}

/// `staging` to `STAGING`, as the end of a variable's name.
pub(super) fn suffix(environment: &str) -> String {
    environment.to_ascii_uppercase().replace(['-', '.'], "_")
}

/// Docker's configuration, where `cais push` reads who we are. ECR needs none: the role is enough.
pub(super) fn login(pipeline: &Pipeline) -> Option<Yaml> {
    let script = |registry: &str| {
        format!(
            "docker login --username \"$REGISTRY_USER\" --password-stdin {registry} <<<\"$REGISTRY_TOKEN\""
        )
    };
    match pipeline.registry {
        Registry::Ecr => None,
        Registry::DockerHub => Some(run(
            "Log in to Docker Hub",
            &[
                ("REGISTRY_USER", "${{ vars.DOCKERHUB_USERNAME }}"),
                ("REGISTRY_TOKEN", "${{ secrets.DOCKERHUB_TOKEN }}"),
            ],
            script("docker.io").as_str(),
        )),
        Registry::Ghcr => Some(run(
            "Log in to ghcr.io",
            &[
                ("REGISTRY_USER", "${{ github.actor }}"),
                ("REGISTRY_TOKEN", "${{ github.token }}"),
            ],
            script("ghcr.io").as_str(),
        )),
    }
}

/// Only for branches of this repository: a fork's code gets no credentials.
pub(super) const OWN_BRANCH: &str =
    "github.event.pull_request.head.repo.full_name == github.repository";

/// One comment a workflow, told from the others by its first line and written over by the next run.
pub(super) fn comment(mark: &str) -> Yaml {
    run(
        "Comment",
        &[
            ("GH_TOKEN", "${{ github.token }}"),
            ("GH_REPO", "${{ github.repository }}"),
            ("PULL_REQUEST", "${{ github.event.pull_request.number }}"),
            ("MARK", &format!("<!-- cais: {mark} -->")),
        ],
        // GitHub takes 65,536 characters.
        "{ echo \"$MARK\"; head -c 60000 plan.md; } >comment.md\n\
         id=$(gh api --paginate \"repos/$GH_REPO/issues/$PULL_REQUEST/comments\" --jq '.[] | select(.body | startswith(env.MARK)) | .id' | head -n 1)\n\
         if [ -n \"$id\" ]; then\n  gh api --silent --method PATCH \"repos/$GH_REPO/issues/comments/$id\" --field body=@comment.md\n\
         else\n  gh pr comment \"$PULL_REQUEST\" --body-file comment.md\n\
         fi",
    )
}
