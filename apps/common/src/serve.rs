//! Runs a service from its start to its end: arguments, settings, socket, signals, exit code.

use crate::config::Config;
use crate::log;
use crate::ops::Readiness;
use crate::probe;
use crate::service::Service;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long requests may take to finish once the service was told to stop.
const GRACE: Duration = Duration::from_secs(25);

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// `HOST` and `PORT`.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No runtime, no signals: the system is out of something.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs `service` by the program's arguments and environment until SIGTERM or SIGINT. Exit codes: 0 stopped
/// as asked, 1 could not listen, 2 an argument or a variable is no good.
#[must_use]
pub fn run(service: Service) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => return fail(service.name, &error.to_string(), 2),
    };
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => match start(service.clone(), config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(service.name, &error.to_string(), 1),
        },
        ["--health"] => match probe::ask(config.address) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(service.name, &message, 1),
        },
        others => {
            let message = format!(
                "`{}` is not understood: give nothing, or --health",
                others.join(" ")
            );
            fail(service.name, &message, 2)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one sentence before an exit, which no log line replaces"
)]
fn fail(name: &str, message: &str, code: u8) -> ExitCode {
    eprintln!("{name}: {message}");
    ExitCode::from(code)
}

fn start(service: Service, config: Config) -> Result<(), ServeError> {
    log::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.send_replace(true);
        });
        let address = config.address;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })?;
        serve(service, config, listener, stopped).await?;
        Ok(())
    })
}

/// Serves on `listener` until `stop` holds true (or its sender is gone), then finishes what runs, for at
/// most 25 s.
///
/// # Errors
/// When the listening socket has no address.
pub async fn serve(
    service: Service,
    config: Config,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let name = service.name;
    let address = listener.local_addr()?;
    let cache = config.cache.open();
    let readiness = Readiness::new(cache.clone());
    let router = service.router(cache, readiness.clone());
    tracing::info!(service = name, %address, port = address.port(), "{name} listens on http://{address}");
    let asked = {
        let stop = stop.clone();
        async move { wait(stop).await }
    };
    let draining = async move {
        asked.await;
        readiness.drain();
        tracing::info!("{name} stops: it accepts no more connections and finishes what it has");
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(draining);
    let limit = async move {
        wait(stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = serving.into_future() => {
            ended?;
            tracing::info!("{name} has stopped");
        }
        () = limit => tracing::warn!("{name} stops with requests unfinished after {} s", GRACE.as_secs()),
    }
    Ok(())
}

async fn wait(mut stop: watch::Receiver<bool>) {
    // A sender that is gone cannot ask any more, which counts as having asked.
    drop(stop.wait_for(|stop| *stop).await);
}
