//! The client's counts, checked against servers whose faults are known to the last request.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

use load::kind::{Kind, Shape};
use load::report::Report;
use load::run::{self, Refusal, Settings};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// What a saboteur does to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Deed {
    Answer,
    DropBeforeHead,
    DropInHead,
    DropInBody,
    Say503,
    WrongBody,
    TwoLengths,
    NeverAnswer,
}

/// A server that does `deed` to every `every`-th request and answers the rest.
fn saboteur(every: u64, deed: Deed) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, seen) = (stream.unwrap(), seen.clone());
            std::thread::spawn(move || attend(stream, &seen, every, deed));
        }
    });
    address
}

fn attend(stream: TcpStream, seen: &AtomicU64, every: u64, deed: Deed) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    while let Some(Ok(first)) = lines.next() {
        while lines
            .next()
            .is_some_and(|line| !line.unwrap_or_default().is_empty())
        {}
        let turn = seen.fetch_add(1, Ordering::SeqCst) + 1;
        let deed = if turn.is_multiple_of(every) {
            deed
        } else {
            Deed::Answer
        };
        let number = first
            .split(['=', ' '])
            .nth(2)
            .unwrap_or_default()
            .to_owned();
        if !serve(&mut stream, deed, &number) {
            return;
        }
    }
}

/// Returns whether the connection goes on.
fn serve(stream: &mut TcpStream, deed: Deed, number: &str) -> bool {
    let body = format!("n={number}\n");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-task: 7\r\nx-revision: r1\r\ncontent-length: {length}\r\n\r\n"
    );
    let answer = match deed {
        Deed::Answer => head + &body,
        Deed::DropBeforeHead => return false,
        Deed::DropInHead => head[..20].to_owned(),
        Deed::DropInBody => head + &body[..1],
        Deed::Say503 => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(),
        Deed::WrongBody => head + &body.replace('=', ":"),
        Deed::TwoLengths => head.replace("x-task: 7", "content-length: 1") + &body,
        Deed::NeverAnswer => {
            let _ = stream.read(&mut [0]);
            return false;
        }
    };
    stream.write_all(answer.as_bytes()).is_ok()
        && matches!(deed, Deed::Answer | Deed::Say503 | Deed::WrongBody)
}

fn settings(address: SocketAddr, kind: Kind, requests: u64) -> Settings {
    Settings {
        rate: 1000.0,
        mix: format!("{kind}=1").parse().unwrap(),
        requests: Some(requests),
        patience: Duration::from_secs(5),
        ..Settings::to(address)
    }
}

/// Runs 200 requests against a server that does `deed` to every tenth.
fn check(deed: Deed, reason: &str, retryable: bool) {
    for kind in [Kind::Get, Kind::Close] {
        let mut settings = settings(saboteur(10, deed), kind, 200);
        if deed == Deed::NeverAnswer {
            settings.patience = Duration::from_secs(1);
        }
        let count = run::start(settings).unwrap().finish().total();
        assert_eq!(
            (count.sent, count.ok, count.failed),
            (200, 180, 20),
            "{kind} {deed:?}"
        );
        assert_eq!(
            count.failed_retryable,
            if retryable { 20 } else { 0 },
            "{kind} {deed:?}"
        );
        assert_eq!(
            count.reasons,
            [(reason.to_owned(), 20)].into(),
            "{kind} {deed:?}"
        );
        assert!(count.latency.is_some());
    }
}

#[test]
fn every_fault_is_counted_once_under_its_name() {
    check(Deed::DropBeforeHead, "reset before head", true);
    check(Deed::DropInHead, "reset before head", false);
    check(Deed::DropInBody, "reset in body", false);
    // From nobody: a gateway that had no answer, and might have asked elsewhere.
    check(Deed::Say503, "status 503", true);
    check(Deed::WrongBody, "wrong body", false);
    check(Deed::TwoLengths, "not HTTP", false);
    check(Deed::NeverAnswer, "timeout", true);
}

#[test]
fn a_post_that_is_answered_or_dropped_before_its_body_was_sent_has_failed_for_good() {
    for (deed, reason) in [
        (Deed::DropBeforeHead, "reset before head"),
        (Deed::Say503, "status 503"),
        (Deed::Answer, "wrong body"),
    ] {
        let settings = settings(saboteur(1, deed), Kind::Post, 20);
        let count = run::start(settings).unwrap().finish().total();
        assert_eq!(count.reasons, [(reason.to_owned(), 20)].into(), "{deed:?}");
        assert_eq!(count.failed_retryable, 0, "{deed:?}");
    }
}

#[test]
fn a_port_without_a_listener_refuses_all() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for kind in Kind::ALL {
        let count = run::start(settings(address, kind, 5))
            .unwrap()
            .finish()
            .total();
        assert_eq!(count.reasons, [("refused".to_owned(), 5)].into(), "{kind}");
        assert_eq!(
            count.failed_retryable,
            if kind == Kind::Post { 0 } else { 5 }
        );
    }
}

#[test]
fn a_server_that_answers_nobody_does_not_slow_the_questions() {
    // Answers only when all hundred are there: a client that waited for answers would never get one.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all = Arc::new(Barrier::new(100));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, all) = (stream.unwrap(), all.clone());
            std::thread::spawn(move || {
                all.wait();
                attend(stream, &AtomicU64::new(0), u64::MAX, Deed::Answer);
            });
        }
    });
    let report = run::start(settings(address, Kind::Get, 100))
        .unwrap()
        .finish();
    let total = report.total();
    assert_eq!((total.ok, total.failed), (100, 0));
    // The first was due 99 ms before the last was sent, and its latency says so.
    assert!(report.samples()[0].latency.unwrap() >= Duration::from_millis(99));
}

#[test]
fn too_many_under_way_are_counted_and_not_sent() {
    let mut settings = settings(saboteur(1, Deed::NeverAnswer), Kind::Get, 30);
    settings.in_flight = 10;
    settings.patience = Duration::from_millis(500);
    let count = run::start(settings).unwrap().finish().total();
    assert_eq!(
        count.reasons,
        [("not sent".to_owned(), 20), ("timeout".to_owned(), 10)].into()
    );
}

#[test]
fn a_session_that_the_server_closes_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut socket = tokio_tungstenite::tungstenite::accept(stream).unwrap();
                let message = socket.read().unwrap();
                socket.send(message).unwrap();
                let _ = socket.close(None);
                let _ = socket.read();
            });
        }
    });
    let count = run::start(settings(address, Kind::Ws, 5))
        .unwrap()
        .finish()
        .total();
    assert_eq!(count.reasons, [("WebSocket ended".to_owned(), 5)].into());
}

/// The test app on a port of its own; killed with the test.
struct App(Child, SocketAddr);

impl App {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_testapp"))
            .envs(variables.iter().copied())
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            line.unwrap()
                .split_once("port ")
                .map(|(_, port)| port.parse().unwrap())
        });
        // What the app says later goes to a reader, or it would die of a broken pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, SocketAddr::from(([127, 0, 0, 1], port.unwrap())))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All kinds, made short.
fn everything(address: SocketAddr) -> Settings {
    Settings {
        rate: 100.0,
        mix: "get=50,close=30,post=8,stream=5,ws=4,download=3"
            .parse()
            .unwrap(),
        shape: Shape {
            post: Duration::from_millis(600),
            stream: Duration::from_millis(600),
            ws: Duration::from_millis(700),
            download: Duration::from_millis(800),
            ..Shape::default()
        },
        requests: Some(100),
        ..Settings::to(address)
    }
}

fn answered_by(report: &Report) -> Vec<String> {
    report.revisions().into_keys().collect()
}

#[test]
fn a_sound_app_answers_every_kind() {
    let app = App::start(&[("REVISION", "r9"), ("CAIS_TASK", "mark-3")]);
    let report = run::start(everything(app.1)).unwrap().finish();
    assert_eq!(report.total().failed, 0, "{}", report.table());
    let sent: Vec<u64> = report.kinds().values().map(|count| count.sent).collect();
    assert_eq!(sent, [50, 30, 8, 5, 4, 3]);
    assert_eq!(answered_by(&report), ["r9"]);
    assert_eq!(report.samples()[0].who.as_ref().unwrap().task, "3");
}

#[test]
fn an_app_told_to_stop_breaks_off_unless_it_is_graceful() {
    for (graceful, failed) in [("0", true), ("1", false)] {
        let app = App::start(&[("GRACEFUL", graceful)]);
        let mut settings = everything(app.1);
        settings.mix = "stream=1".parse().unwrap();
        settings.requests = Some(20);
        settings.shape.stream = Duration::from_secs(1);
        let run = run::start(settings).unwrap();
        while run.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(10));
        }
        app.signal(rustix::process::Signal::TERM);
        let count = run.finish().total();
        assert_eq!(count.failed > 0, failed, "graceful {graceful}: {count:?}");
        assert!(!count.reasons.contains_key("wrong body"), "{count:?}");
    }
}

#[test]
fn load_goes_to_this_machine_only() {
    let far = Settings::to("192.0.2.1:80".parse().unwrap());
    assert!(matches!(run::start(far), Err(Refusal::NotHere(_))));
    let fast = Settings {
        rate: 1e9,
        ..Settings::to("127.0.0.1:1".parse().unwrap())
    };
    assert!(matches!(run::start(fast), Err(Refusal::Rate(_))));
}
