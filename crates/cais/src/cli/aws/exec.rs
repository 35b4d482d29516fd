//! `cais exec -E ENV SERVICE COMMAND`: a command in a running task, through ECS Exec and AWS's session plugin.

use super::{Target, failure};
use crate::cli::Global;
use crate::cli::exec::ExecArgs;
use crate::exit::{Exit, Failure, Outcome};
use cais_aws::sdk::tasks::Which;
use cais_model::name::EnvironmentName;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// AWS's program that talks in a session.
const PLUGIN: &str = "session-manager-plugin";
/// The plugin reads the session from the variable that its first argument names: what stands in an argument list, every
/// user of the machine can read, and the session holds a token. (Plugins before 1.2.497 of 2023 do not know this.)
const SESSION: &str = "AWS_SSM_START_SESSION_RESPONSE";

pub(super) async fn run(global: &Global, name: &EnvironmentName, args: &ExecArgs) -> Outcome {
    if !is_installed() {
        return Err(Failure::new(
            Exit::Error,
            format!("`{PLUGIN}` is not installed, and only it can talk to a task on Fargate"),
        )
        .help("install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"));
    }
    let elsewhere = [
        ("--env", !args.env.is_empty()),
        ("--user", args.user.is_some()),
        ("--workdir", args.workdir.is_some()),
        ("--no-tty", args.no_tty),
    ];
    if let Some((option, _)) = elsewhere.iter().find(|(_, is_given)| *is_given) {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{option}` is not to be had on AWS: ECS Exec takes a command alone"),
        )
        .help(format!(
            "say it in the command: `cais exec -E {name} {} sh -c '…'`",
            args.service
        )));
    }
    let target = Target::open(global, name).await?;
    let services = target.services(std::slice::from_ref(&args.service)).await?;
    let (service, live) = &services[0];
    if !live.exec {
        return Err(Failure::new(
            Exit::Error,
            format!("`{service}` does not allow commands in its tasks"),
        )
        .help(format!(
            "allow it in the file (services.{service}.x-cais.aws.execute_command: true), apply the infrastructure, and deploy: tasks that run already do not change"
        )));
    }
    let cluster = target.names.cluster();
    let tasks = target
        .session
        .tasks(&cluster, &live.name, Which::Running)
        .await
        .map_err(failure)?;
    // Counted from 1, the oldest first, as on this machine.
    let mut running = tasks.iter().filter(|task| task.status == "RUNNING");
    let chosen = running.nth(args.index.saturating_sub(1));
    let task = chosen.ok_or_else(|| {
        Failure::new(Exit::Error, format!("`{service}` has no such running task"))
            .help(format!("see them: `cais ps -E {name} {service}`"))
    })?;
    target.show(global);
    let command = shell_words::join(&args.command);
    let session = target
        .session
        .exec(
            &cluster,
            &task.id,
            &target.names.container(service.as_str()),
            &command,
        )
        .await
        .map_err(failure)?;
    let region = target.session.region();
    let endpoint = format!("https://ssm.{region}.amazonaws.com");
    let error = Command::new(PLUGIN)
        .env(SESSION, &session.response)
        .args([
            SESSION,
            region,
            "StartSession",
            "",
            &session.target,
            &endpoint,
        ])
        .exec();
    Err(Failure::new(
        Exit::Error,
        format!("`{PLUGIN}` cannot be started: {error}"),
    ))
}

fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(PLUGIN).is_file())
}
