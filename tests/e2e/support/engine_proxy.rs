//! A socket between cais and the engine that a test can take away and give back (the engine goes, its containers stay), and
//! behind which the engine's disk can be full.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What dockerd says when its disk is full.
const FULL: &str = "write /var/lib/docker/tmp/new: no space left on device";
/// Where it answers before it works, and says in the stream what went wrong.
const STREAMED: [&str; 3] = ["/images/load", "/images/create", "/build"];

/// The socket.
pub(crate) struct EngineProxy {
    socket: PathBuf,
    engine: PathBuf,
    open: Arc<Mutex<Vec<UnixStream>>>,
    /// Requests for what has this in its path find the disk full.
    full: Arc<Mutex<Option<&'static str>>>,
}

impl EngineProxy {
    /// In front of the engine of `DOCKER_HOST`, or the machine's; `None` where that is not a Unix socket.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let engine = match host.strip_prefix("unix://") {
            Some(path) => PathBuf::from(path),
            None if host.is_empty() => PathBuf::from("/var/run/docker.sock"),
            None => return None,
        };
        let proxy = Self {
            socket: folder.join("engine.sock"),
            engine,
            open: Arc::default(),
            full: Arc::default(),
        };
        proxy.give_back();
        Some(proxy)
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Nobody is accepted any more, and what is open breaks off.
    pub(crate) fn take_away(&self) {
        std::fs::remove_file(&self.socket).unwrap();
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// From now on the engine has no room for what is asked for with this in its path; `None`: it has room again.
    pub(crate) fn fill(&self, path: Option<&'static str>) {
        *self.full.lock().unwrap() = path;
        self.take_away();
        self.give_back();
    }

    /// Accepts (again).
    pub(crate) fn give_back(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let (engine, open) = (self.engine.clone(), self.open.clone());
        let full = self.full.clone();
        // The listener of a socket that was removed gets no more connections; its thread ends with the test.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&engine) else {
                    continue;
                };
                let mut open = open.lock().unwrap();
                open.extend([&client, &server].map(|stream| stream.try_clone().unwrap()));
                drop(open);
                let full = *full.lock().unwrap();
                std::thread::spawn(move || match full {
                    None => join(&client, &server),
                    Some(path) => one(&client, &server, path),
                });
            }
        });
    }
}

/// Carries what both say, until both have ended.
fn join(client: &UnixStream, server: &UnixStream) {
    for (from, to) in [(client, server), (server, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

/// Carries one request, unless its path has `full` in it: the next one comes on a connection of its own.
fn one(mut client: &UnixStream, mut server: &UnixStream, full: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let (request, fields) = head.split_once("\r\n").unwrap();
    let is_full = request.starts_with("POST ") && request.contains(full);
    if !is_full {
        let close = match fields.to_ascii_lowercase().contains("upgrade:") {
            true => "",
            false => "Connection: close\r\n",
        };
        let head = format!("{request}\r\n{close}{fields}");
        if server.write_all(head.as_bytes()).is_ok() {
            join(client, server);
        }
        return;
    }
    let (status, body) = match STREAMED.iter().any(|path| request.contains(path)) {
        true => (
            "200 OK",
            format!("{{\"errorDetail\":{{\"message\":\"{FULL}\"}},\"error\":\"{FULL}\"}}\r\n"),
        ),
        false => (
            "500 Internal Server Error",
            format!("{{\"message\":\"{FULL}\"}}\n"),
        ),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = client.write_all(answer.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    // What is still being sent is taken: a close in the middle of it would take the answer along.
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}
