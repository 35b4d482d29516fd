//! The control socket's protocol: JSON lines over a Unix socket, one request a connection, answered
//! by a stream that ends with `done` or `failed`. Shapes and the client; the supervisor serves it.

use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use cais_engine::notice::Notice;
use cais_engine::view::ServiceView;
use cais_model::name::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;

/// Changes when the two sides would misunderstand each other.
pub(crate) const PROTOCOL_VERSION: u32 = 2;

/// What the command line asks of the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Who are you?
    Hello,
    /// Run this stack.
    Apply(Box<Apply>),
    /// Everything ends; the supervisor leaves.
    Down {
        /// SIGKILL at once instead of draining and waiting.
        now: bool,
    },
    /// Tasks end, services stay known. Empty: all.
    Stop { services: BTreeSet<ServiceName> },
    /// Stopped services run again. Empty: all.
    Start {
        services: BTreeSet<ServiceName>,
        wait: Wait,
    },
    /// Every task is replaced by one of the same revision. Empty: all.
    Restart {
        services: BTreeSet<ServiceName>,
        wait: Wait,
    },
    /// The desired count of services.
    Scale {
        services: BTreeMap<ServiceName, u32>,
        wait: Wait,
    },
    /// The first Ctrl-C of a deploy: what is in progress goes back. Empty: all.
    Cancel { services: BTreeSet<ServiceName> },
    /// Back to an earlier revision: by default the newest completed one before the present.
    Rollback {
        /// By default every service that the newest release changed.
        service: Option<ServiceName>,
        revision: Option<u32>,
        wait: Wait,
    },
    /// One snapshot.
    Status,
    /// Every notice from now on, until the connection is closed.
    Follow,
}

/// A stack to run: the texts it was read from and what they were resolved with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Apply {
    /// How to load it again.
    pub(crate) release: Release,
    /// The caller's environment. It stays in memory.
    pub(crate) variables: BTreeMap<String, String>,
    /// Where its tasks run.
    pub(crate) runtime: Runtime,
    /// Ids of images, where the caller knows which are meant; the engine is asked for the others by their names.
    pub(crate) images: BTreeMap<ServiceName, String>,
    /// Only these (and what they depend on, which the caller has added); empty: all.
    pub(crate) services: BTreeSet<ServiceName>,
    /// `--scale SERVICE=N`.
    pub(crate) scale: BTreeMap<ServiceName, u32>,
    /// Roll services even when nothing about them changed.
    pub(crate) force: bool,
    /// Remove services that are no longer in the file.
    pub(crate) remove_absent: bool,
    /// When to answer `done`.
    pub(crate) wait: Wait,
}

/// The Compose texts of one `up`, so that a revision can be loaded again later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Release {
    /// Files in the order of `-f`.
    pub(crate) files: Vec<PathBuf>,
    /// Every Compose file that was read, with its text.
    pub(crate) texts: Vec<(PathBuf, String)>,
    /// Folder of the project.
    pub(crate) directory: PathBuf,
    /// Project name.
    pub(crate) name: String,
    /// Enabled profiles.
    pub(crate) profiles: Vec<String>,
    /// `--env-file`.
    pub(crate) env_files: Vec<PathBuf>,
}

/// When a request that changes something is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wait {
    /// Until when.
    pub(crate) until: Until,
    /// Give up after so long, in milliseconds.
    pub(crate) timeout_ms: Option<u64>,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Until {
    /// The decision is on disk.
    Accepted,
    /// Every task was started once (or its service failed).
    Started,
    /// Every rollout has ended.
    Settled,
    /// No task is left.
    Stopped,
}

/// What the supervisor answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// Who it is.
    Hello {
        protocol: u32,
        version: String,
        pid: u32,
        directory: PathBuf,
        project: String,
    },
    /// Something worth a line: a skipped service, a port bound to loopback.
    Remark { text: String },
    /// The engine said something.
    Notice(Stamped),
    /// A snapshot.
    Status(Box<Snapshot>),
    /// The request is done.
    Done {
        /// How it ended, where waiting was asked for.
        services: Vec<ServiceResult>,
    },
    /// The request failed; nothing of it stays half done.
    Failed {
        exit: Exit,
        message: String,
        help: Option<String>,
    },
}

/// A notice with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamped {
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    /// What the engine said.
    #[serde(flatten)]
    pub(crate) notice: Notice,
}

/// How a service stands when its request is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceResult {
    pub(crate) service: ServiceName,
    pub(crate) verdict: Verdict,
    /// The newest reason given.
    pub(crate) reason: String,
    /// The revision that new tasks get now.
    pub(crate) revision: Option<u32>,
    /// The revision that its rollout went to, where this request began one.
    pub(crate) to: Option<u32>,
    /// How long that rollout took.
    pub(crate) rollout_ms: Option<u64>,
}

/// The verdict over a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// As wanted.
    Ok,
    /// Still on its way when the request was answered.
    Pending,
    /// Its rollout failed.
    Failed,
    /// Its rollout failed and the last completed revision is back.
    RolledBack,
    /// The deadline passed first.
    TimedOut,
    /// A newer rollout took over.
    Superseded,
}

/// Everything that `ps` and the dashboard show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) project: String,
    pub(crate) directory: PathBuf,
    /// Where its tasks run.
    pub(crate) runtime: Runtime,
    /// The supervisor's process; `None` when the snapshot was read from the journal alone.
    pub(crate) supervisor: Option<u32>,
    /// The gateway's process.
    pub(crate) gateway: Option<u32>,
    /// Now, on the engine's clock, so that the views' moments can be read.
    pub(crate) now_ms: u64,
    /// The same moment in milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    /// Why the journal cannot be written, while that is so.
    pub(crate) fault: Option<String>,
    pub(crate) services: Vec<ServiceView>,
    /// Where tasks and services can be reached.
    pub(crate) endpoints: BTreeMap<ServiceName, Endpoints>,
    /// Services that were left out because their program is not installed.
    pub(crate) skipped: BTreeMap<ServiceName, String>,
}

/// Where a service and its tasks can be reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// URLs and published addresses, through the gateway.
    pub(crate) published: Vec<String>,
    /// The service's own loopback address with its container ports.
    pub(crate) internal: Vec<String>,
    /// Task id to process id and port.
    pub(crate) tasks: BTreeMap<u64, TaskEndpoint>,
}

/// One task's process and address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskEndpoint {
    pub(crate) pid: Option<u32>,
    /// Its container's name.
    pub(crate) container: Option<String>,
    /// Where this machine reaches it.
    pub(crate) address: Option<IpAddr>,
    /// Container port to the port that the task listens on.
    pub(crate) ports: BTreeMap<u16, u16>,
}

/// A connection to the supervisor with one request under way.
pub(crate) struct Conversation {
    lines: Lines<BufReader<OwnedReadHalf>>,
    // Held open: closing it tells the supervisor that nobody listens any more.
    _write: tokio::net::unix::OwnedWriteHalf,
}

impl Conversation {
    /// Connects and sends `request`.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when no supervisor is there.
    pub(crate) async fn open(socket: &Path, request: &Request) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        // The request carries the caller's environment: nobody else may answer.
        let me = rustix::process::getuid().as_raw();
        let peer = stream.peer_cred()?.uid();
        if peer != me && peer != 0 {
            return Err(std::io::Error::new(
                std::io::ErrorKind::PermissionDenied,
                format!("user {peer} answers there, not you (user {me})"),
            ));
        }
        let (read, mut write) = stream.into_split();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        write.write_all(&line).await?;
        Ok(Self {
            lines: BufReader::new(read).lines(),
            _write: write,
        })
    }

    /// The next answer; `None` when the supervisor closed the connection.
    pub(crate) async fn next(&mut self) -> Outcome<Option<Reply>> {
        let line = match self.lines.next_line().await {
            // Killed: the kernel closed its end.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            line => line.map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("the supervisor's answer broke off: {error}"),
                )
            })?,
        };
        let Some(line) = line else { return Ok(None) };
        match serde_json::from_str(&line) {
            Ok(Reply::Failed {
                exit,
                message,
                help,
            }) => {
                let mut failure = Failure::new(exit, message);
                failure.help = help;
                Err(failure)
            }
            Ok(reply) => Ok(Some(reply)),
            Err(error) => Err(Failure::new(
                Exit::Error,
                format!("the supervisor speaks another version of the control protocol: {error}"),
            )
            .help(
                "type `cais down` with the cais that started it, then `cais up -d` with this one",
            )),
        }
    }
}
