//! Asks one question of one task: an HTTP path, a TCP connect, a command. Times out; judges nothing.

use crate::runtime::docker::Exec;
use cais_engine::event::ProbeKind;
use cais_model::stack::{HealthTest, Service};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;

/// At most so much of a failing check's answer is shown.
const ANSWER_SHOWN: usize = 200;

/// An answer is read up to here.
const BODY_READ: usize = 64 * 1024;

/// The questions that can be asked of a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    liveness: Option<Question>,
    readiness: Option<Question>,
}

#[derive(Debug, Clone)]
enum Question {
    Http {
        address: SocketAddr,
        path: String,
        timeout: Duration,
    },
    Connect {
        address: SocketAddr,
        timeout: Duration,
    },
    Command {
        argv: Vec<String>,
        place: Place,
        timeout: Duration,
    },
}

/// Where a task's check command runs.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Beside a process, with what it has.
    Process {
        environment: BTreeMap<String, String>,
        directory: PathBuf,
    },
    /// In a container.
    Container(Exec),
}

impl Probes {
    /// The questions for a task of `service` that listens at `address`, and whose check runs in `place`.
    pub(crate) fn of(
        service: &Service,
        address: Option<SocketAddr>,
        place: Option<&Place>,
    ) -> Self {
        let http = |path: &Option<String>| {
            let health = service.health.as_ref()?;
            Some(Question::Http {
                address: address?,
                path: path.clone()?,
                timeout: health.timing.timeout,
            })
        };
        let check = service.healthcheck.as_ref().zip(place);
        let command = check.map(|(check, place)| Question::Command {
            argv: match &check.test {
                HealthTest::Command(argv) => argv.clone(),
                HealthTest::Shell(script) => {
                    vec!["/bin/sh".to_owned(), "-c".to_owned(), script.clone()]
                }
            },
            place: place.clone(),
            timeout: check.timing.timeout,
        });
        let connect = address.map(|address| Question::Connect {
            address,
            timeout: Duration::from_secs(1),
        });
        let health = service.health.as_ref();
        Self {
            liveness: http(&health.and_then(|h| h.path.clone())).or(command),
            readiness: http(&health.and_then(|h| h.ready.clone())).or(connect),
        }
    }

    /// Asks; `Err` says what was answered instead.
    pub(crate) async fn ask(&self, kind: ProbeKind) -> Result<(), String> {
        let question = match kind {
            ProbeKind::Liveness => &self.liveness,
            ProbeKind::Readiness => &self.readiness,
        };
        let Some(question) = question else {
            return Ok(());
        };
        let timeout = match question {
            Question::Http { timeout, .. }
            | Question::Connect { timeout, .. }
            | Question::Command { timeout, .. } => *timeout,
        };
        match tokio::time::timeout(timeout, question.ask()).await {
            Ok(answer) => answer,
            Err(_) => Err(format!(
                "{} did not answer within {}",
                question.name(),
                humantime::format_duration(timeout)
            )),
        }
    }
}

impl Question {
    fn name(&self) -> String {
        match self {
            Question::Http { path, .. } => format!("GET {path}"),
            Question::Connect { address, .. } => format!("port {}", address.port()),
            Question::Command { argv, .. } => format!("`{}`", shorten(&argv.join(" "), 60)),
        }
    }

    async fn ask(&self) -> Result<(), String> {
        match self {
            Question::Http { address, path, .. } => get(*address, path).await,
            Question::Connect { address, .. } => match TcpStream::connect(address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!(
                    "port {} does not accept connections: {}",
                    address.port(),
                    plain(&error)
                )),
            },
            Question::Command { argv, place, .. } => match place {
                Place::Process {
                    environment,
                    directory,
                } => run(argv, environment, directory, &self.name()).await,
                Place::Container(exec) => run_within(exec, argv, &self.name()).await,
            },
        }
    }
}

/// Statuses below 400 pass.
async fn get(address: SocketAddr, path: &str) -> Result<(), String> {
    let failed = |why: String| format!("GET {path} failed: {why}");
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| failed(plain(&error)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, address.to_string())
        .header(
            hyper::header::USER_AGENT,
            concat!("cais/", env!("CARGO_PKG_VERSION")),
        )
        .header(hyper::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(error.to_string()))?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let status = answer.status().as_u16();
    // Read to its end: a program whose answer is cut off complains in its log at every probe.
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let room = BODY_READ.saturating_sub(text.len());
        if room == 0 {
            break;
        }
        let data = frame.data_ref().map_or(&[][..], |data| data);
        text.extend_from_slice(&data[..data.len().min(room)]);
    }
    let text = shorten(String::from_utf8_lossy(&text).trim(), ANSWER_SHOWN);
    let result = match status {
        0..400 => Ok(()),
        _ if text.is_empty() => Err(format!("GET {path} answered {status}")),
        _ => Err(format!("GET {path} answered {status}: {text}")),
    };
    connection.abort();
    result
}

async fn run(
    argv: &[String],
    environment: &BTreeMap<String, String>,
    directory: &std::path::Path,
    name: &str,
) -> Result<(), String> {
    let Some(program) = argv.first() else {
        return Err("the health check is empty".to_owned());
    };
    let child = tokio::process::Command::new(program)
        .args(&argv[1..])
        .env_clear()
        .envs(environment)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{name} could not be run: {}", plain(&error)))?;
    // Killing the leader alone would leave what it started holding the pipes: the group goes with it.
    let group = GroupGuard(child.id());
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| format!("{name} could not be awaited: {error}"))?;
    drop(group);
    let status = output.status;
    let end = status
        .code()
        .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    verdict(
        status.success(),
        &[output.stdout, output.stderr].concat(),
        name,
        &end,
    )
}

async fn run_within(exec: &Exec, argv: &[String], name: &str) -> Result<(), String> {
    let check = exec
        .check(argv)
        .await
        .map_err(|error| format!("{name} could not be run: {error}"))?;
    let end = format!("exit code {}", check.code);
    verdict(check.code == 0, &check.output, name, &end)
}

fn verdict(success: bool, output: &[u8], name: &str, end: &str) -> Result<(), String> {
    if success {
        return Ok(());
    }
    let text = shorten(String::from_utf8_lossy(output).trim(), ANSWER_SHOWN);
    Err(if text.is_empty() {
        format!("{name} ended with {end}")
    } else {
        format!("{name} ended with {end}: {text}")
    })
}

/// Kills a probe's process group when the probe is dropped (timed out) or done.
struct GroupGuard(Option<u32>);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        let pid = self
            .0
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// An I/O error without its number: "connection refused".
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::NotFound => "no such program".to_owned(),
        _ => error.to_string(),
    }
}

fn shorten(text: &str, limit: usize) -> String {
    let line = text.replace('\n', " ");
    if line.chars().count() <= limit {
        line
    } else {
        line.chars().take(limit - 1).chain(['…']).collect()
    }
}
