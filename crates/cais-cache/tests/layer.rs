//! The layer over memory, by a clock that stands still until the test moves it.

mod support;

use bytes::Bytes;
use cais_cache::store::memory::MemoryStore;
use cais_cache::{Mode, Store};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Ask, Bench, field, line, request};
use tokio::sync::{Notify, Semaphore};
use tower::service_fn;

fn memory() -> Store {
    Store::Memory(MemoryStore::new(1 << 20))
}

/// A bench whose service always sends these fields.
fn bench(fields: &'static [(&'static str, &'static str)]) -> Bench {
    Bench::new(memory(), Mode::BestEffort, move |_| {
        fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    })
}

#[tokio::test]
async fn a_hit_says_its_age_until_its_lifetime_ends() {
    let bench = bench(&[]);
    assert_eq!(
        line(&bench.get("/").await),
        "1 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(line(&bench.get("/").await), "1 age=0 cais; hit; ttl=10");
    bench.pass_ms(9_999);
    assert_eq!(line(&bench.get("/").await), "1 age=9 cais; hit; ttl=0");
    bench.pass_ms(1);
    assert_eq!(
        line(&bench.get("/").await),
        "2 age=- cais; fwd=uri-miss; stored"
    );
    let stats = bench.cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 2));
}

#[tokio::test]
async fn a_response_without_a_lifetime_leaves_with_the_default_one() {
    let bench = bench(&[("cache-control", "public")]);
    for _ in 0..2 {
        let told = bench.get("/").await;
        let lines: Vec<_> = told.headers().get_all("cache-control").iter().collect();
        assert_eq!(lines, ["public", "max-age=10"]);
        assert_eq!(
            field(told.headers(), "date"),
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
        bench.pass_ms(5_000);
    }
}

#[tokio::test]
async fn an_age_from_behind_counts() {
    let bench = bench(&[("cache-control", "max-age=60"), ("age", "57")]);
    assert_eq!(
        line(&bench.get("/").await),
        "1 age=57 cais; fwd=uri-miss; stored"
    );
    assert_eq!(line(&bench.get("/").await), "1 age=57 cais; hit; ttl=3");
    bench.pass_ms(3_000);
    assert_eq!(
        line(&bench.get("/").await),
        "2 age=57 cais; fwd=uri-miss; stored"
    );
}

#[tokio::test]
async fn targets_do_not_share_responses() {
    let bench = bench(&[]);
    for (path, host, body) in [
        ("/a", "x", "1"),
        ("/b", "x", "2"),
        ("/a?q", "x", "3"),
        ("/a", "y", "4"),
    ] {
        let told = bench.ask(request("GET", path, &[("host", host)])).await;
        assert_eq!(
            line(&told),
            format!("{body} age=- cais; fwd=uri-miss; stored"),
            "{path} {host}"
        );
    }
}

#[tokio::test]
async fn what_must_not_be_stored_is_computed_every_time() {
    for (fields, detail) in [
        (&[("cache-control", "no-store")][..], "no-store"),
        (&[("cache-control", "private")], "private"),
        (&[("set-cookie", "a=b")], "set-cookie"),
        (&[("vary", "*")], "vary-all"),
        (&[("content-length", "7")], "body"),
    ] {
        let bench = bench(fields);
        for count in 1..=2 {
            let expected = format!("{count} age=- cais; fwd=uri-miss; detail={detail}");
            assert_eq!(line(&bench.get("/").await), expected);
        }
    }
}

#[tokio::test]
async fn the_requests_terms_are_kept() {
    let bench = bench(&[]);
    bench.get("/").await;
    bench.pass_ms(5_000);
    for (terms, expected) in [
        ("max-age=5", "1 age=5 cais; hit; ttl=5"),
        ("only-if-cached", "1 age=5 cais; hit; ttl=5"),
        ("no-store", "2 age=- cais; fwd=request; detail=no-store"),
        ("max-age=4", "3 age=- cais; fwd=request; stored"),
        ("max-age=4", "3 age=0 cais; hit; ttl=10"),
        ("no-cache", "4 age=- cais; fwd=request; stored"),
        ("max-age=9", "4 age=0 cais; hit; ttl=10"),
    ] {
        let told = bench
            .ask(request("GET", "/", &[("cache-control", terms)]))
            .await;
        assert_eq!(line(&told), expected, "{terms}");
    }
    let told = bench
        .ask(request(
            "GET",
            "/other",
            &[("cache-control", "only-if-cached")],
        ))
        .await;
    assert_eq!(told.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(bench.computed(), 4);
}

#[tokio::test]
async fn variants_are_told_apart_and_found_again() {
    let bench = bench(&[("vary", "Accept")]);
    let ask =
        async |accept: &str| line(&bench.ask(request("GET", "/", &[("accept", accept)])).await);
    assert_eq!(
        ask("text/plain").await,
        "1 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(
        ask("application/json").await,
        "2 age=- cais; fwd=vary-miss; stored"
    );
    assert_eq!(ask("text/plain").await, "1 age=0 cais; hit; ttl=10");
    assert_eq!(ask("application/json").await, "2 age=0 cais; hit; ttl=10");
    assert_eq!(
        line(&bench.get("/").await),
        "3 age=- cais; fwd=vary-miss; stored"
    );
    // The list of variants outlives the first of them, so that the second can still be found.
    bench.pass_ms(6_000);
    assert_eq!(
        ask("image/png").await,
        "4 age=- cais; fwd=vary-miss; stored"
    );
    bench.pass_ms(9_000);
    assert_eq!(ask("image/png").await, "4 age=9 cais; hit; ttl=1");
    assert_eq!(
        ask("text/plain").await,
        "5 age=- cais; fwd=vary-miss; stored"
    );
}

#[tokio::test]
async fn an_authorized_request_shares_only_what_says_so() {
    let secret = request("GET", "/", &[("authorization", "Bearer x")]);
    let closed = bench(&[]);
    assert_eq!(
        line(&closed.ask(secret.clone()).await),
        "1 age=- cais; fwd=uri-miss; detail=authorization"
    );
    assert_eq!(
        line(&closed.get("/").await),
        "2 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(
        line(&closed.ask(secret.clone()).await),
        "3 age=- cais; fwd=bypass; detail=authorization"
    );
    let open = bench(&[("cache-control", "public")]);
    assert_eq!(
        line(&open.ask(secret.clone()).await),
        "1 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(line(&open.ask(secret).await), "1 age=0 cais; hit; ttl=10");
}

#[tokio::test]
async fn a_head_is_answered_from_a_stored_get_and_stores_nothing() {
    let bench = bench(&[]);
    let head = || request("HEAD", "/", &[]);
    let told = bench.ask(head()).await;
    assert_eq!(
        field(told.headers(), "cache-status"),
        "cais; fwd=uri-miss; detail=head"
    );
    assert_eq!(
        line(&bench.get("/").await),
        "2 age=- cais; fwd=uri-miss; stored"
    );
    let told = bench.ask(head()).await;
    assert_eq!(line(&told), " age=0 cais; hit; ttl=10");
    assert_eq!(field(told.headers(), "content-length"), "1");
}

#[tokio::test]
async fn a_change_that_succeeds_makes_what_is_stored_void() {
    let bench = bench(&[("vary", "accept")]);
    bench.get("/").await;
    let told = bench.ask(request("POST", "/", &[])).await;
    assert_eq!(line(&told), "2 age=- cais; fwd=method");
    // The variant itself is still there; a stale one must not win against the new response.
    assert_eq!(
        line(&bench.get("/").await),
        "3 age=- cais; fwd=uri-miss; stored"
    );
    assert_eq!(line(&bench.get("/").await), "3 age=0 cais; hit; ttl=10");
    bench.ask(request("OPTIONS", "/", &[])).await;
    assert_eq!(line(&bench.get("/").await), "3 age=0 cais; hit; ttl=10");
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_one_computation() {
    let bench = Arc::new(bench(&[("vary", "accept")]));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let bench = Arc::clone(&bench);
        asking.spawn(async move { line(&bench.get("/").await) });
    }
    let told = asking.join_all().await;
    assert_eq!(bench.computed(), 1);
    let stored = told.iter().filter(|line| line.ends_with("stored")).count();
    let collapsed = told
        .iter()
        .filter(|line| *line == "1 age=0 cais; fwd=uri-miss; collapsed")
        .count();
    assert_eq!((stored, collapsed), (1, 99));
    assert_eq!(bench.cache.stats().collapsed, 99);
}

#[tokio::test]
async fn who_waits_for_another_variant_computes_its_own() {
    let bench = Arc::new(bench(&[("vary", "accept")]));
    let mut asking = tokio::task::JoinSet::new();
    for count in 0..40 {
        let bench = Arc::clone(&bench);
        let accept = ["a", "b", "c", "d"][count % 4];
        asking.spawn(async move {
            (
                accept,
                bench
                    .ask(request("GET", "/", &[("accept", accept)]))
                    .await
                    .into_body(),
            )
        });
    }
    let told: std::collections::HashSet<_> = asking.join_all().await.into_iter().collect();
    assert_eq!((bench.computed(), told.len()), (4, 4));
}

#[tokio::test]
async fn what_cannot_be_shared_is_computed_by_all_at_once() {
    let computed = Arc::new(AtomicU64::new(0));
    let (first, others) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (count, first_door, others_door) = (
        Arc::clone(&computed),
        Arc::clone(&first),
        Arc::clone(&others),
    );
    let inner = service_fn(move |_: Ask| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let door = Arc::clone(if is_first { &first_door } else { &others_door });
        async move {
            drop(door.acquire().await);
            let response = Response::builder().header("cache-control", "no-store");
            Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
        }
    });
    let bench = Arc::new(Bench::over(
        memory(),
        Mode::BestEffort,
        Arc::clone(&computed),
        inner,
    ));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let bench = Arc::clone(&bench);
        asking.spawn(async move { bench.get("/").await.status() });
    }
    settle().await;
    assert_eq!(bench.computed(), 1);
    first.add_permits(1);
    settle().await;
    // The nine who waited are inside together: none of them has ended.
    assert_eq!(bench.computed(), 10);
    others.add_permits(1);
    assert_eq!(asking.join_all().await.len(), 10);
}

/// Lets every task of this thread go on until all of them wait for the test.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// A service whose first computation begins, tells so, and never ends.
fn stuck_at_first(began: &Arc<Notify>) -> Bench {
    let computed = Arc::new(AtomicU64::new(0));
    let (count, began) = (Arc::clone(&computed), Arc::clone(began));
    let inner = service_fn(move |_: Ask| {
        let (count, began) = (Arc::clone(&count), Arc::clone(&began));
        async move {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                began.notify_one();
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("done"))))
        }
    });
    Bench::over(memory(), Mode::BestEffort, computed, inner)
}

#[tokio::test]
async fn a_cancelled_computation_lets_the_next_one_go() {
    let began = Arc::new(Notify::new());
    let bench = Arc::new(stuck_at_first(&began));
    let first = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.get("/").await }
    });
    began.notified().await;
    let second = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { line(&bench.get("/").await) }
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    first.abort();
    assert_eq!(
        second.await.unwrap(),
        "done age=- cais; fwd=uri-miss; stored"
    );
}

#[tokio::test]
async fn a_panic_lets_the_next_one_go() {
    let computed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&computed);
    let inner = service_fn(move |_: Ask| {
        let count = Arc::clone(&count);
        async move {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            tokio::task::yield_now().await;
            assert!(!first, "the first computation panics");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("done"))))
        }
    });
    let bench = Arc::new(Bench::over(memory(), Mode::BestEffort, computed, inner));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let bench = Arc::clone(&bench);
        asking.spawn(async move { bench.get("/").await.into_body() });
    }
    let mut told = Vec::new();
    while let Some(joined) = asking.join_next().await {
        told.extend(joined.ok());
    }
    assert_eq!(told, vec![Bytes::from("done"); 4]);
}

#[tokio::test]
async fn a_large_body_is_streamed_and_not_stored() {
    // Two pieces of 600 bytes pass the limit of 1,000; the third comes when the test has read those.
    let gate = Arc::new(Semaphore::new(2));
    let door = Arc::clone(&gate);
    let inner = service_fn(move |_: Ask| {
        let door = Arc::clone(&door);
        async move {
            let pieces = futures_util::stream::unfold(0, move |count| {
                let door = Arc::clone(&door);
                async move {
                    door.acquire().await.unwrap().forget();
                    let frame = Frame::data(Bytes::from(vec![b'0' + count; 600]));
                    (count < 3).then_some((Ok::<_, Infallible>(frame), count + 1))
                }
            });
            Ok::<_, Infallible>(Response::new(StreamBody::new(Box::pin(pieces))))
        }
    });
    let bench = Bench::over(memory(), Mode::BestEffort, Arc::default(), inner);
    let mut response = bench.raw(request("GET", "/", &[])).await;
    assert_eq!(
        field(response.headers(), "cache-status"),
        "cais; fwd=uri-miss; detail=body"
    );
    let body = response.body_mut();
    for expected in [b'0', b'1'] {
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, vec![expected; 600]);
    }
    gate.add_permits(2);
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        vec![b'2'; 600]
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn fields_of_one_connection_are_not_kept() {
    let bench = bench(&[
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("x-kept", "1"),
        ("cache-status", "behind; hit"),
    ]);
    let told = bench.get("/").await;
    let statuses: Vec<_> = told.headers().get_all("cache-status").iter().collect();
    assert_eq!(statuses, ["behind; hit", "cais; fwd=uri-miss; stored"]);
    let told = bench.get("/").await;
    let mut names: Vec<_> = told
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "age",
            "cache-control",
            "cache-status",
            "content-length",
            "date",
            "x-kept"
        ]
    );
}

/// What one step of the property below does.
#[derive(Debug, Clone)]
enum Step {
    Ask {
        path: u8,
        accept: u8,
        terms: &'static str,
    },
    Change {
        path: u8,
    },
    Pass {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let terms = prop_oneof![4 => Just(""), 1 => Just("no-cache"), 1 => Just("max-age=2"), 1 => Just("min-fresh=3")];
    prop_oneof![
        6 => (0..2_u8, 0..2_u8, terms).prop_map(|(path, accept, terms)| Step::Ask { path, accept, terms }),
        1 => (0..2_u8).prop_map(|path| Step::Change { path }),
        3 => (0..6_000_u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The service answers the time; whatever is asked in whatever order, what is told is younger than
    /// its lifetime, is as old as `Age` says, and was told for this path and these fields.
    #[test]
    fn nothing_is_served_past_its_end(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let hand = Arc::new(AtomicU64::new(0));
            let time = Arc::clone(&hand);
            let inner = service_fn(move |request: Ask| {
                let body = format!("{} {} {}", time.load(Ordering::SeqCst), request.uri(), accept(&request));
                async move {
                    let response = Response::builder().header("vary", "accept").header("cache-control", "max-age=5");
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                }
            });
            let bench = Bench::over(memory(), Mode::BestEffort, Arc::default(), inner);
            let mut changed = [0_u64; 2];
            for step in steps {
                let now = bench.now_ms.load(Ordering::SeqCst);
                hand.store(now, Ordering::SeqCst);
                match step {
                    Step::Pass { ms } => bench.pass_ms(ms),
                    Step::Change { path } => {
                        bench.ask(request("PUT", &format!("/{path}"), &[])).await;
                        changed[usize::from(path)] = now;
                    }
                    Step::Ask { path, accept, terms } => {
                        let (uri, accept) = (format!("/{path}"), accept.to_string());
                        let fields = [("accept", accept.as_str()), ("cache-control", terms)];
                        let told = bench.ask(request("GET", &uri, &fields)).await;
                        let body = String::from_utf8(told.body().to_vec()).unwrap();
                        let (generated, rest) = body.split_once(' ').unwrap();
                        let generated: u64 = generated.parse().unwrap();
                        let age_ms = now - generated;
                        assert_eq!(rest, format!("{uri} {accept}"));
                        assert!(age_ms < 5_000, "{age_ms} ms old");
                        assert!(generated >= changed[usize::from(path)], "older than a change");
                        let stated = field(told.headers(), "age");
                        assert_eq!(stated.parse().unwrap_or(0), age_ms / 1000);
                        match terms {
                            "no-cache" => assert_eq!(age_ms, 0),
                            "max-age=2" => assert!(age_ms < 3_000),
                            "min-fresh=3" => assert!(age_ms <= 2_000),
                            _ => {}
                        }
                    }
                }
            }
        });
    }
}

fn accept(request: &Ask) -> String {
    field(request.headers(), "accept").to_owned()
}
