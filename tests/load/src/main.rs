//! `load`: sends requests to a local address on schedule and prints what became of them.

use clap::Parser;
use load::kind::{Mix, Shape};
use load::run::{self, Settings};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// Open-loop load on a loopback address: requests are sent on schedule whatever the answers do, latency counts from
/// the scheduled moment, every body is checked. Meant for this crate's `testapp` behind a proxy.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to, as in 127.0.0.1:8080; loopback only
    address: SocketAddr,
    /// Requests a second over all kinds
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Seconds to send for
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Send no more than so many
    #[arg(long)]
    requests: Option<u64>,
    /// Kinds and weights: get, close, post, stream, ws, download
    #[arg(
        long,
        default_value = "get=340,close=120,post=20,stream=10,ws=8,download=2"
    )]
    mix: Mix,
    /// Before every path
    #[arg(long, default_value = "")]
    prefix: String,
    /// Seconds that a request may take beyond what is planned
    #[arg(long, default_value_t = 10.0)]
    timeout: f64,
    /// Seconds that a POST's body takes
    #[arg(long, default_value_t = 2.0)]
    post_seconds: f64,
    /// Seconds that a streamed answer takes
    #[arg(long, default_value_t = 2.0)]
    stream_seconds: f64,
    /// Seconds that a WebSocket session lasts
    #[arg(long, default_value_t = 5.0)]
    ws_seconds: f64,
    /// Seconds that a download takes
    #[arg(long, default_value_t = 20.0)]
    download_seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let report = run::start(settings(&arguments)?)?.finish();
    let text = if arguments.json {
        serde_json::to_string_pretty(&report.json())?
    } else {
        report.table()
    };
    writeln!(std::io::stdout(), "{}", text.trim_end())?;
    let all_answered = report.total().failed == 0;
    Ok(if all_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn settings(arguments: &Arguments) -> anyhow::Result<Settings> {
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value)
            .map_err(|_| anyhow::anyhow!("`{value}` is not a number of seconds"))
    };
    Ok(Settings {
        prefix: arguments.prefix.clone(),
        rate: arguments.rate,
        mix: arguments.mix.clone(),
        shape: Shape {
            post: seconds(arguments.post_seconds)?,
            stream: seconds(arguments.stream_seconds)?,
            ws: seconds(arguments.ws_seconds)?,
            download: seconds(arguments.download_seconds)?,
            ..Shape::default()
        },
        patience: seconds(arguments.timeout)?,
        duration: seconds(arguments.seconds)?,
        requests: arguments.requests,
        ..Settings::to(arguments.address)
    })
}
