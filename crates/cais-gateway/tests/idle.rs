//! Connections that wait cost little. The full size (10,000) is `examples/idle_connections.rs`.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::*;
use tokio::net::TcpStream;

/// The process's resident memory, both ends of all connections and this test included.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kilobytes.unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn a_thousand_idle_connections_take_less_than_40_kib_each_and_are_served() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < 3_000) {
        println!(
            "skipped: no more than {:?} descriptors may be open",
            limit.maximum
        );
        return;
    }
    let upstream = Upstream::answering(ok("x")).await;
    let (_gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    assert_eq!(Raw::connect(address).await.get("/").await.status, 200);

    let before = resident_bytes();
    let mut fresh = Vec::new();
    for _ in 0..1_000 {
        fresh.push(TcpStream::connect(address).await.unwrap());
    }
    // The last has been accepted, on each core, when it answers.
    for _ in 0..4 {
        assert_eq!(Raw::connect(address).await.get("/").await.status, 200);
    }
    let each = resident_bytes().saturating_sub(before) / 1_000;
    println!("{each} bytes for a connection that has sent nothing");
    assert!(each < 10 * 1024, "{each}");
    drop(fresh);

    let mut kept = Vec::new();
    for _ in 0..1_000 {
        let mut raw = Raw::connect(address).await;
        assert_eq!(raw.get("/").await.status, 200);
        kept.push(raw);
    }
    let each = resident_bytes().saturating_sub(before) / 1_000;
    println!("{each} bytes for a connection that waits for its next request");
    assert!(each < 40 * 1024, "{each}");
    for raw in kept.iter_mut().step_by(100) {
        assert_eq!(raw.get("/").await.status, 200);
    }
}
