//! Prints what idle connections cost the gateway: `cargo run --release -p cais-gateway --example idle_connections [COUNT]`.
//! The clients are a process of their own, so that only the gateway's end is counted.

use cais_gateway::client::GatewayClient;
use cais_gateway::listen;
use cais_gateway::protocol::{FromGateway, ToGateway};
use cais_gateway::run::{GatewayOptions, run};
use cais_gateway::table::RouteTable;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "10000".to_owned());
    if first == "clients" {
        let address = arguments.next().ok_or("an address is missing")?.parse()?;
        let count = arguments.next().ok_or("a count is missing")?.parse()?;
        return clients(address, count, arguments.next().as_deref() == Some("asked"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(first.parse()?))
}

async fn measure(count: usize) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let control_socket = folder.path().join("gateway.sock");
    let options = GatewayOptions {
        control_socket: control_socket.clone(),
        cores: 2,
    };
    let thread = std::thread::spawn(move || run(options));
    let (client, mut heard) = loop {
        match GatewayClient::connect(&control_socket).await {
            Ok(connected) => break connected,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let sockets = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 2)?;
    let address = std::net::TcpListener::from(sockets[0].try_clone()?).local_addr()?;
    client
        .send(
            ToGateway::Listen {
                sockets: vec![address; 2],
            },
            sockets,
        )
        .await?;
    client
        .send(ToGateway::Table(RouteTable::default()), Vec::new())
        .await?;
    while !matches!(
        heard.recv().await,
        Some((FromGateway::Applied { .. }, _)) | None
    ) {}

    for (mode, what) in [
        ("silent", "that have sent nothing"),
        ("asked", "that wait for their next request"),
    ] {
        let before = resident_bytes()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["clients", &address.to_string(), &count.to_string(), mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // It says a byte when all are connected, and leaves when its input ends.
        let mut output = child.stdout.take().ok_or("no output")?;
        tokio::task::spawn_blocking(move || output.read_exact(&mut [0])).await??;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let grown = resident_bytes()?.saturating_sub(before);
        let line = format!(
            "{count} connections {what}: {} MiB, {} bytes each\n",
            grown >> 20,
            grown / count
        );
        std::io::stdout().write_all(line.as_bytes())?;
        drop(child.stdin.take());
        child.wait()?;
    }
    client
        .send(ToGateway::Shutdown { grace_ms: 0 }, Vec::new())
        .await?;
    thread.join().map_err(|_| "the gateway panicked")??;
    Ok(())
}

fn clients(address: SocketAddr, count: usize, ask: bool) -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    let mut kept = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        if ask {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")?;
            if stream.read(&mut [0; 4096])? == 0 {
                return Err("no answer".into());
            }
        }
        kept.push(stream);
    }
    std::io::stdout().write_all(b"x")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn resident_bytes() -> Result<usize, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(kilobytes
        .ok_or("the kernel does not say")?
        .parse::<usize>()?
        * 1024)
}
