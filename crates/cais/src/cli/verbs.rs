//! `start`, `stop`, `restart`, `scale`: one request each, and what its arguments look like.

use super::progress::Display;
use super::project::Project;
use super::{Global, supervise, verdict};
use crate::control::{Request, Until, Wait};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::name::ServiceName;
use clap::Args;
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub(crate) struct ServicesArgs {
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = parse_service)]
    services: Vec<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct WaitingArgs {
    /// Give up waiting after so many seconds (exit code 4)
    #[arg(long, value_name = "SECONDS")]
    wait_timeout: Option<u64>,
    /// Do not wait until the services are healthy
    #[arg(long)]
    no_wait: bool,
    /// Only these; all when none is named
    #[arg(value_name = "SERVICE", value_parser = parse_service)]
    services: Vec<ServiceName>,
}

#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// Give up waiting after so many seconds (exit code 4)
    #[arg(long, value_name = "SECONDS")]
    pub(super) wait_timeout: Option<u64>,
    /// Do not wait until the services are healthy
    #[arg(long)]
    pub(super) no_wait: bool,
    /// How many tasks
    #[arg(value_name = "SERVICE=N", required = true, value_parser = parse_scale)]
    pub(super) services: Vec<(ServiceName, u32)>,
}

pub(crate) fn parse_service(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text).map_err(|error| error.to_string())
}

/// `SERVICE=N`.
pub(crate) fn parse_scale(text: &str) -> Result<(ServiceName, u32), String> {
    let (name, count) = text
        .split_once('=')
        .ok_or("expected SERVICE=N, as in `web=3`")?;
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is not a number of tasks"))?;
    Ok((parse_service(name)?, count))
}

fn wait(no_wait: bool, seconds: Option<u64>) -> Wait {
    Wait {
        until: if no_wait {
            Until::Accepted
        } else {
            Until::Settled
        },
        timeout_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
    }
}

pub(crate) async fn start(global: &Global, args: WaitingArgs) -> Outcome {
    let wait = wait(args.no_wait, args.wait_timeout);
    change(
        global,
        &Request::Start {
            services: args.services.into_iter().collect(),
            wait,
        },
    )
    .await
}

pub(crate) async fn stop(global: &Global, args: ServicesArgs) -> Outcome {
    change(
        global,
        &Request::Stop {
            services: args.services.into_iter().collect(),
        },
    )
    .await
}

pub(crate) async fn restart(global: &Global, args: WaitingArgs) -> Outcome {
    let wait = wait(args.no_wait, args.wait_timeout);
    change(
        global,
        &Request::Restart {
            services: args.services.into_iter().collect(),
            wait,
        },
    )
    .await
}

pub(crate) async fn scale(global: &Global, args: ScaleArgs) -> Outcome {
    let wait = wait(args.no_wait, args.wait_timeout);
    let services: BTreeMap<ServiceName, u32> = args.services.into_iter().collect();
    change(global, &Request::Scale { services, wait }).await
}

/// Sends a request to the running supervisor and shows what happens.
pub(crate) async fn change(global: &Global, request: &Request) -> Outcome {
    let project = Project::load(global)?;
    let Some(conversation) = supervise::talk(&project.paths, request).await? else {
        return Err(not_running(&project));
    };
    let mut display = Display::new(global);
    let answer = verdict::follow(conversation, &mut display).await;
    display.finish();
    verdict::judge(&project, &answer?)
}

/// No supervisor answers.
pub(crate) fn not_running(project: &Project) -> Failure {
    let failure = Failure::new(Exit::Error, format!("`{}` is not running", project.name()));
    let left =
        std::fs::read_dir(project.paths.tasks()).is_ok_and(|mut entries| entries.next().is_some());
    if left {
        failure.help("its supervisor is gone, but tasks are left: `cais up -d` adopts them, `cais down` ends them")
    } else {
        failure.help("start it: `cais up -d`")
    }
}
