//! What two readers could frame differently is refused, closes the connection, and never reaches a task.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::time::Duration;
use support::*;

/// `§` stands for a path of the case's own, by which the upstream's log is searched.
const HEADS: &[(&str, &str, u16)] = &[
    (
        "bare LF after the request line",
        "GET § HTTP/1.1\nHost: a\r\n\r\n",
        400,
    ),
    (
        "bare LF after a field",
        "GET § HTTP/1.1\r\nHost: a\n\r\n",
        400,
    ),
    (
        "bare LF at the end of the head",
        "GET § HTTP/1.1\r\nHost: a\r\n\n",
        400,
    ),
    ("only bare LF", "GET § HTTP/1.1\nHost: a\n\n", 400),
    (
        "bare CR in a field value",
        "GET § HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        400,
    ),
    (
        "bare CR in the request line",
        "GET §\rx HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    ("CR CR LF", "GET § HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    (
        "obs-fold",
        "GET § HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        400,
    ),
    (
        "obs-fold by tab",
        "GET § HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
        400,
    ),
    (
        "white space before the first field",
        "GET § HTTP/1.1\r\n Host: a\r\n\r\n",
        400,
    ),
    (
        "space before the colon",
        "GET § HTTP/1.1\r\nHost : a\r\n\r\n",
        400,
    ),
    (
        "tab before the colon",
        "GET § HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n",
        400,
    ),
    (
        "a field without a colon",
        "GET § HTTP/1.1\r\nHost: a\r\nfield\r\n\r\n",
        400,
    ),
    (
        "an empty field name",
        "GET § HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
        400,
    ),
    (
        "a field name with a bracket",
        "GET § HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n",
        400,
    ),
    (
        "NUL in a field value",
        "GET § HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        400,
    ),
    (
        "DEL in a field value",
        "GET § HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
        400,
    ),
    ("no Host", "GET § HTTP/1.1\r\n\r\n", 400),
    (
        "two Hosts",
        "GET § HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
    ),
    (
        "twice the same Host",
        "GET § HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        400,
    ),
    (
        "a Host with a path",
        "GET § HTTP/1.1\r\nHost: a/b\r\n\r\n",
        400,
    ),
    (
        "a Host with a user",
        "GET § HTTP/1.1\r\nHost: u@a\r\n\r\n",
        400,
    ),
    ("a Host list", "GET § HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    (
        "Content-Length and Transfer-Encoding",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "Transfer-Encoding and Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "two different Content-Lengths",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        400,
    ),
    (
        "twice the same Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        400,
    ),
    (
        "a Content-Length list",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        400,
    ),
    (
        "a signed Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        400,
    ),
    (
        "a negative Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na",
        400,
    ),
    (
        "a hexadecimal Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
        400,
    ),
    (
        "an empty Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        400,
    ),
    (
        "a huge Content-Length",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        400,
    ),
    (
        "a Content-Length with a space within",
        "POST § HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\na",
        400,
    ),
    (
        "chunked twice",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "a coding nobody knows",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "gzip, chunked",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "chunked, identity",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "identity",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        501,
    ),
    (
        "chunked after a vertical tab",
        "POST § HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "chunked in HTTP/1.0",
        "POST § HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "a method with a bracket",
        "GE(T § HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    ("no method", " § HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (
        "two spaces before the target",
        "GET  § HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "a space within the target",
        "GET § x HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "a tab before the version",
        "GET §\tHTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "a byte above ASCII in the target",
        "GET §\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "a fragment in the target",
        "GET §#x HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    ("HTTP/0.9", "GET §\r\n\r\n", 400),
    ("HTTP/1.2", "GET § HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("HTTP/3.0", "GET § HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (
        "http in lower case",
        "GET § http/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "a version with a space behind",
        "GET § HTTP/1.1 \r\nHost: a\r\n\r\n",
        400,
    ),
    ("HTTP/11", "GET § HTTP/11\r\nHost: a\r\n\r\n", 400),
    ("TLS by mistake", "\u{16}\u{3}\u{1}§", 400),
    (
        "two empty lines first",
        "\r\n\r\nGET § HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "CONNECT",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nX: §\r\n\r\n",
        501,
    ),
    (
        "a target without a slash",
        "GET x§ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "an authority as the target of a GET",
        "GET a:80 HTTP/1.1\r\nHost: a\r\nX: §\r\n\r\n",
        400,
    ),
    (
        "an asterisk of a GET",
        "GET * HTTP/1.1\r\nHost: a\r\nX: §\r\n\r\n",
        400,
    ),
    (
        "an absolute target of another scheme",
        "GET ftp://a§ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "an absolute target without a host",
        "GET http://§ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "an absolute target with a user",
        "GET http://u@a§ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
];

/// These have a valid head; the task may see it, and never the end of the body.
const BODIES: &[(&str, &str)] = &[
    ("no chunk size", "\r\n0\r\n\r\n"),
    ("a chunk size that is no number", "xyz\r\n0\r\n\r\n"),
    ("a chunk size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("a signed chunk size", "+5\r\nhello\r\n0\r\n\r\n"),
    (
        "a chunk size that overflows",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with a space behind",
        "5 \r\nhello\r\n0\r\n\r\n",
    ),
    ("a chunk size before a bare LF", "5\nhello\r\n0\r\n\r\n"),
    (
        "a chunk extension with a bare LF",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a chunk extension with a bare CR",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
    ),
    ("a chunk longer than its size", "5\r\nhello!\r\n0\r\n\r\n"),
    ("a chunk that ends with bare LF", "5\r\nhello\n0\r\n\r\n"),
    (
        "a trailer that is folded",
        "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
    ),
    ("a last chunk before a bare LF", "5\r\nhello\r\n0\n\r\n"),
    (
        "a trailer with a space before the colon",
        "5\r\nhello\r\n0\r\nX : a\r\n\r\n",
    ),
];

#[tokio::test]
async fn a_malformed_head_is_refused_and_never_reaches_the_task() {
    let upstream = Upstream::answering(ok("no")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    for (number, (name, text, status)) in HEADS.iter().enumerate() {
        let bytes = text.replace('§', &format!("/case-{number}"));
        let mut raw = Raw::connect(address).await;
        raw.send(&bytes).await;
        // Whoever reads on after the refusal would take this for a request.
        raw.send(format!(
            "GET /smuggled-{number} HTTP/1.1\r\nHost: a\r\n\r\n"
        ))
        .await;
        let answer = raw
            .answer()
            .await
            .unwrap_or_else(|| panic!("no answer to {name}"));
        assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        assert_eq!(raw.remainder().await, "", "{name}");
    }
    assert_eq!(upstream.seen(), "");
    let records = gateway.finished(HEADS.len()).await;
    assert!(
        records
            .iter()
            .all(|record| record.status >= 400 && record.detail.is_some())
    );
}

#[tokio::test]
async fn a_malformed_body_is_refused_and_never_ends_at_the_task() {
    let upstream = Upstream::answering(ok("no")).await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    for (name, body) in BODIES {
        let mut raw = Raw::connect(address).await;
        raw.send(format!(
            "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ))
        .await;
        raw.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = raw
            .answer()
            .await
            .unwrap_or_else(|| panic!("no answer to {name}"));
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        assert_eq!(raw.remainder().await, "", "{name}");
    }
    assert_eq!(upstream.requests(), 0, "{}", upstream.seen());
    assert!(!upstream.seen().contains("smuggled"), "{}", upstream.seen());
}

#[tokio::test]
async fn heads_that_are_too_large_are_told_so() {
    let upstream = Upstream::answering(ok("yes")).await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let fields = |count: usize| {
        (0..count)
            .map(|n| format!("x-{n}: 1\r\n"))
            .collect::<String>()
    };
    let long = |bytes: usize| "x".repeat(bytes);
    for (bytes, status) in [
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(8 * 1024)),
            414,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(8 * 1024 - 1)),
            200,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(100)),
            431,
        ),
        // Four fields are the gateway's own.
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(99)),
            200,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                long(64 * 1024)
            ),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                long(60 * 1024)
            ),
            200,
        ),
    ] {
        let answer = request(address, &bytes).await.unwrap();
        assert_eq!(answer.status, status, "{}", &bytes[..60]);
    }
}

#[tokio::test]
async fn valid_requests_pass_however_they_are_cut() {
    let upstream = Upstream::answering(ok("yes")).await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let pipeline = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
                    POST /2 HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: 1\r\n\r\n\
                    POST /3 HTTP/1.1\r\nhost: \ta:80 \r\nContent-Length: 5 \r\nX: \u{e9}\r\n\r\nworld\
                    GET /4 HTTP/1.0\r\n\r\n";
    for size in [1, 2, 7, 50, 1000] {
        let mut raw = Raw::connect(address).await;
        raw.stream.set_nodelay(true).unwrap();
        for piece in pipeline.as_bytes().chunks(size) {
            raw.send(piece).await;
            if size < 50 {
                tokio::task::yield_now().await;
            }
        }
        for number in 1..=4 {
            assert_eq!(
                raw.answer().await.unwrap().status,
                200,
                "request {number} in pieces of {size}"
            );
        }
        assert_eq!(raw.remainder().await, "");
    }
    assert_eq!(upstream.requests(), 20);
}

#[tokio::test]
async fn requests_before_a_malformed_one_are_answered_first() {
    let upstream = Upstream::with(|mut peer| async move {
        while peer.read_request().await.is_some() {
            tokio::time::sleep(Duration::from_millis(30)).await;
            peer.say(ok("yes")).await;
        }
    })
    .await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\nHost: a\r\n\r\n").await;
    let mut statuses = Vec::new();
    while let Some(answer) = raw.answer().await {
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 400]);
    assert!(!upstream.seen().contains("/3"));
}
