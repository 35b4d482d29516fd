//! `deploy.yml`: what changed since the last release is built once, pushed, and goes through the environments; each is smoke-tested, and goes back when that fails.

use super::step::{self, ATTEST, Job, aws, checkout, run, suffix, uses, with};
use super::yaml::{Yaml, map, pairs};
use super::{Pipeline, Registry};

/// Which services, as the jobs hand it on: a JSON list, and the same as words.
const SERVICES: (&str, &str) = ("SERVICES", "${{ needs.changed.outputs.services }}");

pub(super) fn workflow(pipeline: &Pipeline) -> Yaml {
    let branches = pipeline.branches().into_iter().map(str::to_owned).collect();
    let elsewhere = ["docs/**", "infra/**", "**.md"].map(str::to_owned);
    let mut jobs = vec![changed(pipeline), build(pipeline)];
    let mut before = "build".to_owned();
    for (rank, environment) in pipeline.environments.iter().enumerate() {
        let job = release(pipeline, rank, environment, &before);
        if pipeline.staging_branch.is_none() {
            before.clone_from(&job.id);
        }
        jobs.push(job);
    }
    step::workflow(
        "Deploy",
        map([(
            "push",
            map([
                ("branches", Yaml::Flow(branches)),
                ("paths-ignore", Yaml::List(elsewhere.map(Yaml::Text).into())),
            ]),
        )]),
        // One release of a branch at a time, and none is cut off in the middle.
        ("deploy-${{ github.ref }}", false),
        jobs,
    )
}

fn changed(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("changed", "What changed");
    job.minutes = 15;
    job.permissions.push(("actions", "read"));
    job.more = pairs([(
        "outputs",
        map([("services", "${{ steps.changed.outputs.services }}".into())]),
    )]);
    job.steps = vec![
        checkout(true),
        step::install(pipeline),
        with(
            run(
                "Since the last release that went through",
                &[
                    ("GH_TOKEN", "${{ github.token }}"),
                    ("GH_REPO", "${{ github.repository }}"),
                    ("BRANCH", "${{ github.ref_name }}"),
                ],
                "base=$(gh run list --workflow deploy.yml --branch \"$BRANCH\" --status success --limit 1 --json headSha --jq '.[0].headSha // empty')\n\
                 services=$(cais ci changed ${base:+--base \"$base\"})\n\
                 echo \"services=${services//$'\\n'/ }\" >>\"$GITHUB_OUTPUT\"",
            ),
            "id",
            "changed",
        ),
    ];
    job
}

fn build(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("build", "Build and push");
    job.needs = vec!["changed".into()];
    job.condition = Some("${{ needs.changed.outputs.services != '' }}".into());
    job.minutes = 60;
    job.permissions
        .extend([("id-token", "write"), ("attestations", "write")]);
    if pipeline.registry == Registry::Ghcr {
        job.permissions.push(("packages", "write"));
    }
    if pipeline.registry == Registry::DockerHub {
        // Where the stored token lives: no other job, and no other branch, can read it.
        job.more = pairs([("environment", "registry".into())]);
    }
    job.steps = vec![checkout(false), step::install(pipeline)];
    job.steps.extend(step::login(pipeline));
    job.steps.push(run(
        "Build",
        &[SERVICES],
        "read -ra names <<<\"$SERVICES\"\ncais build \"${names[@]}\"",
    ));
    for (rank, environment) in pipeline.environments.iter().enumerate() {
        job.steps.extend(push(pipeline, rank, environment));
        if pipeline.registry != Registry::Ecr {
            break;
        }
    }
    job.steps.push(run(
        "Name what was pushed",
        &[],
        "jq --raw-output '.[] | (.digest | ltrimstr(\"sha256:\")) + \"  \" + .name' pushed-*.json | sort -u >subjects.txt",
    ));
    job.steps.push(uses(
        "Attest where it came from",
        ATTEST,
        pairs([("subject-checksums", "subjects.txt".into())]),
    ));
    job
}

/// The same image into the environment's own repositories, or once into a registry that all of them share.
fn push(pipeline: &Pipeline, rank: usize, environment: &str) -> Vec<Yaml> {
    let script = "read -ra names <<<\"$SERVICES\"\ncais -E \"$ENVIRONMENT\" push --no-build --json \"${names[@]}\" >\"pushed-$ENVIRONMENT.json\"";
    let step = run(
        &format!("Push for {environment}"),
        &[SERVICES, ("ENVIRONMENT", environment)],
        script,
    );
    if pipeline.registry != Registry::Ecr {
        return vec![step];
    }
    let variable = format!("AWS_PUSH_ROLE_{}", suffix(environment));
    let credentials = aws(&format!("May push for {environment}"), &variable);
    match on_branch(pipeline, rank) {
        None => vec![credentials, step],
        Some(condition) => vec![
            with(credentials, "if", &condition),
            with(step, "if", &condition),
        ],
    }
}

/// Where staging has a branch of its own: main is for the last environment, that branch for the others.
fn on_branch(pipeline: &Pipeline, rank: usize) -> Option<String> {
    let branch = pipeline.staging_branch.as_deref()?;
    let branch = if rank + 1 == pipeline.environments.len() {
        "main"
    } else {
        branch
    };
    Some(format!("${{{{ github.ref_name == '{branch}' }}}}"))
}

fn release(pipeline: &Pipeline, rank: usize, environment: &str, before: &str) -> Job {
    let mut job = Job::new(environment, &format!("Deploy to {environment}"));
    job.needs = vec!["changed".into(), before.to_owned()];
    job.condition = on_branch(pipeline, rank);
    job.minutes = 60;
    job.permissions.push(("id-token", "write"));
    // Reviewers and the variables AWS_DEPLOY_ROLE and SMOKE_URL belong to the environment, in the repository's settings.
    job.more = pairs([
        (
            "environment",
            map([
                ("name", environment.into()),
                ("url", "${{ vars.SMOKE_URL }}".into()),
            ]),
        ),
        (
            "concurrency",
            map([
                ("group", format!("environment-{environment}").into()),
                ("cancel-in-progress", false.into()),
            ]),
        ),
    ]);
    if pipeline.registry == Registry::Ghcr && pipeline.images_are_private {
        job.permissions.push(("packages", "read"));
    }
    let environment = ("ENVIRONMENT", environment);
    job.steps = vec![checkout(false), step::install(pipeline)];
    if pipeline.images_are_private {
        // To find them by their tag. What Docker Hub's token may do is the environment's to say: here, to read.
        job.steps.extend(step::login(pipeline));
    }
    job.steps.extend([
        aws("May deploy", "AWS_DEPLOY_ROLE"),
        run("Verify", &[environment], "cais -E \"$ENVIRONMENT\" verify"),
        run(
            "Deploy",
            &[environment, SERVICES],
            "read -ra names <<<\"$SERVICES\"\ncais -E \"$ENVIRONMENT\" -y --progress plain deploy --tag \"${GITHUB_SHA::12}\" \"${names[@]}\"",
        ),
        with(
            run(
                "Ask through the load balancer",
                &[("SMOKE_URL", "${{ vars.SMOKE_URL }}")],
                "curl --fail --silent --show-error --retry 5 --retry-all-errors --max-time 10 --output /dev/null \"$SMOKE_URL\"",
            ),
            "id",
            "smoke",
        ),
        // A deploy that fails goes back by itself; one that succeeds and does not answer goes back here.
        with(
            run(
                "Go back",
                &[environment, SERVICES],
                // One that cannot go back keeps no other from it.
                "status=0\nfor service in $SERVICES; do\n  cais -E \"$ENVIRONMENT\" -y --progress plain rollback \"$service\" || status=$?\ndone\nexit \"$status\"",
            ),
            "if",
            "${{ failure() && steps.smoke.outcome == 'failure' }}",
        ),
    ]);
    job
}
