//! `cais exec`: runs a command where a task runs: in its container, or beside its process with what that has.

use super::project::Project;
use super::terminal::{self, RawMode};
use super::{Global, ps, runtime, verbs};
use crate::control::{Snapshot, TaskEndpoint};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::runtime::docker::engine::said;
use bollard::Docker;
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use cais_engine::notice::TaskPhase;
use cais_model::name::ServiceName;
use clap::Args;
use futures_util::StreamExt;
use std::io::{IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use tokio::io::AsyncWriteExt;

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Without a terminal: output and errors apart, input as it is
    #[arg(short = 'T', long)]
    pub(super) no_tty: bool,
    /// Another variable; repeatable
    #[arg(short, long = "env", value_name = "KEY=VALUE")]
    pub(super) env: Vec<String>,
    /// As this user (containers only)
    #[arg(short, long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// In this folder
    #[arg(short, long, value_name = "PATH")]
    pub(super) workdir: Option<String>,
    /// Which of the service's tasks, counted from 1, the oldest first
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) index: usize,
    /// The service in whose task it runs
    #[arg(value_name = "SERVICE", value_parser = verbs::parse_service)]
    pub(super) service: ServiceName,
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) command: Vec<String>,
}

pub(crate) async fn run(global: &Global, args: ExecArgs) -> Outcome {
    let project = Project::load(global)?;
    let snapshot = ps::snapshot(&project).await?;
    if snapshot.supervisor.is_none() {
        return Err(verbs::not_running(&project));
    }
    let task = task(&project, &snapshot, &args)?;
    let code = match (snapshot.runtime, &task.container, task.pid) {
        (Runtime::Docker, Some(container), _) => in_container(&project, container, &args).await?,
        (Runtime::Process, _, Some(pid)) => beside_process(pid, &args)?,
        _ => {
            return Err(Failure::new(
                Exit::Error,
                format!("the task of `{}` is only starting", args.service),
            )
            .help("try again in a moment; `cais ps` shows it"));
        }
    };
    // The command's own code is the answer, as everywhere where one program runs another.
    std::process::exit(code);
}

/// The task that is meant, among those that run.
fn task<'s>(
    project: &Project,
    snapshot: &'s Snapshot,
    args: &ExecArgs,
) -> Outcome<&'s TaskEndpoint> {
    let service = &args.service;
    let Some(view) = snapshot
        .services
        .iter()
        .find(|view| view.service == *service)
    else {
        return Err(project.unknown_service(service));
    };
    let running: Vec<u64> = view
        .tasks
        .iter()
        .filter(|task| matches!(task.phase, TaskPhase::Activating | TaskPhase::Running))
        .map(|task| task.task.0)
        .collect();
    let chosen = args
        .index
        .checked_sub(1)
        .and_then(|index| running.get(index));
    let endpoint = chosen.and_then(|task| snapshot.endpoints.get(service)?.tasks.get(task));
    endpoint.ok_or_else(|| {
        let count = running.len();
        Failure::new(
            Exit::Error,
            match count {
                0 => format!("no task of `{service}` runs"),
                1 => format!("`{service}` runs one task, and --index says {}", args.index),
                _ => format!(
                    "`{service}` runs {count} tasks, and --index says {}",
                    args.index
                ),
            },
        )
        .help("see them: `cais ps`")
    })
}

/// Beside a process: its environment, its folder, the caller's terminal.
fn beside_process(pid: u32, args: &ExecArgs) -> Outcome<i32> {
    if args.user.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            "a process runs as you; --user is for containers",
        )
        .help("take it out, or put `sudo -u USER` before the command"));
    }
    let gone = |error: std::io::Error| {
        Failure::new(Exit::Error, format!("the task has just ended: {error}"))
    };
    let environment = std::fs::read(format!("/proc/{pid}/environ")).map_err(gone)?;
    let mut folder = std::fs::read_link(format!("/proc/{pid}/cwd")).map_err(gone)?;
    if let Some(own) = &args.workdir {
        folder = folder.join(own);
    }
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let own = args.env.iter().map(String::as_str);
    let variables = environment
        .split('\0')
        .chain(own)
        .filter_map(|pair| pair.split_once('='));
    let [program, words @ ..] = &args.command[..] else {
        unreachable!("clap requires a command")
    };
    let status = Command::new(program)
        .args(words)
        .env_clear()
        .envs(variables)
        .current_dir(folder)
        .status()
        .map_err(|error| {
            Failure::new(Exit::Error, format!("`{program}` cannot be run: {error}"))
        })?;
    Ok(status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1))
}

async fn in_container(project: &Project, container: &str, args: &ExecArgs) -> Outcome<i32> {
    let client = runtime::engine(project).await?;
    let failed = |error: bollard::errors::Error| {
        Failure::new(
            Exit::Error,
            format!("`{}` cannot be run: {}", args.command[0], said(&error)),
        )
    };
    let tty = !args.no_tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut variables = args.env.clone();
    if tty && let Ok(term) = std::env::var("TERM") {
        variables.insert(0, format!("TERM={term}"));
    }
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(tty),
        env: Some(variables),
        cmd: Some(args.command.clone()),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        ..CreateExecOptions::default()
    };
    let exec = client
        .create_exec(container, options)
        .await
        .map_err(failed)?
        .id;
    let start = StartExecOptions {
        tty,
        ..StartExecOptions::default()
    };
    let started = client
        .start_exec(&exec, Some(start))
        .await
        .map_err(failed)?;
    if let StartExecResults::Attached { output, input } = started {
        let _raw = tty.then(RawMode::enter);
        converse(&client, &exec, tty, output, input).await;
    }
    let ended = client.inspect_exec(&exec).await.map_err(failed)?;
    Ok(ended
        .exit_code
        .and_then(|code| i32::try_from(code).ok())
        .unwrap_or(1))
}

type Output = std::pin::Pin<
    Box<
        dyn futures_util::Stream<
                Item = Result<bollard::container::LogOutput, bollard::errors::Error>,
            > + Send,
    >,
>;
type Input = std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>;

/// Carries input, output and the terminal's size until the command ends.
async fn converse(client: &Docker, exec: &str, tty: bool, mut output: Output, mut input: Input) {
    use bollard::container::LogOutput;
    let mut typed = terminal::typed();
    let mut resized = terminal::resized();
    let mut may_type = true;
    if tty {
        resize(client, exec).await;
    }
    loop {
        tokio::select! {
            frame = output.next() => match frame {
                Some(Ok(LogOutput::StdErr { message })) => {
                    let _ = std::io::stderr().write_all(&message);
                }
                Some(Ok(frame)) => {
                    let mut out = std::io::stdout();
                    let _ = out.write_all(frame.as_ref()).and_then(|()| out.flush());
                }
                Some(Err(_)) | None => return,
            },
            bytes = typed.recv(), if may_type => match bytes {
                Some(bytes) => may_type = input.write_all(&bytes).await.is_ok(),
                None => {
                    may_type = false;
                    let _ = input.shutdown().await;
                }
            },
            () = terminal::changed(&mut resized), if tty => resize(client, exec).await,
        }
    }
}

async fn resize(client: &Docker, exec: &str) {
    if let Some((width, height)) = terminal::size() {
        // A command that has ended has no size.
        let _ = client
            .resize_exec(exec, ResizeExecOptions { width, height })
            .await;
    }
}
