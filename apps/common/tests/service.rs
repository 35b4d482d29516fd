//! A service as its clients and operators see it: the routes, the cache before them, readiness, and a
//! stop that loses nothing.

#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use cais_cache::store::memory::MemoryStore;
use cais_cache::store::redis::RedisStore;
use cais_cache::{Cache, Clock, Mode, RedisOptions, Store};
use common::{Answer, Config, Readiness, Service};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

/// Answers how often it was asked.
fn counting() -> Service {
    let count = Arc::new(AtomicU64::new(0));
    let handler = async move |headers: HeaderMap| {
        let count = count.fetch_add(1, Ordering::SeqCst) + 1;
        Answer::text_or_json(&headers, &count.to_string(), &json!(count))
    };
    Service::new("test", Duration::from_secs(10)).route("/count", "counts", get(handler))
}

/// The service over memory, and the hand on its clock.
fn over_memory() -> (Router, Arc<AtomicU64>, Readiness) {
    let now_ms = Arc::new(AtomicU64::new(1_700_000_000_000));
    let store = Store::Memory(MemoryStore::new(1 << 20));
    let cache = Cache::with_clock(store, Mode::BestEffort, Clock::manual(Arc::clone(&now_ms)));
    let readiness = Readiness::new(cache.clone());
    (
        counting().router(cache, readiness.clone()),
        now_ms,
        readiness,
    )
}

async fn ask(router: &Router, method: &str, path: &str, accept: &str) -> Response<String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("accept", accept);
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Response::from_parts(parts, text)
}

#[tokio::test]
async fn answers_are_cached_for_their_lifetime_and_say_their_age() {
    let (router, now_ms, _) = over_memory();
    let cases = [
        (0, "*/*", "1\n", "-", "cais; fwd=uri-miss; stored"),
        (7_000, "*/*", "1\n", "7", "cais; hit; ttl=3"),
        (
            0,
            "application/json",
            "2\n",
            "-",
            "cais; fwd=vary-miss; stored",
        ),
        (3_000, "*/*", "3\n", "-", "cais; fwd=vary-miss; stored"),
    ];
    for (later_ms, accept, body, age, status) in cases {
        now_ms.fetch_add(later_ms, Ordering::SeqCst);
        let response = ask(&router, "GET", "/count", accept).await;
        let told = response
            .headers()
            .get("age")
            .map_or("-", |age| age.to_str().unwrap());
        assert_eq!((response.body().as_str(), told), (body, age));
        assert_eq!(response.headers()["cache-status"], status);
        assert_eq!(response.headers()["vary"], "Accept");
    }
}

#[tokio::test]
async fn every_path_has_an_answer() {
    let (router, ..) = over_memory();
    let cases = [
        ("GET", "/", StatusCode::OK, "/count  counts\n"),
        ("GET", "/count", StatusCode::OK, "1\n"),
        ("HEAD", "/count", StatusCode::OK, ""),
        (
            "POST",
            "/count",
            StatusCode::METHOD_NOT_ALLOWED,
            "GET and HEAD only",
        ),
        ("GET", "/healthz", StatusCode::OK, "ok\n"),
        ("GET", "/readyz", StatusCode::OK, "ready\n"),
        (
            "GET",
            "/unknown",
            StatusCode::NOT_FOUND,
            "there is nothing at this path",
        ),
    ];
    for (method, path, status, text) in cases {
        let response = ask(&router, method, path, "*/*").await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert!(
            response.body().contains(text),
            "{method} {path}: {}",
            response.body()
        );
        let cached = path == "/count" && method != "POST";
        assert_eq!(
            response.headers().contains_key("cache-status"),
            cached,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn metrics_count_by_route_and_status_and_never_by_path() {
    let (router, ..) = over_memory();
    for path in ["/count", "/count", "/made/up", "/healthz"] {
        ask(&router, "GET", path, "*/*").await;
    }
    let metrics = ask(&router, "GET", "/metrics", "*/*").await.into_body();
    for line in [
        "http_requests_total{route=\"/count\",status=\"200\"} 2",
        "http_requests_total{route=\"unknown\",status=\"404\"} 1",
        "http_request_duration_seconds_count{route=\"/count\"} 2",
        "cache_hits_total 1",
        "cache_misses_total 1",
        "cache_store_up 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    assert!(
        !metrics.contains("made/up") && !metrics.contains("healthz"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_draining_service_is_alive_and_not_ready() {
    let (router, _, readiness) = over_memory();
    readiness.drain();
    assert_eq!(
        ask(&router, "GET", "/healthz", "*/*").await.status(),
        StatusCode::OK
    );
    let ready = ask(&router, "GET", "/readyz", "*/*").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        ready.body(),
        "not ready: draining: this task is about to stop\n"
    );
}

#[tokio::test]
async fn only_where_redis_is_required_does_a_service_without_it_take_no_traffic() {
    // Nothing listens on port 1.
    let options = || RedisOptions::new("redis://127.0.0.1:1").unwrap();
    for (mode, status) in [
        (Mode::Required, StatusCode::SERVICE_UNAVAILABLE),
        (Mode::BestEffort, StatusCode::OK),
    ] {
        let cache = Cache::new(Store::Redis(RedisStore::start(options())), mode);
        tokio::time::timeout(Duration::from_secs(10), cache.health().failing())
            .await
            .unwrap();
        let router = counting().router(cache.clone(), Readiness::new(cache));
        assert_eq!(
            ask(&router, "GET", "/healthz", "*/*").await.status(),
            StatusCode::OK
        );
        let ready = ask(&router, "GET", "/readyz", "*/*").await;
        assert_eq!(ready.status(), status);
        assert_eq!(
            ready.body().contains("cannot be reached"),
            status != StatusCode::OK,
            "{}",
            ready.body()
        );
        assert_eq!(ask(&router, "GET", "/count", "*/*").await.status(), status);
        let metrics = ask(&router, "GET", "/metrics", "*/*").await.into_body();
        assert!(metrics.contains("cache_store_up 0\n"), "{metrics}");
    }
}

#[tokio::test]
async fn a_stop_finishes_what_runs_and_accepts_no_more() {
    let (began, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, gate) = (Arc::clone(&began), Arc::clone(&may_end));
    let handler = async move || {
        inside.notify_one();
        gate.notified().await;
        Answer::text("finished")
    };
    let service =
        Service::new("test", Duration::from_secs(10)).route("/slow", "waits", get(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let config = Config::read(|_| None).unwrap();
    let serving = tokio::spawn(common::serve(service, config, listener, stopped));
    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    began.notified().await;
    stop.send_replace(true);
    // The socket closes while the request still runs.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished());
    may_end.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished\n"),
        "{answer}"
    );
    serving.await.unwrap().unwrap();
}
