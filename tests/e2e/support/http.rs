//! A small HTTP client, and a request loop that counts what failed and how.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// How a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Nobody listened.
    Refused,
    /// The connection ended before the whole answer came.
    Broken(String),
    /// An answer that is no success.
    Status(u16, String),
}

/// One GET on a connection of its own.
pub(crate) fn get(port: u16, path: &str) -> Result<Answer, Failed> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let broken = |error: std::io::Error| match error.kind() {
        ErrorKind::ConnectionRefused => Failed::Refused,
        _ => Failed::Broken(error.to_string()),
    };
    let mut stream =
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(broken)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .map_err(broken)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(broken)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).map_err(broken)?;
    parse(&String::from_utf8_lossy(&text))
}

fn parse(text: &str) -> Result<Answer, Failed> {
    let cut_off = || Failed::Broken(format!("cut off after {} bytes", text.len()));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(cut_off)?;
    let promised = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        })
        .unwrap_or(body.len());
    if body.len() != promised {
        return Err(cut_off());
    }
    if status >= 400 {
        return Err(Failed::Status(status, body.trim().to_owned()));
    }
    Ok(Answer {
        head: head.to_owned(),
        body: body.trim_end().to_owned(),
    })
}

/// A thread that asks one question after the other until it is told to end.
pub(crate) struct Load {
    end: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<Report>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sent: usize,
    pub(crate) failed: Vec<Failed>,
    /// The longest time between two answers.
    pub(crate) longest_pause: Duration,
    /// Every different body.
    pub(crate) bodies: std::collections::BTreeSet<String>,
}

impl Load {
    pub(crate) fn start(port: u16, path: &str) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicUsize::new(0));
        let (until, count, path) = (end.clone(), Arc::clone(&sent), path.to_owned());
        let thread = std::thread::spawn(move || {
            let mut report = Report::default();
            let mut last = Instant::now();
            while !until.load(Ordering::Relaxed) {
                match get(port, &path) {
                    Ok(answer) => {
                        report.longest_pause = report.longest_pause.max(last.elapsed());
                        report.bodies.insert(answer.body);
                        last = Instant::now();
                    }
                    Err(failed) => report.failed.push(failed),
                }
                report.sent = count.fetch_add(1, Ordering::Relaxed) + 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            report
        });
        Self { end, sent, thread }
    }

    /// Waits until so many more requests are through.
    pub(crate) fn more(&self, requests: usize) {
        let target = self.sent.load(Ordering::Relaxed) + requests;
        super::eventually("the load goes on", || {
            self.sent.load(Ordering::Relaxed) >= target
        });
    }

    pub(crate) fn stop(self) -> Report {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
