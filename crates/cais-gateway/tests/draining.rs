//! A target out of the table gets nothing more, and its zero is final.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use cais_gateway::protocol::FromGateway;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::*;
use tokio::sync::Notify;

#[tokio::test]
async fn a_draining_target_is_not_picked_and_its_count_is_reported_down_to_zero() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let old = Upstream::with(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            while peer.read_request().await.is_some() {
                gate.notified().await;
                peer.say(ok("old")).await;
            }
        }
    })
    .await;
    let new = Upstream::answering(ok("new")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, old.address)]).await;

    let waiting = tokio::spawn(async move { Raw::connect(address).await.get("/").await });
    while old.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    gateway
        .apply(table(
            address,
            vec![draining(target(1, old.address)), target(2, new.address)],
        ))
        .await;
    gateway.hear_in_flight(1, 1, 0).await;
    for _ in 0..20 {
        assert_eq!(Raw::connect(address).await.get("/").await.text(), "new");
    }
    go.notify_one();
    assert_eq!(waiting.await.unwrap().text(), "old");
    gateway.hear_in_flight(1, 0, 0).await;
    assert_eq!(old.requests(), 1);
}

#[tokio::test]
async fn an_idle_draining_target_is_reported_right_after_the_table() {
    let upstream = Upstream::answering(ok("x")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    assert_eq!(Raw::connect(address).await.get("/").await.status, 200);
    gateway
        .apply(table(address, vec![draining(target(1, upstream.address))]))
        .await;
    let (frame, _) = gateway
        .hear(|frame| !matches!(frame, FromGateway::Records { .. }))
        .await;
    assert_eq!(
        frame,
        FromGateway::InFlight {
            task: 1,
            requests: 0,
            upgraded: 0
        }
    );
    // A new supervisor has not heard it yet.
    gateway.reconnect().await;
    gateway.in_flight.clear();
    gateway.hello().await;
    gateway.hear_in_flight(1, 0, 0).await;
}

#[tokio::test]
async fn idle_connections_to_a_target_are_closed_when_it_drains() {
    let closed = Arc::new(Notify::new());
    let tell = Arc::clone(&closed);
    let upstream = Upstream::with(move |mut peer| {
        let tell = Arc::clone(&tell);
        async move {
            while peer.read_request().await.is_some() {
                peer.say(ok("x")).await;
            }
            tell.notify_one();
        }
    })
    .await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    assert_eq!(Raw::connect(address).await.get("/").await.status, 200);
    gateway
        .apply(table(address, vec![draining(target(1, upstream.address))]))
        .await;
    tokio::time::timeout(PATIENCE, closed.notified())
        .await
        .expect("the connection is still open");
}

/// Load on all cores, POST and GET, while tables replace one target by another 200 times, each old one
/// being killed at the very moment its zero is heard. Nothing may fail: not one request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_replacements_under_load_lose_nothing() {
    let mut task = 1;
    let mut current = Upstream::answering(ok("x")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(task, current.address)]).await;

    let stop = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..8)
        .map(|client| {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut raw = Raw::connect(address).await;
                let mut failed = Vec::new();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    if number % 50 == 0 {
                        raw = Raw::connect(address).await;
                    }
                    if (client + number) % 2 == 0 {
                        raw.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody")
                            .await;
                    } else {
                        raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
                    }
                    match raw.answer().await {
                        Some(answer) if answer.status == 200 => {}
                        answer => failed.push(format!("{answer:?}")),
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();

    for _ in 0..200 {
        let next = Upstream::answering(ok("x")).await;
        let (old, new) = (
            target(task, current.address),
            target(task + 1, next.address),
        );
        gateway
            .apply(table(address, vec![draining(old), new]))
            .await;
        gateway.hear_in_flight(task, 0, 0).await;
        // Every connection resets from here on.
        drop(std::mem::replace(&mut current, next));
        task += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let mut failed = Vec::new();
    for client in load {
        failed.extend(client.await.unwrap());
    }
    let sent = sent.load(Ordering::Relaxed);
    assert!(
        failed.is_empty(),
        "{} of {sent} failed: {:?}",
        failed.len(),
        &failed[..failed.len().min(3)]
    );
    assert!(sent > 1000, "{sent} requests are too few to prove anything");
    println!("{sent} requests across 200 replacements, 0 failed");
}
