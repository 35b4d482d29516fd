//! TCP forwards: bytes both ways, each side ending by itself, counted as upgraded.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use std::sync::atomic::Ordering;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads to the end, then answers with what it read: needs half-close to work.
async fn reverse_server() -> Upstream {
    Upstream::with(|mut peer| async move {
        while peer.fill().await.is_some() {}
        let mut bytes = peer.take_rest();
        bytes.reverse();
        peer.say(bytes).await;
    })
    .await
}

async fn forwarding(targets: Vec<cais_gateway::table::Target>) -> (Gateway, std::net::SocketAddr) {
    let mut gateway = Gateway::start().await;
    let address = gateway.listen().await;
    gateway.apply(tcp_table(address, targets)).await;
    (gateway, address)
}

async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn bytes_pass_and_each_side_ends_by_itself() {
    let upstream = reverse_server().await;
    let (_gateway, address) = forwarding(vec![target(1, upstream.address)]).await;
    assert_eq!(
        exchange(address, b"PRI * HTTP/2.0").await,
        b"0.2/PTTH * IRP"
    );
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let mut expected = large.clone();
    expected.reverse();
    assert_eq!(exchange(address, &large).await, expected);
}

#[tokio::test]
async fn an_unreachable_target_is_passed_over_and_none_closes_at_once() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let upstream = reverse_server().await;
    let (mut gateway, address) =
        forwarding(vec![target(1, nobody), target(2, upstream.address)]).await;
    for _ in 0..20 {
        assert_eq!(exchange(address, b"ab").await, b"ba");
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 20);
    gateway.apply(tcp_table(address, vec![])).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_draining_target_keeps_its_connections() {
    let (old, new) = (reverse_server().await, reverse_server().await);
    let (mut gateway, address) = forwarding(vec![target(1, old.address)]).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"a").await.unwrap();
    while old.seen().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    gateway
        .apply(tcp_table(
            address,
            vec![draining(target(1, old.address)), target(2, new.address)],
        ))
        .await;
    gateway.hear_in_flight(1, 1, 1).await;
    assert_eq!(exchange(address, b"xy").await, b"yx");
    assert_eq!(new.seen(), "xy");
    stream.write_all(b"b").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"ba");
    gateway.hear_in_flight(1, 0, 0).await;
}
