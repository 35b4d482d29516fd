//! `infrastructure.yml`: only when its files changed. A pull request sees the plan as a comment; main applies it, environment after environment.

use super::step::{
    self, Job, OWN_BRANCH, PULUMI, TERRAFORM, aws, checkout, comment, run, suffix, uses, with,
};
use super::yaml::{Yaml, map, pairs};
use super::{Iac, Pipeline};

pub(super) fn workflow(pipeline: &Pipeline) -> Yaml {
    let branches: Vec<String> = pipeline.branches().into_iter().map(str::to_owned).collect();
    let on = map([
        (
            "pull_request",
            map([("branches", Yaml::Flow(branches)), ("paths", paths())]),
        ),
        (
            "push",
            map([
                ("branches", Yaml::Flow(vec!["main".into()])),
                ("paths", paths()),
            ]),
        ),
    ]);
    let mut jobs = vec![validate(pipeline), plan(pipeline)];
    let mut before = "validate".to_owned();
    for environment in &pipeline.environments {
        let job = apply(pipeline, environment, &before);
        before.clone_from(&job.id);
        jobs.push(job);
    }
    step::workflow(
        "Infrastructure",
        on,
        ("infrastructure-${{ github.ref }}", false),
        jobs,
    )
}

fn paths() -> Yaml {
    let paths = [
        "infra/**",
        "compose*.yaml",
        "compose*.yml",
        ".github/workflows/infrastructure.yml",
    ];
    Yaml::List(paths.map(Yaml::from).into())
}

/// The tool, at one version.
fn tool(pipeline: &Pipeline) -> Vec<Yaml> {
    match pipeline.iac {
        Iac::Terraform => vec![uses(
            "Install Terraform",
            TERRAFORM,
            pairs([
                ("terraform_version", "1.11.4".into()),
                ("terraform_wrapper", false.into()),
            ]),
        )],
        Iac::Pulumi => vec![
            uses(
                "Install Pulumi",
                PULUMI,
                pairs([("pulumi-version", "3.270.0".into())]),
            ),
            run(
                "Install the program's packages",
                &[],
                "npm ci --ignore-scripts --prefix infra/pulumi",
            ),
        ],
    }
}

fn validate(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("validate", "Validate");
    job.steps = vec![checkout(false), step::install(pipeline)];
    job.steps.extend(tool(pipeline));
    job.steps.push(run(
        "It is what the Compose file says, and holds together",
        &[],
        &format!(
            "pipx install checkov==3.3.30\ncais infra diff --exit-code{}\ncais infra {} --check\ncais check --output github",
            match pipeline.iac {
                Iac::Terraform => "",
                Iac::Pulumi => " --pulumi",
            },
            pipeline.iac.word()
        ),
    ));
    job
}

fn plan(pipeline: &Pipeline) -> Job {
    let mut job = Job::new("plan", "Plan");
    job.needs = vec!["validate".into()];
    job.condition = Some(format!(
        "github.event_name == 'pull_request' && {OWN_BRANCH}"
    ));
    job.permissions
        .extend([("id-token", "write"), ("pull-requests", "write")]);
    job.steps = vec![checkout(false)];
    job.steps.extend(tool(pipeline));
    for environment in &pipeline.environments {
        let variable = format!("AWS_PLAN_ROLE_{}", suffix(environment));
        job.steps.push(with(
            aws(&format!("Read {environment}"), &variable),
            "id",
            environment,
        ));
        job.steps.push(on_roots(
            pipeline,
            &format!("Plan {environment}"),
            (environment, environment),
            unknown,
            plan_script(pipeline.iac),
        ));
    }
    if pipeline.iac == Iac::Terraform && !pipeline.webhooks.is_empty() {
        job.steps.push(run(
            "Say what is not known",
            &[],
            "echo 'A plan does not know the addresses of webhooks: it shows their subscriptions as replaced.' >>plan.md",
        ));
    }
    job.steps.push(comment("infrastructure"));
    job
}

/// A step on both roots of an environment, with what they ask for. Where the Compose file names the account, they ask for no bucket;
/// a variable that Terraform has no use for it leaves alone. Pulumi keeps what it asks for in the stack's file, encrypted.
fn on_roots(
    pipeline: &Pipeline,
    name: &str,
    (environment, role): (&str, &str),
    webhook: impl Fn(&str) -> String,
    script: &str,
) -> Yaml {
    let bucket = pipeline.state_bucket(environment, role);
    if pipeline.iac == Iac::Pulumi {
        let given = [("ENVIRONMENT", environment), ("STATE_BUCKET", &bucket)];
        return run(name, &given, script);
    }
    let tag = format!("${{{{ vars.IMAGE_TAG_{} }}}}", suffix(environment));
    let webhooks: Vec<(String, String)> = pipeline
        .webhooks
        .iter()
        .map(|variable| (format!("TF_VAR_{variable}"), webhook(variable)))
        .collect();
    let mut given = vec![
        ("ENVIRONMENT", environment),
        ("TF_VAR_state_bucket", &bucket),
        ("TF_VAR_image_tag", &tag),
    ];
    given.extend(webhooks.iter().map(|(name, value)| (&**name, &**value)));
    run(name, &given, script)
}

/// A job without an environment has no secrets, and a plan is such a job.
fn unknown(_: &str) -> String {
    "https://webhook.invalid".to_owned()
}

/// A secret of the environment.
fn secret(variable: &str) -> String {
    format!("${{{{ secrets.{} }}}}", variable.to_ascii_uppercase())
}

/// A plan locks nothing and changes nothing, so that a role that reads is enough.
fn plan_script(iac: Iac) -> &'static str {
    match iac {
        Iac::Terraform => {
            "for root in foundation services; do\n  \
               terraform -chdir=\"infra/terraform/$ENVIRONMENT/$root\" init -input=false -lockfile=readonly -backend-config=\"bucket=$TF_VAR_state_bucket\"\n  \
               {\n    \
                 echo \"### Infrastructure of $ENVIRONMENT: $root\"\n    \
                 echo '```'\n    \
                 terraform -chdir=\"infra/terraform/$ENVIRONMENT/$root\" plan -input=false -lock=false -no-color\n    \
                 echo '```'\n  \
               } >>plan.md\n\
             done"
        }
        Iac::Pulumi => {
            "pulumi login \"s3://$STATE_BUCKET?region=$AWS_REGION\"\n\
             for root in foundation services; do\n  \
               {\n    \
                 echo \"### Infrastructure of $ENVIRONMENT: $root\"\n    \
                 echo '```'\n    \
                 pulumi --cwd \"infra/pulumi/$root\" preview --stack \"$ENVIRONMENT\" --non-interactive --color never --diff\n    \
                 echo '```'\n  \
               } >>plan.md\n\
             done"
        }
    }
}

fn apply_script(iac: Iac) -> &'static str {
    match iac {
        Iac::Terraform => {
            "for root in foundation services; do\n  \
               terraform -chdir=\"infra/terraform/$ENVIRONMENT/$root\" init -input=false -lockfile=readonly -backend-config=\"bucket=$TF_VAR_state_bucket\"\n  \
               terraform -chdir=\"infra/terraform/$ENVIRONMENT/$root\" apply -input=false -auto-approve\n\
             done"
        }
        Iac::Pulumi => {
            "pulumi login \"s3://$STATE_BUCKET?region=$AWS_REGION\"\n\
             for root in foundation services; do\n  \
               pulumi --cwd \"infra/pulumi/$root\" up --stack \"$ENVIRONMENT\" --non-interactive --yes\n\
             done"
        }
    }
}

fn apply(pipeline: &Pipeline, environment: &str, before: &str) -> Job {
    let mut job = Job::new(environment, &format!("Apply to {environment}"));
    job.needs = vec![before.to_owned()];
    job.condition = Some("${{ github.event_name == 'push' }}".into());
    job.minutes = 120;
    job.permissions.push(("id-token", "write"));
    job.more = pairs([
        ("environment", environment.into()),
        (
            "concurrency",
            map([
                ("group", format!("environment-{environment}").into()),
                ("cancel-in-progress", false.into()),
            ]),
        ),
    ]);
    job.steps = vec![checkout(false)];
    job.steps.extend(tool(pipeline));
    job.steps
        .push(with(aws("May apply", "AWS_APPLY_ROLE"), "id", "role"));
    job.steps.push(on_roots(
        pipeline,
        "Apply",
        (environment, "role"),
        secret,
        apply_script(pipeline.iac),
    ));
    job
}
