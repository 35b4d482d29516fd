//! HAProxy in front of what answers to the name `app` on a Docker network, as the peers have no gateway of their own
//! here: Swarm's needs IP_VS, which not every kernel has. Set to lose as little as it can.

use super::HAPROXY;
use super::engine::Engine;
use anyhow::ensure;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where it listens, in its container and outside of it.
const PORT: u16 = 8080;
/// An app that is not there by then does not come.
const LIMIT: Duration = Duration::from_secs(60);

/// Its configuration. Names are asked for five times a second; a request that reached nobody goes to another task, and
/// so does a GET whose connection ended before the first byte of an answer; tasks are checked every half second, by the
/// health check's path where the app has one, else by a connect.
fn configuration(check: bool) -> String {
    let option = if check {
        "option httpchk GET /healthz"
    } else {
        "option tcp-check"
    };
    format!(
        "global
  nbthread 2
  maxconn 8000
resolvers docker
  nameserver dns 127.0.0.11:53
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 200ms
  hold nx 200ms
  hold obsolete 0s
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  timeout http-keep-alive 60s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
frontend web
  bind :{PORT}
  http-request disable-l7-retry unless METH_GET
  default_backend app
backend app
  balance roundrobin
  {option}
  default-server check inter 500ms fall 2 rise 1
  server-template app 10 app:{PORT} resolvers docker init-addr none
"
    )
}

/// Starts it on `network`, and waits until `replicas` tasks have answered through it.
///
/// # Errors
/// When they do not.
pub(super) fn start(
    engine: &Engine,
    network: &str,
    check: bool,
    replicas: u32,
) -> anyhow::Result<SocketAddr> {
    let file = engine.folder().join("haproxy.cfg");
    std::fs::write(&file, configuration(check))?;
    let mount = format!("{}:/haproxy.cfg:ro", file.display());
    let port = format!("{PORT}:{PORT}");
    engine.docker(&[
        "run",
        "--detach",
        "--name",
        "balancer",
        "--network",
        network,
        "--publish",
        &port,
        "--volume",
        &mount,
        HAPROXY,
    ])?;
    let address = SocketAddr::from((engine.address(), PORT));
    let began = Instant::now();
    let mut seen = BTreeSet::new();
    while seen.len() < replicas as usize {
        ensure!(
            began.elapsed() < LIMIT,
            "{} of {replicas} tasks answer: {seen:?}",
            seen.len()
        );
        seen.extend(who_answers(address));
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(address)
}

/// The `x-task` of one answer.
fn who_answers(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let header = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-task: "))?;
    Some(header.trim().to_owned())
}
