//! The verbs that cais uses on itself: supervisor, gateway and shim are processes of this same binary.

use crate::exit::{Exit, Failure, Outcome};
use crate::supervisor::{self, Boot, Booted};
use clap::Subcommand;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// The control loop of one project; its instructions come on standard input
    #[command(hide = true)]
    Supervise {
        /// Shown by `ps`; the instructions say which project it really is
        project: String,
    },
    /// The data plane of one project
    #[command(hide = true)]
    Gateway {
        /// Where the supervisor talks to it
        #[arg(long)]
        socket: PathBuf,
        /// Threads
        #[arg(long)]
        cores: usize,
    },
    /// Holds one task; its instructions come on standard input
    #[command(hide = true)]
    Shim {
        /// Shown by `ps`
        name: Option<String>,
    },
}

pub(crate) fn run(hidden: Hidden) -> Outcome {
    match hidden {
        Hidden::Supervise { .. } => supervise(),
        Hidden::Gateway { socket, cores } => {
            start_log();
            cais_gateway::run::run(cais_gateway::run::GatewayOptions {
                control_socket: socket,
                cores,
            })
            .map_err(|error| Failure::new(Exit::Error, error.to_string()))
        }
        // The shim tells its own faults through its handshake; its code says nothing more.
        Hidden::Shim { .. } => {
            crate::shim::run().map_err(|reason| Failure::new(Exit::Error, reason))
        }
    }
}

fn supervise() -> Outcome {
    // Before anything else is opened: what a script left open (a lock, a pipe) is not ours to hold.
    crate::shim::descriptors::close_inherited();
    // A session of its own: no terminal's Ctrl-C or hang-up reaches it. It fails only where the
    // process already leads one.
    let _ = rustix::process::setsid();
    // Journal, logs and sockets are their owner's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    start_log();
    let text = std::io::read_to_string(std::io::stdin())
        .map_err(|error| Failure::new(Exit::Error, format!("no instructions: {error}")))?;
    let boot: Boot = serde_json::from_str(&text).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("this verb is for cais itself: {error}"),
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Error, format!("cannot start: {error}")))?;
    let result = runtime.block_on(supervisor::run(boot, answer));
    if let Err(failure) = &result {
        tracing::error!(%failure, "the supervisor ends");
        // Where it was already ready nobody reads this any more.
        answer(&Booted::Failed {
            exit: failure.exit,
            message: failure.message.clone(),
            help: failure.help.clone(),
        });
    }
    result
}

/// Tells whoever started this supervisor how it went.
fn answer(booted: &Booted) {
    let mut stdout = std::io::stdout();
    if let Ok(mut line) = serde_json::to_vec(booted) {
        line.push(b'\n');
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}

/// Log lines of the supervisor and the gateway go to standard error, which is a file.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CAIS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // On a full disk a line is lost. Told where the line should have gone, that would be a panic.
        .log_internal_errors(false)
        .init();
}
