//! Requests reach the task that the table says, and answers come back whole.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use cais_gateway::protocol::FromGateway;
use cais_gateway::table::{Pool, RouteTable, Serves, Timeouts};
use support::*;

#[tokio::test]
async fn host_and_path_decide_and_the_path_is_not_rewritten() {
    let clock = Upstream::answering(ok("clock")).await;
    let calendar = Upstream::answering(ok("calendar")).await;
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    let pool = |task, upstream: &Upstream| Pool {
        targets: vec![target(task, upstream.address)],
        timeouts: Timeouts::default(),
    };
    let routes = vec![
        route(None, "/clock", "clock"),
        route(Some("calendar.test"), "/", "calendar"),
        route(None, "/calendar/", "calendar"),
    ];
    gateway
        .apply(RouteTable {
            version: 0,
            listeners: [(address, Serves::Http { routes })].into(),
            pools: [
                (service("clock"), pool(1, &clock)),
                (service("calendar"), pool(2, &calendar)),
            ]
            .into(),
        })
        .await;

    let mut raw = Raw::connect(address).await;
    for (host, path, status, body) in [
        ("a", "/clock", 200, "clock"),
        ("a", "/clock/%2e%2e/x%2Fy?q=1&%20", 200, "clock"),
        ("a", "/clockwork", 404, ""),
        ("Calendar.Test.:8080", "/clock", 200, "calendar"),
        ("a", "/calendar", 200, "calendar"),
        ("a", "/", 404, ""),
    ] {
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.status, status, "{host}{path}");
        if status == 200 {
            assert_eq!(answer.text(), body, "{host}{path}");
        }
    }
    assert!(
        clock
            .seen()
            .contains("GET /clock/%2e%2e/x%2Fy?q=1&%20 HTTP/1.1\r\n"),
        "{}",
        clock.seen()
    );
    assert!(
        calendar.seen().contains("host: Calendar.Test.:8080\r\n"),
        "{}",
        calendar.seen()
    );

    let records = gateway.finished(6).await;
    assert_eq!(records[1].path, "/clock/%2e%2e/x%2Fy");
    assert_eq!(
        (
            records[1].service.as_deref(),
            records[1].task,
            records[1].status
        ),
        (Some("clock"), Some(1), 200)
    );
    assert_eq!(records[1].bytes_out, 5);
    assert!(records[1].upstream_us.is_some());
    assert_eq!(
        (records[2].service.as_deref(), records[2].status),
        (None, 404)
    );
    assert_eq!(records[2].detail.as_deref(), Some("no route"));
}

#[tokio::test]
async fn without_a_listener_in_the_table_or_a_target_it_says_so() {
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    // Before the first table connections wait.
    let mut early = Raw::connect(address).await;
    early.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    gateway.apply(RouteTable::default()).await;
    let answer = early.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );

    gateway.apply(table(address, vec![])).await;
    let answer = Raw::connect(address).await.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        body["message"],
        "No task of web is ready to take this request."
    );
    assert_eq!(body["request_id"], answer.header("x-request-id").unwrap());

    let page = request(
        address,
        "GET / HTTP/1.1\r\nhost: a\r\naccept: text/html\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    // Of different cores, so in no fixed order.
    let records = gateway.finished(3).await;
    let of_web = records
        .iter()
        .filter(|record| record.service.as_deref() == Some("web"));
    assert!(
        of_web
            .clone()
            .all(|record| record.detail.as_deref() == Some("no target"))
    );
    assert_eq!(of_web.count(), 2);
}

#[tokio::test]
async fn hello_says_what_it_is() {
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    gateway.apply(table(address, vec![])).await;
    let FromGateway::Hello {
        pid,
        cores,
        listening,
        table,
        ..
    } = gateway.hello().await
    else {
        panic!("a hello")
    };
    assert_eq!(
        (pid, cores, listening, table),
        (std::process::id(), 2, vec![address], 1)
    );
}

#[tokio::test]
async fn the_task_learns_who_asks_and_hop_by_hop_fields_end_here() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-inner\r\nx-inner: 1\r\nkeep-alive: timeout=5\r\nx-kept: 1\r\n\r\nok",
    )
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let answer = request(
        address,
        "GET / HTTP/1.1\r\nHost: example.test:81\r\nConnection: keep-alive, X-Drop\r\nX-Drop: 1\r\nTE: trailers\r\n\
         X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nProxy-Connection: close\r\nX-Request-Id: mine\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(answer.header("x-inner"), None);
    assert_eq!(answer.header("keep-alive"), None);
    assert_eq!(answer.header("x-kept"), Some("1"));
    let seen = upstream.seen();
    for (field, there) in [
        ("host: example.test:81", true),
        ("x-forwarded-for: 127.0.0.1", true),
        ("x-forwarded-host: example.test:81", true),
        ("x-forwarded-proto: http", true),
        ("x-request-id: mine", true),
        ("te: trailers", true),
        ("9.9.9.9", false),
        ("x-drop", false),
        ("proxy-connection", false),
        ("keep-alive", false),
    ] {
        assert_eq!(seen.contains(field), there, "{field} in {seen}");
    }
}

#[tokio::test]
async fn connections_to_a_task_are_kept() {
    let upstream = Upstream::answering(ok("x")).await;
    let mut gateway = Gateway::with_cores(1).await;
    let address = gateway.listen().await;
    gateway
        .apply(table(address, vec![target(1, upstream.address)]))
        .await;
    let mut raw = Raw::connect(address).await;
    for _ in 0..20 {
        assert_eq!(raw.get("/").await.status, 200);
    }
    assert_eq!(
        upstream
            .connections
            .load(std::sync::atomic::Ordering::SeqCst),
        1
    );
    let (stale, fresh) = (raw, Raw::connect(address).await);
    drop((stale, fresh));
}

#[tokio::test]
async fn head_204_and_304_have_no_body() {
    for (method, answer, status, length) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n",
            200,
            Some("500"),
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        // hyper leaves Content-Length out of a 304, as RFC 9110 section 8.6 allows.
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 12\r\netag: \"a\"\r\n\r\n",
            304,
            None,
        ),
    ] {
        let upstream = Upstream::answering(answer).await;
        let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
        let mut raw = Raw::connect(address).await;
        for _ in 0..2 {
            raw.send(format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n"))
                .await;
            let found = raw.answer_to(method).await.unwrap();
            assert_eq!(
                (found.status, found.header("content-length")),
                (status, length),
                "{}",
                found.head
            );
        }
    }
}

#[tokio::test]
async fn whom_a_request_is_for_is_said_by_its_target_before_its_host() {
    let upstream = Upstream::answering(ok("x")).await;
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    let mut by_host = table(address, vec![target(1, upstream.address)]);
    let routes = vec![
        route(Some("named.test"), "/", "web"),
        route(Some("127.0.0.1"), "/", "web"),
    ];
    by_host.listeners.insert(address, Serves::Http { routes });
    gateway.apply(by_host).await;
    for (text, status, sent) in [
        (
            "GET http://named.test/a HTTP/1.1\r\nHost: other.test\r\n\r\n",
            200,
            "GET /a HTTP/1.1\r\nhost: named.test\r\n",
        ),
        (
            "GET http://named.test?q HTTP/1.1\r\nHost: other.test\r\n\r\n",
            200,
            "GET /?q HTTP/1.1\r\n",
        ),
        (
            "GET http://other.test/ HTTP/1.1\r\nHost: named.test\r\n\r\n",
            404,
            "",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: named.test\r\n\r\n",
            200,
            "OPTIONS * HTTP/1.1\r\n",
        ),
        ("GET /old HTTP/1.0\r\n\r\n", 200, "host: 127.0.0.1:"),
    ] {
        upstream.seen.lock().unwrap().clear();
        assert_eq!(
            request(address, text).await.unwrap().status,
            status,
            "{text}"
        );
        assert!(
            upstream.seen().contains(sent),
            "{text}: {}",
            upstream.seen()
        );
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_ends_the_connection() {
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    gateway.apply(table(address, vec![])).await;
    let mut raw = Raw::connect(address).await;
    raw.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (503, Some("close"))
    );
    assert_eq!(raw.remainder().await, "");
}
