//! Bodies flow both ways as they come, no faster than the slower side, and never end too early unnoticed.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::sleep;

const MANY: usize = 64 * 1024 * 1024;

/// Waits until the counter has not moved for a while; where it stands.
async fn standstill(counter: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    loop {
        let now = counter.load(Ordering::SeqCst);
        if now == last && now > 0 {
            return now;
        }
        last = now;
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_task_that_sends_faster_than_the_client_reads_is_made_to_wait() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let upstream = Upstream::with(move |mut peer| {
        let count = Arc::clone(&count);
        async move {
            peer.read_request().await;
            peer.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {MANY}\r\n\r\n"))
                .await;
            let piece = vec![7; 64 * 1024];
            while count.load(Ordering::SeqCst) < MANY {
                if peer.stream.write_all(&piece).await.is_err() {
                    return;
                }
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let paused_at = standstill(&written).await;
    assert!(
        paused_at < MANY / 2,
        "{paused_at} bytes were taken though nobody reads"
    );
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body.len(), MANY);
    assert!(answer.body.iter().all(|byte| *byte == 7));
    assert_eq!(gateway.finished(1).await[0].bytes_out, MANY as u64);
}

#[tokio::test]
async fn a_client_that_sends_faster_than_the_task_reads_is_made_to_wait() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let upstream = Upstream::with(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            peer.read_head().await;
            gate.notified().await;
            let mut received = peer.take_rest().len();
            let mut bytes = vec![0; 64 * 1024];
            while received < MANY {
                received += peer.stream.read(&mut bytes).await.unwrap();
            }
            peer.say(ok("done")).await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send(format!(
        "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {MANY}\r\n\r\n"
    ))
    .await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        let piece = vec![7; 64 * 1024];
        while count.load(Ordering::SeqCst) < MANY {
            raw.stream.write_all(&piece).await.unwrap();
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
        raw
    });
    let paused_at = standstill(&sent).await;
    assert!(
        paused_at < MANY / 2,
        "{paused_at} bytes were taken though nobody reads"
    );
    go.notify_one();
    assert_eq!(
        sending.await.unwrap().answer().await.unwrap().text(),
        "done"
    );
}

#[tokio::test]
async fn each_piece_of_an_answer_arrives_when_it_is_sent() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let upstream = Upstream::with(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            peer.read_request().await;
            peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            for _ in 0..3 {
                peer.say("5\r\nevent\r\n").await;
                gate.notified().await;
            }
            peer.say("0\r\n\r\n").await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(raw.head().await.unwrap().status, 200);
    for _ in 0..3 {
        // The next piece is not sent before this one has arrived.
        assert_eq!(raw.exactly(10).await, b"5\r\nevent\r\n");
        go.notify_one();
    }
    assert_eq!(raw.exactly(5).await, b"0\r\n\r\n");
}

#[tokio::test]
async fn chunked_bodies_and_trailers_pass_both_ways() {
    let upstream = Upstream::with(|mut peer| async move {
        while let Some(request) = peer.read_request().await {
            let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            let fields = "transfer-encoding: chunked\r\ntrailer: x-sum";
            let size = body.len();
            peer.say(format!(
                "HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{size:x}\r\n{body}\r\n0\r\nx-sum: 42\r\n\r\n"
            ))
            .await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    for method in ["POST", "GET"] {
        let mut raw = Raw::connect(address).await;
        raw.send(format!(
            "{method} / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
        .await;
        raw.send("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n").await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(
            answer.text().replace("\r\n", "|"),
            "3|abc|4|defg|0||",
            "{method}"
        );
        assert_eq!(answer.header("x-sum"), Some("42"), "{}", answer.head);
    }
}

#[tokio::test]
async fn a_client_that_expects_100_hears_what_the_task_says() {
    let upstream = Upstream::with(|mut peer| async move {
        let head = peer.read_head().await.unwrap();
        assert!(head.contains("expect: 100-continue"), "{head}");
        if head.starts_with("PUT /no") {
            return peer
                .say("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
        assert!(peer.take_rest().is_empty());
        peer.say("HTTP/1.1 100 Continue\r\n\r\n").await;
        peer.fill().await;
        assert_eq!(peer.take_rest(), b"body");
        peer.say(ok("thanks")).await;
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let head = |path| {
        format!(
            "PUT {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        )
    };
    let mut raw = Raw::connect(address).await;
    raw.send(head("/yes")).await;
    assert_eq!(raw.head().await.unwrap().status, 100);
    raw.send("body").await;
    assert_eq!(raw.answer().await.unwrap().text(), "thanks");

    let mut raw = Raw::connect(address).await;
    raw.send(head("/no")).await;
    assert_eq!(raw.head().await.unwrap().status, 417);
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ] {
        let upstream = Upstream::with(move |mut peer| async move {
            peer.read_request().await;
            peer.say(answer).await;
        })
        .await;
        let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
        assert!(
            request(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .is_none(),
            "{answer}"
        );
        let record = gateway.finished(1).await.remove(0);
        assert_eq!((record.status, record.bytes_out), (200, 4), "{record:?}");
        assert!(record.detail.is_some(), "{record:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_framing_is_ambiguous_is_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let upstream = Upstream::answering(answer).await;
        let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
        let found = request(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(found.status, 502, "{answer}");
        let record = gateway.finished(1).await.remove(0);
        assert!(record.detail.unwrap().contains("not valid"));
    }
}

#[tokio::test]
async fn an_answer_that_ends_by_closing_is_passed_on() {
    let upstream = Upstream::with(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.0 200 OK\r\n\r\nold style").await;
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    assert_eq!(
        Raw::connect(address).await.get("/").await.text(),
        "old style"
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_a_499_and_its_task_is_told() {
    let gone = Arc::new(Notify::new());
    let tell = Arc::clone(&gone);
    let upstream = Upstream::with(move |mut peer| {
        let tell = Arc::clone(&tell);
        async move {
            peer.read_request().await;
            // Ends when the gateway closes.
            peer.fill().await;
            tell.notify_one();
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while upstream.requests() == 0 {
        sleep(Duration::from_millis(2)).await;
    }
    drop(raw);
    tokio::time::timeout(PATIENCE, gone.notified())
        .await
        .expect("the task was not told");
    let record = gateway.finished(1).await.remove(0);
    assert_eq!((record.status, record.path.as_str()), (499, "/slow"));
}
