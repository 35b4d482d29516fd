//! The command line's way to a supervisor: talks to the one that runs, or starts one.

use super::project::Project;
use crate::control::{Conversation, Reply, Request};
use crate::exit::{Exit, Failure, Outcome};
use crate::paths::{self, Paths};
use crate::supervisor::{Boot, Booted};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Talks to the running supervisor; `None` when there is none.
pub(crate) async fn talk(paths: &Paths, request: &Request) -> Outcome<Option<Conversation>> {
    match Conversation::open(&paths.control_socket(), request).await {
        Ok(conversation) => Ok(Some(conversation)),
        // A socket that refuses was left by a supervisor that died.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
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
    for _ in 0..3 {
        if let Some(conversation) = talk(&project.paths, request).await? {
            return Ok(conversation);
        }
        start(project)?;
    }
    Err(
        Failure::new(Exit::Error, "the supervisor starts, but does not answer").help(format!(
            "see `{}`",
            project.paths.supervisor_log().display()
        )),
    )
}

/// Asks one question that is answered at once.
pub(crate) async fn ask(paths: &Paths, request: &Request) -> Outcome<Option<Reply>> {
    match talk(paths, request).await? {
        Some(mut conversation) => conversation.next().await,
        None => Ok(None),
    }
}

/// Starts a supervisor and waits until it accepts requests.
fn start(project: &Project) -> Outcome {
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
        Ok(Booted::Ready { .. }) => Ok(()),
        Ok(Booted::Failed {
            exit,
            message,
            help,
        }) => {
            let mut failure = Failure::new(exit, message);
            failure.help = help;
            // Another caller may have been quicker: its supervisor serves us as well.
            if project.paths.control_socket().exists()
                && failure.message.starts_with("another supervisor")
            {
                std::thread::sleep(std::time::Duration::from_millis(50));
                return Ok(());
            }
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
    options.create(true);
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
