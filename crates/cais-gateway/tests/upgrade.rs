//! Connections that leave HTTP become tunnels, and count until they close.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use support::*;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

async fn echo_server() -> Upstream {
    Upstream::with(|peer| async move {
        let Ok(mut socket) = tokio_tungstenite::accept_async(peer.stream).await else {
            return;
        };
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                break;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_websocket_passes_and_is_counted_until_it_closes() {
    let upstream = echo_server().await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, answer) = tokio_tungstenite::client_async("ws://a/chat", stream)
        .await
        .unwrap();
    assert_eq!(answer.status(), 101);
    let large = Message::binary(vec![3; 1024 * 1024]);
    for message in [Message::text("hello"), large, Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    gateway
        .apply(table(address, vec![draining(target(1, upstream.address))]))
        .await;
    gateway.hear_in_flight(1, 1, 1).await;
    // Draining cuts nobody off.
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("still here")
    );
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    drop(socket);
    gateway.hear_in_flight(1, 0, 0).await;
    let record = gateway.finished(1).await.remove(0);
    assert_eq!(
        (record.status, record.path.as_str(), record.task),
        (101, "/chat", Some(1))
    );
    assert!(record.bytes_out > 1024 * 1024, "{record:?}");
}

#[tokio::test]
async fn bytes_sent_before_the_101_reach_the_task_and_not_the_parser() {
    let upstream = Upstream::with(|mut peer| async move {
        let head = peer.read_head().await.unwrap();
        assert!(head.contains("upgrade: raw"), "{head}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        peer.say(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\nfirst",
        )
        .await;
        while peer.fill().await.unwrap() < 5 {}
        assert_eq!(peer.take_rest(), b"\0\n\r\n!");
        peer.say("second").await;
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n\0\n\r\n!")
        .await;
    let answer = raw.head().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("upgrade")),
        (101, Some("raw"))
    );
    assert_eq!(raw.exactly(11).await, b"firstsecond");
    assert_eq!(raw.remainder().await, "");
}

#[tokio::test]
async fn a_refused_upgrade_leaves_the_connection_to_http() {
    let upstream =
        Upstream::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    let wish = "GET /1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    raw.send(format!(
        "{wish}{wish}GET /3 HTTP/1.1\r\nhost: a\r\n\r\nGET /4 HTTP/1.1\nhost: a\r\n\r\n"
    ))
    .await;
    for status in [403, 403, 403, 400] {
        assert_eq!(raw.answer().await.unwrap().status, status);
    }
    assert_eq!(upstream.requests(), 3);
    assert!(!upstream.seen().contains("/4"));
}

#[tokio::test]
async fn h2c_is_not_passed_on() {
    let upstream = Upstream::answering(ok("plain")).await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let wish = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n\r\n";
    assert_eq!(request(address, wish).await.unwrap().text(), "plain");
    assert!(!upstream.seen().contains("h2c"), "{}", upstream.seen());
}

#[tokio::test]
async fn an_upgrade_behind_a_slow_request_still_waits_for_its_own_decision() {
    let upstream = Upstream::with(|mut peer| async move {
        while let Some(head) = peer.read_head().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !head.starts_with("GET /2") {
                peer.say(ok("plain")).await;
                continue;
            }
            peer.say(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n",
            )
            .await;
            while peer.fill().await.unwrap() < 5 {}
            let bytes = peer.take_rest();
            return peer.say(bytes).await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    let first = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n";
    let second = "GET /2 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n";
    raw.send(format!("{first}{second}\0\n\r\n!")).await;
    assert_eq!(raw.answer().await.unwrap().text(), "plain");
    assert_eq!(raw.answer().await.unwrap().status, 101);
    assert_eq!(raw.exactly(5).await, b"\0\n\r\n!");
}
