//! The command line's way to a supervisor: talks to the one that runs, or starts one.

use super::project::Project;
use crate::control::{Conversation, Reply, Request};
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::{self, Paths};
use crate::supervisor::{Boot, Booted};
use rustix::fs::FlockOperation;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a supervisor may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Talks to the running supervisor; `None` when there is none.
pub(crate) async fn talk(paths: &Paths, request: &Request) -> Outcome<Option<Conversation>> {
    match Conversation::open(&paths.control_socket(), request).await {
        Ok(conversation) => Ok(Some(conversation)),
        // A socket that refuses was left by a supervisor that died.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Failure::new(
            Exit::Error,
            format!(
                "cannot reach the supervisor at `{}`: {error}",
                paths.control_socket().display()
            ),
        )),
    }
}

/// Talks to the running supervisor, starting one where none runs.
pub(crate) async fn talk_or_start(project: &Project, request: &Request) -> Outcome<Conversation> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(conversation) = talk(&project.paths, request).await? {
            return Ok(conversation);
        }
        if Instant::now() >= deadline {
            break;
        }
        if !start(project)? {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(
        Failure::new(Exit::Error, "the supervisor starts, but does not answer").help(format!(
            "see `{}`",
            project.paths.supervisor_log().display()
        )),
    )
}

/// Waits until the supervisor that answered `done` has closed its journal: only then may another take over.
pub(crate) async fn wait_for_end(paths: &Paths) {
    let Ok(lock) = std::fs::File::open(paths.supervisor_lock()) else {
        return;
    };
    let deadline = Instant::now() + PATIENCE;
    while rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
        && Instant::now() < deadline
    {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks one question that is answered at once.
pub(crate) async fn ask(paths: &Paths, request: &Request) -> Outcome<Option<Reply>> {
    match talk(paths, request).await? {
        Some(mut conversation) => conversation.next().await,
        None => Ok(None),
    }
}

/// Starts a supervisor and waits until it accepts requests. `false`: another has the project, be it one
/// that somebody else just started or one that is about to leave.
fn start(project: &Project) -> Outcome<bool> {
    project.paths.create()?;
    let log = open_log(&project.paths.supervisor_log())?;
    let boot = Boot {
        project: project.name().to_owned(),
        directory: project.release.directory.clone(),
        state: project.paths.state.clone(),
        runtime: project.paths.runtime.clone(),
        variables: project.variables.clone(),
    };
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("the supervisor could not be started: {error}"),
        )
    };
    let mut child = Command::new("/proc/self/exe")
        .arg0("cais")
        .arg("supervise")
        .arg(project.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .current_dir("/")
        .spawn()
        .map_err(cannot)?;
    let mut stdin = child
        .stdin
        .take()
        .unwrap_or_else(|| unreachable!("stdin was piped"));
    let text = serde_json::to_vec(&boot).map_err(|error| cannot(error.into()))?;
    stdin.write_all(&text).map_err(cannot)?;
    drop(stdin);
    let stdout = child
        .stdout
        .take()
        .unwrap_or_else(|| unreachable!("stdout was piped"));
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .map_err(cannot)?;
    match serde_json::from_str(&line) {
        Ok(Booted::Ready { .. }) => Ok(true),
        Ok(Booted::Taken) => Ok(false),
        Ok(Booted::Failed {
            exit,
            message,
            help,
        }) => {
            let mut failure = Failure::new(exit, message);
            failure.help = help;
            Err(failure)
        }
        Err(_) => Err(
            Failure::new(Exit::Error, "the supervisor ended before it was ready").help(format!(
                "see `{}`",
                project.paths.supervisor_log().display()
            )),
        ),
    }
}

/// The supervisor's own log: appended to, begun anew past 8 MiB.
fn open_log(path: &Path) -> Outcome<std::fs::File> {
    let large = std::fs::metadata(path).is_ok_and(|meta| meta.len() > 8 * 1024 * 1024);
    let mut options = std::fs::File::options();
    options.create(true).mode(0o600);
    if large {
        options.write(true).truncate(true)
    } else {
        options.append(true)
    };
    options.open(path).map_err(|error| {
        Failure::new(
            Exit::Error,
            format!("cannot write `{}`: {error}", path.display()),
        )
        .help("make sure that you own it and that its disk has room")
    })
}

/// Refuses a project name that is in use from another folder: two stacks of one name would be told
/// apart by nobody.
pub(crate) async fn refuse_same_name_elsewhere(project: &Project) -> Outcome {
    let prefix = format!("{}-", project.name());
    let own = project.paths.state.file_name().map(ToOwned::to_owned);
    let folders = std::fs::read_dir(paths::state_root()?)
        .into_iter()
        .flatten()
        .flatten();
    for folder in folders {
        let Ok(name) = folder.file_name().into_string() else {
            continue;
        };
        let is_same_name = name
            .strip_prefix(&prefix)
            .is_some_and(|hash| hash.len() == 10 && !hash.contains('-'));
        if !is_same_name || Some(folder.file_name()) == own {
            continue;
        }
        let Ok(Some(journal)) = crate::store::Journal::look(&folder.path().join("journal.db"))
        else {
            continue;
        };
        let Ok(Some(directory)) = journal.fact("directory") else {
            continue;
        };
        let other = Paths::of(project.name(), Path::new(&directory))?;
        if matches!(
            ask(&other, &Request::Hello).await,
            Ok(Some(Reply::Hello { .. }))
        ) {
            return Err(Failure::new(
                Exit::Error,
                format!("the project `{}` already runs from `{directory}`", project.name()),
            )
            .help(format!(
                "stop it (`cais --project-directory {directory} down`), or choose another name: `cais -p NAME up`"
            )));
        }
    }
    Ok(())
}
