//! `cais verify -E ENV`: everything a deploy will need, asked for before it; each line passed or failed, with what to do.

use super::Target;
use super::room::Room;
use crate::cli::Global;
use crate::cli::elsewhere::VerifyArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::image;
use cais_aws::definition;
use cais_aws::sdk::Kind;
use cais_aws::service::Service;
use cais_cloud::task;
use cais_model::name::{EnvironmentName, ServiceName};
use serde_json::Value;
use std::collections::BTreeSet;

mod report;

pub(super) use report::{Answer, Report};

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &VerifyArgs) -> Outcome {
    let target = Target::open(global, name).await?;
    let mut report = Report::default();
    report.passed("account", "identity", target.identity.arn.clone());
    let selected = target.selection(&args.services)?;
    permissions(&target, &selected, &mut report).await;
    lock(&target, &mut report).await;
    if let Some(cluster) = cluster(&target, &mut report).await {
        report.passed("account", "cluster", cluster);
        let wanted: Vec<String> = selected
            .iter()
            .map(|s| target.names.service(s.as_str()))
            .collect();
        match target
            .session
            .services(&target.names.cluster(), &wanted)
            .await
        {
            Ok(found) => {
                let mut room = Room::default();
                for service in &selected {
                    let ecs = target.names.service(service.as_str());
                    match found.iter().find(|one| one.name == ecs) {
                        Some(live) => {
                            let running = self::service(&target, service, live, &mut report).await;
                            room.add(live, running.as_ref());
                        }
                        None if super::images::is_built(&target, service) => report.failed(
                            service.as_str(),
                            "service",
                            format!("there is no ECS service `{ecs}`"),
                            target.infrastructure_help(),
                        ),
                        None => {}
                    }
                }
                room.ask(&target, &mut report).await;
            }
            Err(error) => report.error("account", "services", &error),
        }
    }
    secrets(&target, &selected, &mut report).await;
    report::print(global, &target, &report)?;
    match report.failures() {
        0 => Ok(()),
        1 => Err(Failure::new(
            Exit::CheckFailed,
            "1 thing that a deploy needs is missing",
        )),
        n => Err(Failure::new(
            Exit::CheckFailed,
            format!("{n} things that a deploy needs are missing"),
        )),
    }
}

/// May the caller do what a deploy does, with this environment's own things? Policies that name resources answer otherwise
/// about `*`.
async fn permissions(target: &Target, selected: &[ServiceName], report: &mut Report) {
    let question = "permissions";
    let (mut asked, mut missing, mut no_push) = (0, Vec::new(), false);
    for (actions, resource) in needed(target, selected) {
        let session = &target.session;
        let answers = session.permissions(&target.identity.arn, &actions, &resource);
        match answers.await {
            Ok(answers) => {
                asked += answers.len();
                for one in answers.into_iter().filter(|one| !one.allowed) {
                    if one.action.starts_with("ecr:") {
                        no_push = true;
                    } else {
                        missing.push(one.action);
                    }
                }
            }
            Err(error) => {
                let detail = format!("cannot be asked: {error}");
                return report.push("account", question, Answer::Unknown, detail, None);
            }
        }
    }
    if !missing.is_empty() {
        let detail = format!("IAM does not allow {}", missing.join(", "));
        let help =
            "use the deploy role that the foundation makes, or give the identity these permissions";
        return report.failed("account", question, detail, help.to_owned());
    }
    report.passed(
        "account",
        question,
        format!("{asked} of what a deploy does"),
    );
    if no_push {
        let detail =
            "IAM does not allow to push images; deploy what was pushed before: `--tag TAG`";
        report.push(
            "account",
            question,
            Answer::Unknown,
            detail.to_owned(),
            None,
        );
    }
}

/// What a deploy does, as IAM calls it, and with what: a first service stands for all.
fn needed(target: &Target, selected: &[ServiceName]) -> Vec<(Vec<&'static str>, String)> {
    let account = &target.identity.account;
    let region = target.session.region();
    // The partition is the caller's: `aws`, `aws-cn`, `aws-us-gov`.
    let partition = target.identity.arn.split(':').nth(1).unwrap_or("aws");
    let cluster = target.names.cluster();
    let service = selected.first().map_or("*", ServiceName::as_str);
    let arn = |what: &str, rest: &str| format!("arn:{partition}:{what}:{region}:{account}:{rest}");
    let ecs = target.names.service(service);
    let mut needed = vec![
        (
            vec![
                "ecs:DescribeTaskDefinition",
                "ecs:RegisterTaskDefinition",
                "secretsmanager:ListSecrets",
            ],
            "*".to_owned(),
        ),
        (
            vec![
                "ecs:DescribeServices",
                "ecs:UpdateService",
                "ecs:ListServiceDeployments",
            ],
            arn("ecs", &format!("service/{cluster}/{ecs}")),
        ),
        (
            vec![
                "ecs:DescribeServiceDeployments",
                "ecs:StopServiceDeployment",
            ],
            arn("ecs", &format!("service-deployment/{cluster}/{ecs}/*")),
        ),
        (
            vec!["ecs:DescribeTasks"],
            arn("ecs", &format!("task/{cluster}/*")),
        ),
        (
            vec!["logs:GetLogEvents", "logs:FilterLogEvents"],
            arn(
                "logs",
                &format!("log-group:{}:*", target.names.log_group(service)),
            ),
        ),
        (
            vec!["iam:PassRole"],
            format!(
                "arn:{partition}:iam::{account}:role/{}",
                target.names.task_role(service)
            ),
        ),
    ];
    if super::images::of_file(&target.project).is_none() {
        let repository = format!("repository/{}", target.names.repository(service));
        needed.push((vec!["ecr:PutImage"], arn("ecr", &repository)));
    }
    needed
}

async fn lock(target: &Target, report: &mut Report) {
    let bucket = target.names.state_bucket(&target.identity.account);
    match target
        .session
        .lock_holder(&bucket, &target.names.lock_key())
        .await
    {
        Ok(None) => report.passed("account", "lock", format!("free, in `{bucket}`")),
        Ok(Some(holder)) => report.failed(
            "account",
            "lock",
            format!("held by {} for {}", holder.owner, holder.reason),
            format!(
                "wait, or let it go: `cais lock -E {} --release`",
                target.environment
            ),
        ),
        Err(error) if error.kind == Kind::NotFound => report.failed(
            "account",
            "lock",
            format!("there is no bucket `{bucket}`"),
            target.infrastructure_help(),
        ),
        Err(error) => report.error("account", "lock", &error),
    }
}

async fn cluster(target: &Target, report: &mut Report) -> Option<String> {
    match target.session.cluster(&target.names.cluster()).await {
        Ok(arn) => Some(arn),
        Err(error) if error.kind == Kind::NotFound => {
            report.failed(
                "account",
                "cluster",
                error.message,
                target.infrastructure_help(),
            );
            None
        }
        Err(error) => {
            report.error("account", "cluster", &error);
            None
        }
    }
}

/// Answers with the task definition that runs.
async fn service(
    target: &Target,
    name: &ServiceName,
    live: &Service,
    report: &mut Report,
) -> Option<Value> {
    let subject = name.as_str();
    report.passed(
        subject,
        "service",
        format!("{} of {} tasks run", live.running, live.desired),
    );
    let session = &target.session;
    if let Some(image) = super::images::elsewhere(target, name) {
        report.passed(subject, "repository", image);
    } else if super::images::is_built(target, name) {
        let repository = target.names.repository(subject);
        match session.repository(&repository).await {
            Ok(Some(uri)) => report.passed(subject, "repository", uri),
            Ok(None) => report.failed(
                subject,
                "repository",
                format!("there is no `{repository}`"),
                target.infrastructure_help(),
            ),
            Err(error) => report.error(subject, "repository", &error),
        }
    }
    let running = match session.definition(&live.definition).await {
        Ok(running) => Some(running),
        Err(error) => {
            report.error(subject, "task definition", &error);
            None
        }
    };
    if let Some(running) = &running {
        running_image(target, name, running, report).await;
    }
    for role in [
        target.names.execution_role(subject),
        target.names.task_role(subject),
    ] {
        match session.role(&role).await {
            Ok(Some(arn)) => report.passed(subject, "role", arn),
            Ok(None) => report.failed(
                subject,
                "role",
                format!("there is no role `{role}`"),
                target.infrastructure_help(),
            ),
            Err(error) => report.error(subject, "role", &error),
        }
    }
    let group = target.names.log_group(subject);
    match session.log_group_exists(&group).await {
        Ok(true) => report.passed(subject, "log group", group),
        Ok(false) => report.failed(
            subject,
            "log group",
            format!("there is no `{group}`"),
            target.infrastructure_help(),
        ),
        Err(error) => report.error(subject, "log group", &error),
    }
    for arn in &live.target_groups {
        match session.target_group(arn).await {
            Ok(found) => report.passed(
                subject,
                "target group",
                format!(
                    "{} asks {}",
                    found.name,
                    found.path.unwrap_or_else(|| "its port".to_owned())
                ),
            ),
            Err(error) => report.error(subject, "target group", &error),
        }
    }
    running
}

/// Is what runs now still in the registry? A task that ends is replaced from there.
async fn running_image(target: &Target, name: &ServiceName, running: &Value, report: &mut Report) {
    let subject = name.as_str();
    let Some(image) = definition::image_of(running, &target.names.container(subject)) else {
        return;
    };
    let Some((place, digest)) = image.split_once('@') else {
        return report.push(
            subject,
            "image",
            Answer::Unknown,
            format!("`{image}` is named by a tag, which can move"),
            Some(format!(
                "deploy once: `cais deploy -E {}` pins it",
                target.environment
            )),
        );
    };
    let own = target.names.repository(subject);
    let found = if super::images::elsewhere(target, name).as_deref() == Some(place) {
        match image::digest(&target.project.variables, place, digest).await {
            Ok(found) => found,
            // ECS may be let in where this machine is not.
            Err(why) => {
                return report.push(subject, "image", Answer::Unknown, why.message, why.help);
            }
        }
    } else if place.ends_with(&own) {
        match target.session.image_digest(&own, digest).await {
            Ok(found) => found,
            Err(error) => return report.error(subject, "image", &error),
        }
    } else {
        return;
    };
    if found.is_some() {
        report.passed(subject, "image", image);
    } else {
        report.failed(
            subject,
            "image",
            format!("`{image}` runs, and is no longer in the registry: a task that ends cannot be replaced"),
            format!("deploy: `cais deploy -E {}`", target.environment),
        );
    }
}

/// The secrets that the services' tasks are started with.
async fn secrets(target: &Target, selected: &[ServiceName], report: &mut Report) {
    let stack = &target.project.loaded.stack;
    let mut names = BTreeSet::new();
    let tasks = stack
        .services
        .values()
        .filter(|service| selected.contains(&service.name))
        // What Fargate does not have is told by who loads the file.
        .filter_map(|service| task::task_definition(stack, service, &target.environment).ok());
    for task in tasks {
        let variables = task.container.secrets.into_iter().map(|it| it.secret);
        names.extend(variables.chain(task.container.credentials));
    }
    let caches = stack
        .services
        .values()
        .filter(|service| service.cloud.aws.managed.is_some())
        .map(|service| target.names.cache_secret(service.name.as_str()));
    let of_caches: BTreeSet<String> = caches.collect();
    let prefix = target.names.secret("");
    for full in names {
        let short = full.strip_prefix(&prefix).unwrap_or(&full);
        match target.session.secret_is_set(&full).await {
            Ok(true) => report.passed("secrets", short, full.clone()),
            Ok(false) => report.failed(
                "secrets",
                short,
                format!("`{full}` has no value"),
                if of_caches.contains(&full) {
                    format!(
                        "give the cache its password: `sh set-cache-token.sh` in infra/terraform/{}",
                        target.environment
                    )
                } else {
                    format!(
                        "set it: `cais secret set -E {} {short}`",
                        target.environment
                    )
                },
            ),
            Err(error) => report.error("secrets", short, &error),
        }
    }
}
