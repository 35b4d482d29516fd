//! Supervisors and gateways come and go; the listening sockets and the table stay.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use cais_gateway::client::GatewayClient;
use cais_gateway::protocol::{FromGateway, ToGateway};
use cais_gateway::run::{GatewayError, GatewayOptions, run};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::*;
use tokio::net::TcpStream;
use tokio::sync::Notify;

#[tokio::test]
async fn without_a_supervisor_the_last_table_is_served_and_records_wait() {
    let upstream = Upstream::answering(ok("x")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    // A supervisor that is killed drops its connection; the next one is another process.
    let (client, heard) = GatewayClient::connect(&gateway.socket).await.unwrap();
    drop((client, heard));
    for _ in 0..10 {
        assert_eq!(Raw::connect(address).await.get("/away").await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    gateway.reconnect().await;
    let FromGateway::Hello {
        table, listening, ..
    } = gateway.hello().await
    else {
        panic!("a hello")
    };
    assert_eq!((table, listening), (1, vec![address]));
    let records = gateway.finished(10).await;
    assert!(records.iter().all(|record| record.path == "/away"));
}

#[tokio::test]
async fn a_new_supervisor_replaces_the_old_one() {
    let mut gateway = Gateway::start().await;
    let (client, mut heard) = GatewayClient::connect(&gateway.socket).await.unwrap();
    client
        .send(ToGateway::Hello { protocol: 1 }, Vec::new())
        .await
        .unwrap();
    assert!(matches!(
        heard.recv().await.unwrap().0,
        FromGateway::Hello { .. }
    ));
    let ended = tokio::time::timeout(PATIENCE, gateway.heard.recv())
        .await
        .unwrap();
    assert!(ended.is_none(), "{ended:?}");
}

#[tokio::test]
async fn frames_that_are_no_protocol_end_the_connection_and_nothing_else() {
    let upstream = Upstream::answering(ok("x")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    for bytes in [
        &b"\0\0\0\x02{}"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\0\x05hello",
        b"\0\0\0\x29{\"type\":\"listen\",\"sockets\":[\"[::1]:80\"]}  ",
    ] {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::UnixStream::connect(&gateway.socket)
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("the connection stays open");
    }
    assert_eq!(Raw::connect(address).await.get("/").await.status, 200);
    gateway.reconnect().await;
    gateway.hello().await;
}

/// Requests on connections of their own, without pause; what failed.
fn knocking(
    address: std::net::SocketAddr,
) -> (
    Arc<AtomicBool>,
    tokio::task::JoinHandle<(usize, Vec<String>)>,
) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let (mut sent, mut failed) = (0, Vec::new());
        while !stopped.load(Ordering::SeqCst) {
            sent += 1;
            let found = match TcpStream::connect(address).await {
                Err(error) => Err(error.to_string()),
                Ok(stream) => {
                    drop(stream);
                    match request(
                        address,
                        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
                    )
                    .await
                    {
                        Some(answer) if answer.status == 200 => Ok(()),
                        other => Err(format!("{other:?}")),
                    }
                }
            };
            failed.extend(found.err());
        }
        (sent, failed)
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_gateway_takes_the_sockets_over_and_refuses_nobody() {
    let upstream = Upstream::answering(ok("x")).await;
    let targets = vec![target(1, upstream.address)];
    let (mut old, address) = Gateway::serving(targets.clone()).await;
    let (stop, load) = knocking(address);
    for _ in 0..5 {
        old.send(ToGateway::HandOver).await;
        let (frame, sockets) = old
            .hear(|frame| matches!(frame, FromGateway::Sockets { .. }))
            .await;
        let FromGateway::Sockets { sockets: addresses } = frame else {
            panic!("sockets")
        };
        assert_eq!(addresses, [address, address]);
        let mut new = Gateway::start().await;
        new.client
            .send(ToGateway::Listen { sockets: addresses }, sockets)
            .await
            .unwrap();
        new.apply(table(address, targets.clone())).await;
        old.shut_down(PATIENCE).await;
        old = new;
    }
    stop.store(true, Ordering::SeqCst);
    let (sent, failed) = load.await.unwrap();
    assert!(
        failed.is_empty(),
        "{} of {sent}: {:?}",
        failed.len(),
        failed[0]
    );
    assert!(sent > 15, "{sent}");
    println!("{sent} connections across 5 gateways, 0 refused");
}

#[tokio::test]
async fn a_socket_that_is_handed_over_again_is_kept_once() {
    let (mut gateway, address) = Gateway::serving(vec![]).await;
    for _ in 0..3 {
        gateway.send(ToGateway::HandOver).await;
        let (frame, sockets) = gateway
            .hear(|frame| matches!(frame, FromGateway::Sockets { .. }))
            .await;
        let FromGateway::Sockets { sockets: addresses } = frame else {
            panic!("sockets")
        };
        assert_eq!(addresses, [address, address]);
        gateway
            .client
            .send(ToGateway::Listen { sockets: addresses }, sockets)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn more_sockets_than_one_frame_carries_travel_in_several() {
    let mut gateway = Gateway::with_cores(3).await;
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..150 {
        let bound = cais_gateway::listen::bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = local_address(&bound[0]);
        addresses.extend([address; 3]);
        sockets.extend(bound);
    }
    gateway
        .client
        .send(
            ToGateway::Listen {
                sockets: addresses.clone(),
            },
            sockets,
        )
        .await
        .unwrap();
    gateway.send(ToGateway::HandOver).await;
    let mut found = Vec::new();
    while found.len() < 450 {
        let (frame, sockets) = gateway
            .hear(|frame| matches!(frame, FromGateway::Sockets { .. }))
            .await;
        let FromGateway::Sockets { sockets: named } = frame else {
            panic!("sockets")
        };
        assert_eq!(named, sockets.iter().map(local_address).collect::<Vec<_>>());
        found.extend(named);
    }
    addresses.sort();
    assert_eq!(found, addresses);
}

#[tokio::test]
async fn an_address_that_is_unlistened_is_refused_and_free_again() {
    let upstream = Upstream::answering(ok("x")).await;
    let (gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut kept = Raw::connect(address).await;
    assert_eq!(kept.get("/").await.status, 200);
    gateway
        .send(ToGateway::Unlisten {
            addresses: vec![address],
        })
        .await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Connections that were there stay.
    assert_eq!(kept.get("/").await.status, 200);
    drop(kept);
    assert_eq!(cais_gateway::listen::bind(address, 2).unwrap().len(), 2);
}

#[tokio::test]
async fn a_connection_that_waits_in_the_queue_survives_the_gateway_if_somebody_has_a_copy() {
    let gateway = Gateway::with_cores(1).await;
    let sockets = cais_gateway::listen::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = local_address(&sockets[0]);
    let copies = vec![sockets[0].try_clone().unwrap()];
    // Queued before anybody accepts.
    let mut waiting = Raw::connect(address).await;
    waiting.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    gateway.shut_down(Duration::ZERO).await;
    drop(sockets);
    let upstream = Upstream::answering(ok("x")).await;
    let mut next = Gateway::with_cores(1).await;
    next.apply(table(address, vec![target(1, upstream.address)]))
        .await;
    next.client
        .send(
            ToGateway::Listen {
                sockets: vec![address],
            },
            copies,
        )
        .await
        .unwrap();
    assert_eq!(waiting.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let upstream = Upstream::with(move |mut peer| {
        let gate = Arc::clone(&gate);
        async move {
            while let Some(request) = peer.read_request().await {
                if request.starts_with("GET /slow") {
                    gate.notified().await;
                }
                peer.say(ok("x")).await;
            }
        }
    })
    .await;
    let (gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let (mut fresh, mut idle, mut busy) = (
        Raw::connect(address).await,
        Raw::connect(address).await,
        Raw::connect(address).await,
    );
    assert_eq!(idle.get("/").await.status, 200);
    busy.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while upstream.requests() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ending = tokio::spawn(gateway.shut_down(PATIENCE));
    assert_eq!(idle.remainder().await, "");
    assert_eq!(fresh.remainder().await, "");
    assert!(!ending.is_finished());
    go.notify_one();
    let answer = busy.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(busy.remainder().await, "");
    ending.await.unwrap();
}

#[tokio::test]
async fn what_is_not_finished_within_the_grace_is_cut() {
    let upstream =
        Upstream::with(|mut peer| async move { while peer.read_request().await.is_some() {} })
            .await;
    let (gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    while upstream.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    gateway.shut_down(Duration::from_millis(50)).await;
    assert!(raw.answer().await.is_none());
}

#[tokio::test]
async fn a_living_gateways_socket_is_left_alone_and_a_dead_ones_is_replaced() {
    let gateway = Gateway::start().await;
    let options = GatewayOptions {
        control_socket: gateway.socket.clone(),
        cores: 1,
    };
    let mode = std::fs::metadata(&gateway.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = options.clone();
    let error = tokio::task::spawn_blocking(|| run(again))
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, GatewayError::AlreadyRunning(_)), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    let options = GatewayOptions {
        control_socket: stale.clone(),
        cores: 1,
    };
    let thread = std::thread::spawn(|| run(options));
    let client = loop {
        match GatewayClient::connect(&stale).await {
            Ok((client, _)) => break client,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    client
        .send(ToGateway::Shutdown { grace_ms: 0 }, Vec::new())
        .await
        .unwrap();
    tokio::task::spawn_blocking(|| thread.join().unwrap().unwrap())
        .await
        .unwrap();
    assert!(!stale.exists());

    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let options = GatewayOptions {
        control_socket: file.clone(),
        cores: 1,
    };
    assert!(matches!(
        run(options).unwrap_err(),
        GatewayError::NotASocket(_)
    ));
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}
