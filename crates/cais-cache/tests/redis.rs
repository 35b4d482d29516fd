//! The layer over a real redis-server with a password, started, killed and started again by the test.

#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

mod support;

use cais_cache::store::memory::MemoryStore;
use cais_cache::store::redis::RedisStore;
use cais_cache::{CacheHealth, Mode, RedisOptions, Store};
use http::StatusCode;
use std::time::Duration;
use support::{Bench, PASSWORD, Redis, field, line, request};

/// How long anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(redis: &Redis) -> RedisOptions {
    RedisOptions::new(&redis.url())
        .unwrap()
        .password_file(redis.folder.path().join("password"))
        .ping_interval(Duration::from_millis(50))
        .longest_pause(Duration::from_millis(100))
}

fn bench_over(store: Store, mode: Mode, fields: &'static [(&'static str, &'static str)]) -> Bench {
    Bench::new(store, mode, move |_| {
        fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    })
}

/// A replica of its own: a connection, a counting service.
async fn replica(redis: &Redis, mode: Mode) -> Bench {
    let bench = bench_over(Store::Redis(RedisStore::start(options(redis))), mode, &[]);
    reachable(&bench.cache.health()).await;
    bench
}

async fn reachable(health: &CacheHealth) {
    tokio::time::timeout(PATIENCE, health.reachable())
        .await
        .expect("redis becomes reachable");
}

async fn failing(health: &CacheHealth) -> String {
    tokio::time::timeout(PATIENCE, health.failing())
        .await
        .expect("the failure is noticed");
    health.reason().expect("a failure has its reason")
}

#[tokio::test]
async fn replicas_answer_from_what_the_first_one_stored() {
    let Some(redis) = Redis::start("replicas") else {
        return;
    };
    let (one, two) = (
        replica(&redis, Mode::BestEffort).await,
        replica(&redis, Mode::BestEffort).await,
    );
    assert_eq!(
        line(&one.get("/a").await),
        "1 age=- cais; fwd=uri-miss; stored"
    );
    two.pass_ms(3_000);
    assert_eq!(line(&two.get("/a").await), "1 age=3 cais; hit; ttl=7");
    assert_eq!(two.computed(), 0);
    let left_ms: i64 = redis.cli(&["PTTL", "cais:test:/a"]).parse().unwrap();
    assert!((1..=10_000).contains(&left_ms), "{left_ms} ms left");
}

#[tokio::test]
async fn redis_keeps_an_entry_no_longer_than_it_lives() {
    let Some(redis) = Redis::start("ttl") else {
        return;
    };
    let store = || Store::Redis(RedisStore::start(options(&redis)));
    let bench = bench_over(
        store(),
        Mode::BestEffort,
        &[("cache-control", "s-maxage=90"), ("age", "30")],
    );
    reachable(&bench.cache.health()).await;
    bench.get("/").await;
    let left_ms: i64 = redis.cli(&["PTTL", "cais:test:/"]).parse().unwrap();
    assert!((50_000..=60_000).contains(&left_ms), "{left_ms} ms left");
}

#[tokio::test]
async fn of_two_that_compute_at_once_both_answer_what_was_stored_first() {
    let Some(redis) = Redis::start("first wins") else {
        return;
    };
    for vary in [&[][..], &[("vary", "accept")]] {
        let store = || Store::Redis(RedisStore::start(options(&redis)));
        let (one, two) = (
            bench_over(store(), Mode::BestEffort, vary),
            bench_over(store(), Mode::BestEffort, vary),
        );
        reachable(&one.cache.health()).await;
        reachable(&two.cache.health()).await;
        // So that their own answers differ.
        two.computed.store(100, std::sync::atomic::Ordering::SeqCst);
        let mut adopted = 0;
        for round in 0..20 {
            let path = format!("/{round}{}", vary.len());
            let (first, second) = tokio::join!(one.get(&path), two.get(&path));
            assert_eq!(first.body(), second.body());
            adopted += [first, second]
                .iter()
                .filter(|told| line(told).ends_with("stored-by-another"))
                .count();
        }
        assert!(adopted > 0, "the replicas never met");
    }
}

#[tokio::test]
async fn foreign_and_broken_values_are_a_miss_and_are_replaced() {
    let Some(redis) = Redis::start("foreign") else {
        return;
    };
    let bench = replica(&redis, Mode::BestEffort).await;
    redis.cli(&["SET", "cais:test:/text", "not ours"]);
    redis.cli(&["RPUSH", "cais:test:/list", "not ours"]);
    for (count, path) in [(1, "/text"), (2, "/list")] {
        assert_eq!(
            line(&bench.get(path).await),
            format!("{count} age=- cais; fwd=uri-miss; stored")
        );
        assert_eq!(
            line(&bench.get(path).await),
            format!("{count} age=0 cais; hit; ttl=10")
        );
    }
    assert_eq!(bench.cache.stats().store_errors, 0);
}

#[tokio::test]
async fn best_effort_serves_through_a_kill_and_uses_redis_again() {
    let Some(mut redis) = Redis::start("best effort") else {
        return;
    };
    let bench = replica(&redis, Mode::BestEffort).await;
    assert_eq!(
        line(&bench.get("/").await),
        "1 age=- cais; fwd=uri-miss; stored"
    );
    redis.kill();
    // Whether the loss was noticed already or this request notices it: it is answered.
    for count in 2..=4 {
        let expected = format!("{count} age=- cais; fwd=bypass; detail=store-unreachable");
        assert_eq!(line(&bench.get("/").await), expected);
    }
    let reason = failing(&bench.cache.health()).await;
    assert!(reason.contains("cannot be reached"), "{reason}");
    assert_eq!(bench.cache.stats().bypasses, 3);
    redis.start_again();
    reachable(&bench.cache.health()).await;
    assert_eq!(
        line(&bench.get("/").await),
        "5 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(line(&bench.get("/").await), "5 age=0 cais; hit; ttl=10");
}

#[tokio::test]
async fn required_refuses_through_a_kill_and_serves_again() {
    let Some(mut redis) = Redis::start("required") else {
        return;
    };
    let bench = replica(&redis, Mode::Required).await;
    assert_eq!(bench.get("/").await.status(), StatusCode::OK);
    redis.kill();
    for request in [
        request("GET", "/", &[]),
        request("POST", "/", &[]),
        request("GET", "/other", &[]),
    ] {
        failing(&bench.cache.health()).await;
        let told = bench.ask(request).await;
        assert_eq!(told.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            field(told.headers(), "cache-status"),
            "cais; fwd=bypass; detail=store-unreachable"
        );
        assert_eq!(field(told.headers(), "retry-after"), "1");
        assert!(String::from_utf8_lossy(told.body()).contains("cannot be reached"));
    }
    assert_eq!(bench.computed(), 1);
    redis.start_again();
    reachable(&bench.cache.health()).await;
    assert_eq!(
        line(&bench.get("/").await),
        "2 age=- cais; fwd=uri-miss; stored"
    );
}

#[tokio::test]
async fn a_redis_that_hangs_costs_a_request_its_limit_and_no_more() {
    let Some(redis) = Redis::start("hang") else {
        return;
    };
    let options = options(&redis).operation_limit(Duration::from_millis(500));
    let bench = bench_over(
        Store::Redis(RedisStore::start(options)),
        Mode::BestEffort,
        &[],
    );
    reachable(&bench.cache.health()).await;
    let signal = |name: &str| {
        let status = std::process::Command::new("kill")
            .args([name, &redis.pid().to_string()])
            .status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    let began = std::time::Instant::now();
    let told = bench.get("/").await;
    let took = began.elapsed();
    signal("-CONT");
    assert_eq!(
        line(&told),
        "1 age=- cais; fwd=bypass; detail=store-unreachable"
    );
    // Less than twice the limit: it is paid once.
    assert!(took < Duration::from_millis(990), "{took:?}");
}

#[tokio::test]
async fn a_wrong_and_a_missing_password_are_told_from_a_redis_that_is_away() {
    let Some(redis) = Redis::start("password") else {
        return;
    };
    // It is up, so that what fails below fails for its own reason.
    replica(&redis, Mode::BestEffort).await;
    let wrong = redis.folder.path().join("wrong");
    std::fs::write(&wrong, "guess\n").unwrap();
    let plain = || {
        RedisOptions::new(&redis.url())
            .unwrap()
            .longest_pause(Duration::from_millis(100))
    };
    let cases = [
        (
            plain().password_file(&wrong),
            "refused the password (WRONGPASS)",
        ),
        (
            plain()
                .password_file(redis.folder.path().join("password"))
                .username("nobody"),
            "(WRONGPASS)",
        ),
        (plain(), "asks for a password (NOAUTH) and none was given"),
        (
            plain().password_file(redis.folder.path().join("none")),
            "cannot be read",
        ),
        (
            RedisOptions::new("redis://127.0.0.1:1").unwrap(),
            "cannot be reached: Connection refused",
        ),
    ];
    for (options, expected) in cases {
        let store = RedisStore::start(options);
        let reason = failing(&store.health()).await;
        assert!(reason.contains(expected), "{reason}");
        assert!(
            !reason.contains("guess") && !reason.contains(PASSWORD),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_password_that_is_corrected_is_taken_without_a_restart() {
    let Some(redis) = Redis::start("corrected") else {
        return;
    };
    let file = redis.folder.path().join("late");
    let options = options(&redis).password_file(&file);
    let store = RedisStore::start(options);
    assert!(failing(&store.health()).await.contains("cannot be read"));
    std::fs::write(&file, PASSWORD).unwrap();
    reachable(&store.health()).await;
}

#[tokio::test]
async fn an_acl_user_with_its_own_keys_is_enough_and_one_that_may_not_write_is_reported() {
    let users = "user clock on >tick ~clock:* +get +set +del\nuser reader on >tick ~* +get";
    let Some(redis) = Redis::start_with("acl", users) else {
        return;
    };
    let file = redis.folder.path().join("tick");
    std::fs::write(&file, "tick\n").unwrap();
    let user = |name: &str| {
        let store = RedisStore::start(
            options(&redis)
                .password_file(&file)
                .username(name)
                .prefix("clock:"),
        );
        bench_over(Store::Redis(store), Mode::BestEffort, &[("vary", "accept")])
    };
    let clock = user("clock");
    reachable(&clock.cache.health()).await;
    clock.get("/").await;
    assert_eq!(line(&clock.get("/").await), "1 age=0 cais; hit; ttl=10");
    clock.ask(request("DELETE", "/", &[])).await;
    assert_eq!(clock.cache.stats().store_errors, 0);
    let reason = failing(&user("reader").cache.health()).await;
    assert!(
        reason.contains("refuses to work") && reason.contains("NOPERM"),
        "{reason}"
    );
}

#[tokio::test]
async fn memory_before_redis_answers_by_itself_and_never_past_the_end() {
    let Some(mut redis) = Redis::start("levels") else {
        return;
    };
    let store = Store::Levels {
        front: MemoryStore::new(1 << 20),
        back: RedisStore::start(options(&redis)),
    };
    let two_levels = bench_over(store, Mode::BestEffort, &[]);
    reachable(&two_levels.cache.health()).await;
    let other = replica(&redis, Mode::BestEffort).await;
    other.get("/").await;
    assert_eq!(
        line(&two_levels.get("/").await),
        "1 age=0 cais; hit; ttl=10"
    );
    redis.kill();
    two_levels.pass_ms(9_999);
    assert_eq!(line(&two_levels.get("/").await), "1 age=9 cais; hit; ttl=0");
    two_levels.pass_ms(1);
    assert_eq!(
        line(&two_levels.get("/").await),
        "1 age=- cais; fwd=bypass; detail=store-unreachable"
    );
}

/// A certificate for 127.0.0.1 that vouches for itself, and its key; `None` where openssl is missing.
fn certificate(folder: &std::path::Path) -> Option<(std::path::PathBuf, std::path::PathBuf)> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=redis \
                 -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = std::process::Command::new("openssl")
        .args(words.split_whitespace())
        .args([
            "-out".as_ref(),
            certificate.as_os_str(),
            "-keyout".as_ref(),
            key.as_os_str(),
        ])
        .stderr(std::process::Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        support::skipped("SKIPPED redis over TLS: openssl is not installed");
        return None;
    }
    Some((certificate, key))
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_given_certificates_vouch_for_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let Some((certificate, key)) = certificate(folder.path()) else {
        return;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let tls = format!(
        "tls-port {port}\ntls-cert-file {0}\ntls-key-file {1}\ntls-ca-cert-file {0}\ntls-auth-clients no",
        certificate.display(),
        key.display(),
    );
    let Some(redis) = Redis::start_with("TLS", &tls) else {
        return;
    };
    replica(&redis, Mode::BestEffort).await;
    let options = || {
        RedisOptions::new(&format!("rediss://127.0.0.1:{port}"))
            .unwrap()
            .password_file(redis.folder.path().join("password"))
    };
    let trusted = options().ca_pem(std::fs::read(&certificate).unwrap());
    let bench = bench_over(
        Store::Redis(RedisStore::start(trusted)),
        Mode::Required,
        &[],
    );
    reachable(&bench.cache.health()).await;
    bench.get("/").await;
    assert_eq!(line(&bench.get("/").await), "1 age=0 cais; hit; ttl=10");
    let reason = failing(&RedisStore::start(options()).health()).await;
    assert!(
        reason.contains("cannot be reached") && reason.contains("certificate"),
        "{reason}"
    );
}
