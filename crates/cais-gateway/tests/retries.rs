//! A request goes to another target when, and only when, that is safe.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use cais_gateway::table::Timeouts;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Reads a request and closes without a byte.
async fn mute() -> Upstream {
    Upstream::with(|mut peer| async move {
        peer.read_request().await;
    })
    .await
}

/// Sends many requests on connections of their own; the statuses that came.
async fn statuses(address: SocketAddr, request_text: &str, count: usize) -> Vec<u16> {
    let mut found = Vec::new();
    for _ in 0..count {
        found.push(
            request(address, request_text)
                .await
                .map_or(0, |answer| answer.status),
        );
    }
    found
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody";
const EMPTY_POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_refused_connection_is_no_failure_for_any_method_while_another_target_lives() {
    let good = Upstream::answering(ok("x")).await;
    let (mut gateway, address) =
        Gateway::serving(vec![target(1, nobody().await), target(2, good.address)]).await;
    for text in [GET, POST, EMPTY_POST] {
        assert_eq!(statuses(address, text, 20).await, [200; 20]);
    }
    let records = gateway.finished(60).await;
    let retried: Vec<_> = records.iter().filter(|record| record.retries > 0).collect();
    assert!(!retried.is_empty());
    assert!(
        retried
            .iter()
            .all(|record| record.task == Some(2) && record.detail.is_some())
    );
}

#[tokio::test]
async fn a_get_without_a_byte_of_an_answer_goes_to_another_target_and_a_post_does_not() {
    let (bad, good) = (mute().await, Upstream::answering(ok("x")).await);
    let (_gateway, address) =
        Gateway::serving(vec![target(1, bad.address), target(2, good.address)]).await;
    let seen_before = good.requests();
    for text in [EMPTY_POST, POST] {
        let before = bad.requests() + good.requests();
        let found = statuses(address, text, 2).await;
        assert!(
            found.iter().all(|status| matches!(status, 200 | 502)),
            "{found:?}"
        );
        // Each was sent exactly once.
        assert_eq!(bad.requests() + good.requests() - before, 2);
    }
    assert!(good.requests() >= seen_before);

    // New targets, so that no ejection of the above helps.
    let (bad, good) = (mute().await, Upstream::answering(ok("x")).await);
    let (_gateway, address) =
        Gateway::serving(vec![target(3, bad.address), target(4, good.address)]).await;
    for method in ["GET", "OPTIONS"] {
        assert_eq!(
            statuses(
                address,
                &format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n"),
                20
            )
            .await,
            [200; 20]
        );
    }
    assert!(bad.requests() > 0);
}

#[tokio::test]
async fn a_post_to_a_task_that_dies_is_answered_502_once() {
    let (one, two) = (mute().await, mute().await);
    let (mut gateway, address) =
        Gateway::serving(vec![target(1, one.address), target(2, two.address)]).await;
    let answer = request(address, POST).await.unwrap();
    assert_eq!(answer.status, 502);
    assert_eq!(one.requests() + two.requests(), 1);
    let records = gateway.finished(1).await;
    assert_eq!((records[0].status, records[0].retries), (502, 0));
    assert_eq!(
        records[0].detail.as_deref(),
        Some("connection closed before the answer")
    );
}

#[tokio::test]
async fn an_answer_that_has_begun_is_never_tried_again() {
    let bad = Upstream::with(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 2").await;
    })
    .await;
    let (_gateway, address) =
        Gateway::serving(vec![target(1, bad.address), target(2, bad.address)]).await;
    assert_eq!(statuses(address, GET, 1).await, [502]);
    assert_eq!(bad.requests(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_its_task_has_closed_is_not_used() {
    // Answers once and closes, as an idle timeout does.
    let closed = Arc::new(Notify::new());
    let tell = Arc::clone(&closed);
    let upstream = Upstream::with(move |mut peer| {
        let tell = Arc::clone(&tell);
        async move {
            peer.read_request().await;
            peer.say(ok("x")).await;
            drop(peer);
            tell.notify_one();
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    for _ in 0..30 {
        raw.send(POST).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
        closed.notified().await;
    }
    assert_eq!(upstream.requests(), 30);
    assert!(
        gateway
            .finished(30)
            .await
            .iter()
            .all(|record| record.status == 200)
    );
}

#[tokio::test]
async fn a_get_on_an_old_connection_that_dies_is_sent_again_on_a_new_one_to_the_only_task() {
    // The second request on a connection is read and not answered.
    let upstream = Upstream::with(|mut peer| async move {
        peer.read_request().await;
        peer.say(ok("x")).await;
        peer.read_request().await;
    })
    .await;
    let mut gateway = Gateway::with_cores(1).await;
    let address = gateway.listen().await;
    gateway
        .apply(table(address, vec![target(1, upstream.address)]))
        .await;
    let mut raw = Raw::connect(address).await;
    assert_eq!(raw.get("/").await.status, 200);
    assert_eq!(raw.get("/").await.status, 200);
    raw.send(POST).await;
    assert_eq!(raw.answer().await.unwrap().status, 502);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_504_and_is_not_tried_again() {
    let silent =
        Upstream::with(|mut peer| async move { while peer.read_request().await.is_some() {} })
            .await;
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    let timeouts = Timeouts {
        answer: Duration::from_millis(200),
        ..Timeouts::default()
    };
    let targets = vec![target(1, silent.address), target(2, silent.address)];
    gateway.apply(table_with(address, targets, timeouts)).await;
    assert_eq!(statuses(address, GET, 1).await, [504]);
    assert_eq!(silent.requests(), 1);
}

#[tokio::test]
async fn nobody_to_connect_to_is_a_502() {
    let (_gateway, address) = Gateway::serving(vec![target(1, nobody().await)]).await;
    let answer = request(address, GET).await.unwrap();
    assert_eq!(answer.status, 502);
    assert!(
        answer.text().contains("could not be reached"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_target_that_keeps_failing_is_ejected_and_the_last_one_is_not() {
    let (bad, good) = (mute().await, Upstream::answering(ok("x")).await);
    let (_gateway, address) =
        Gateway::serving(vec![target(1, bad.address), target(2, good.address)]).await;
    assert_eq!(statuses(address, GET, 40).await, [200; 40]);
    // Three failures eject it for a second, longer than this takes unless the machine is very busy.
    assert!((3..=5).contains(&bad.requests()), "{}", bad.requests());

    let only = mute().await;
    let (_gateway, address) = Gateway::serving(vec![target(3, only.address)]).await;
    assert_eq!(statuses(address, GET, 6).await, [502; 6]);
    assert_eq!(only.requests(), 6);
}
