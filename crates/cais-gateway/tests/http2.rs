//! HTTP/2 by prior knowledge on the same address, HTTP/1.1 towards the task.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::net::TcpStream;
use tokio::sync::Notify;

async fn connect(
    address: SocketAddr,
) -> (
    SendRequest<Full<Bytes>>,
    tokio::task::JoinHandle<hyper::Result<()>>,
) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://example.test{path}"))
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn many_requests_share_a_connection_and_arrive_as_http1() {
    let upstream = Upstream::with(|mut peer| async move {
        while let Some(request) = peer.read_request().await {
            let path = request.split(' ').nth(1).unwrap().to_owned();
            peer.say(ok(&path)).await;
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let (sender, _connection) = connect(address).await;
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..100 {
        let mut sender = sender.clone();
        requests.spawn(async move {
            let path = format!("/{number}?q=%20");
            let response = sender.send_request(get(&path)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                path
            );
        });
    }
    while let Some(done) = requests.join_next().await {
        done.unwrap();
    }
    assert!(
        upstream
            .seen()
            .contains("GET /7?q=%20 HTTP/1.1\r\nhost: example.test\r\n"),
        "{}",
        upstream.seen()
    );
    assert_eq!(gateway.finished(100).await.len(), 100);
}

#[tokio::test]
async fn bodies_cookies_and_own_answers_pass() {
    let upstream = Upstream::with(|mut peer| async move {
        while let Some(request) = peer.read_request().await {
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            let length = body.len();
            peer.say(format!("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let (mut sender, _connection) = connect(address).await;
    let body = Bytes::from(vec![b'x'; 1024 * 1024]);
    let mut request = Request::post("http://example.test/")
        .body(Full::new(body.clone()))
        .unwrap();
    request
        .headers_mut()
        .append("cookie", HeaderValue::from_static("a=1"));
    request
        .headers_mut()
        .append("cookie", HeaderValue::from_static("b=2"));
    let response = sender.send_request(request).await.unwrap();
    assert!(!response.headers().contains_key("connection"));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        body
    );
    assert!(upstream.seen().contains("cookie: a=1; b=2\r\n"));

    gateway.apply(table(address, vec![])).await;
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_answer_that_breaks_off_resets_its_stream_alone() {
    let upstream = Upstream::with(|mut peer| async move {
        while let Some(request) = peer.read_request().await {
            if request.starts_with("GET /half") {
                return peer
                    .say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
                    .await;
            }
            peer.say(ok("whole")).await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let (mut sender, _connection) = connect(address).await;
    let response = sender.send_request(get("/half")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "whole"
    );
}

#[tokio::test]
async fn shutdown_lets_streams_finish() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let upstream = Upstream::with(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            peer.read_request().await;
            gate.notified().await;
            peer.say(ok("late")).await;
        }
    })
    .await;
    let (gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let (mut sender, connection) = connect(address).await;
    let response = sender.send_request(get("/"));
    let waiting = tokio::spawn(response);
    while upstream.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ending = tokio::spawn(gateway.shut_down(PATIENCE));
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    go.notify_one();
    let response = waiting.await.unwrap().unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "late"
    );
    drop(sender);
    connection.await.unwrap().unwrap();
    ending.await.unwrap();
}
