//! The test app: an HTTP/1.1 server that answers the client's kinds of request, and fails in the ways its
//! environment asks for. It is careless on purpose: told to stop, it drops everything at once unless `GRACEFUL=1`.

mod routes;
mod settings;

pub use settings::{Settings, SettingsError};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a graceful app finishes what it has.
const GRACE: Duration = Duration::from_secs(30);

/// The exit code of an app that SIGTERM ends, as a shell tells it.
const TERMINATED: u8 = 128 + 15;

/// Runs until it is told, or was told beforehand, to end.
pub async fn run(settings: Settings) -> ExitCode {
    if let Some(line) = &settings.log {
        say(line);
    }
    if settings.exit_after == Some(Duration::ZERO) {
        return exit(&settings);
    }
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => return failed(&format!("cannot wait for SIGTERM: {error}")),
    };
    if settings.ignore_sigterm || settings.graceful {
        return live(settings, Some(terminate)).await;
    }
    // Not left to the signal's default: process 1 of a container has none.
    tokio::select! {
        code = live(settings, None) => code,
        _ = terminate.recv() => ExitCode::from(TERMINATED),
    }
}

async fn live(settings: Settings, terminate: Option<Signal>) -> ExitCode {
    tokio::time::sleep(settings.start_delay).await;
    let listener = match TcpListener::bind((settings.host, settings.port)).await {
        Ok(listener) => listener,
        Err(error) => {
            return failed(&format!(
                "cannot listen on port `{}`: {error}",
                settings.port
            ));
        }
    };
    let port = listener
        .local_addr()
        .map_or(settings.port, |own| own.port());
    say(&format!(
        "revision {} listens on port {port}",
        settings.revision
    ));
    let settings = Arc::new(settings);
    tokio::select! {
        () = serve(listener, &settings, terminate) => ExitCode::SUCCESS,
        () = lifetime(&settings) => exit(&settings),
    }
}

/// Asks the app on `PORT` of this machine, or container, whether it is healthy: exit code 0 or 1.
pub async fn check_health() -> ExitCode {
    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    match ask(port.unwrap_or(8080)).await {
        Ok(status) if status.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(status) => failed(&status),
        Err(error) => failed(&error.to_string()),
    }
}

async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

async fn lifetime(settings: &Settings) {
    match settings.exit_after {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn serve(listener: TcpListener, settings: &Arc<Settings>, terminate: Option<Signal>) {
    let (leave, leaving) = tokio::sync::watch::channel(());
    let state = Arc::new(routes::State::new(settings.clone()));
    let told = told_to_leave(settings, terminate);
    tokio::pin!(told);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, say; the next one may do.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
            () = &mut told => break,
        };
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| routes::answer(state.clone(), request)),
            )
            .with_upgrades();
        let mut leaving = leaving.clone();
        tokio::spawn(async move {
            tokio::pin!(connection);
            // A client that leaves is its own affair.
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = leaving.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
    say("told to stop; finishing what is under way");
    // Who connects now is refused and goes elsewhere, instead of waiting for nobody.
    drop(listener);
    drop(leaving);
    let _ = leave.send(());
    // Every connection holds a receiver until its end.
    let _ = tokio::time::timeout(GRACE, leave.closed()).await;
}

/// Returns when a graceful app was told to stop; never for any other.
async fn told_to_leave(settings: &Settings, terminate: Option<Signal>) {
    if let Some(mut terminate) = terminate {
        while terminate.recv().await.is_some() {
            if settings.graceful {
                return;
            }
            say("told to stop; staying");
        }
    }
    std::future::pending::<()>().await;
}

fn exit(settings: &Settings) -> ExitCode {
    say(&format!(
        "revision {} gives up with exit code {}",
        settings.revision, settings.exit_code
    ));
    ExitCode::from(settings.exit_code)
}

fn failed(why: &str) -> ExitCode {
    say(why);
    ExitCode::FAILURE
}

/// One line of the app's log.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
