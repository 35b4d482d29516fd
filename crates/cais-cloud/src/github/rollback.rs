//! `rollback.yml`: by hand, one environment, all services or one.

use super::Pipeline;
use super::step::{self, Job, aws, checkout, run};
use super::yaml::{Yaml, map, pairs};

pub(super) fn workflow(pipeline: &Pipeline) -> Yaml {
    let mut job = Job::new("rollback", "Roll back");
    job.minutes = 60;
    job.permissions.push(("id-token", "write"));
    job.more = pairs([("environment", "${{ inputs.environment }}".into())]);
    job.steps = vec![
        checkout(false),
        step::install(pipeline),
        aws("May deploy", "AWS_DEPLOY_ROLE"),
        run(
            "Roll back",
            &[
                ("ENVIRONMENT", "${{ inputs.environment }}"),
                ("SERVICE", "${{ inputs.service }}"),
                ("REVISION", "${{ inputs.revision }}"),
            ],
            "cais -E \"$ENVIRONMENT\" -y --progress plain rollback ${SERVICE:+\"$SERVICE\"} ${REVISION:+\"$REVISION\"}",
        ),
    ];
    let inputs = map([
        (
            "environment",
            map([
                ("description", "Which environment".into()),
                ("type", "choice".into()),
                ("required", true.into()),
                ("options", Yaml::Flow(pipeline.environments.clone())),
            ]),
        ),
        (
            "service",
            map([
                (
                    "description",
                    "Which service; all that the newest deploy changed, if empty".into(),
                ),
                ("type", "string".into()),
                ("required", false.into()),
            ]),
        ),
        (
            "revision",
            map([
                (
                    "description",
                    "Which revision of it; the one before, if empty".into(),
                ),
                ("type", "string".into()),
                ("required", false.into()),
            ]),
        ),
    ]);
    step::workflow(
        "Roll back",
        map([("workflow_dispatch", map([("inputs", inputs)]))]),
        ("environment-${{ inputs.environment }}", false),
        vec![job],
    )
}
