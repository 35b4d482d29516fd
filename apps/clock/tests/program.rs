//! The program as a supervisor runs it: arguments, variables, signals, exit codes, log lines.

#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

fn clock(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clock"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    clock(variables).args(arguments).output().unwrap()
}

/// A running clock, the port that its log names, and the rest of its log. Other lines may come first: the
/// cache looks for its store while the listener is being bound.
fn start(variables: &[(&str, &str)]) -> (Child, u16, BufReader<std::process::ChildStdout>) {
    let mut process = clock(&[&[("PORT", "0")], variables].concat())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stdout.take().unwrap());
    let port = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "no line named a port");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let port = line["port"].as_u64().and_then(|n| u16::try_from(n).ok());
        if let Some(port) = port {
            break port;
        }
    };
    (process, port, log)
}

fn get(port: u16, path: &str) -> String {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nx-request-id: r-17\r\nconnection: close\r\n\r\n"
    );
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn signal(process: &Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &process.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn both_signals_end_it_with_exit_code_0_and_its_log_is_json() {
    for name in ["-TERM", "-INT"] {
        let (mut process, port, mut log) = start(&[]);
        assert!(get(port, "/clock/time").contains("cache-status: cais; fwd=uri-miss; stored"));
        assert!(get(port, "/clock/time").contains("cache-status: cais; hit; ttl="));
        signal(&process, name);
        assert_eq!(process.wait().unwrap().code(), Some(0), "{name}");
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        let lines: Vec<serde_json::Value> = rest
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let access = lines
            .iter()
            .find(|line| line["message"] == "GET /clock/time")
            .unwrap();
        assert_eq!(access["request_id"], "r-17");
        assert_eq!(access["status"], 200);
        assert!(
            lines
                .iter()
                .all(|line| line["time"].is_string() && line["level"].is_string())
        );
        assert_eq!(lines.last().unwrap()["message"], "clock has stopped");
    }
}

#[test]
fn it_starts_and_is_alive_without_the_redis_that_it_requires() {
    let (mut process, port, _log) = start(&[
        ("CACHE_URL", "redis://127.0.0.1:1"),
        ("CACHE_MODE", "required"),
    ]);
    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200"));
    let ready = get(port, "/readyz");
    assert!(
        ready.starts_with("HTTP/1.1 503") && ready.contains("not ready: the cache"),
        "{ready}"
    );
    signal(&process, "-TERM");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_work_is_said_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases = [
        (&[("PORT", "http")][..], &[][..], 2, "`PORT` is `http`"),
        (&[("CACHE_MODE", "x")], &[], 2, "`CACHE_MODE` is `x`"),
        (&[("CACHE_URL", "x")], &[], 2, "`CACHE_URL` is no good: `x`"),
        (&[], &["--help"], 2, "`--help` is not understood"),
        (&[("PORT", &port)], &[], 1, "cannot listen on `127.0.0.1:"),
        (&[("PORT", "1")], &["--health"], 1, "does not answer"),
    ];
    for (variables, arguments, code, sentence) in cases {
        let output = output(variables, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(
            said.starts_with("clock: ") && said.contains(sentence),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn it_checks_its_own_health() {
    let (mut process, port, _log) = start(&[("HOST", "0.0.0.0")]);
    let port = port.to_string();
    let variables = [("PORT", port.as_str()), ("HOST", "0.0.0.0")];
    assert_eq!(output(&variables, &["--health"]).status.code(), Some(0));
    signal(&process, "-KILL");
    process.wait().unwrap();
    assert_eq!(output(&variables, &["--health"]).status.code(), Some(1));
}
