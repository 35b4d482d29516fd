//! SIGTERM ends a gateway as Shutdown does. Alone in its file: the signal goes to the whole process.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod support;

use support::*;

#[tokio::test]
async fn sigterm_finishes_and_exits() {
    let upstream = Upstream::answering(ok("x")).await;
    let (mut gateway, address) = Gateway::serving(vec![target(1, upstream.address)]).await;
    let mut raw = Raw::connect(address).await;
    assert_eq!(raw.get("/").await.status, 200);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(raw.remainder().await, "");
    gateway.join().await;
    // What had finished was told before the end.
    assert_eq!(gateway.finished(1).await[0].status, 200);
}
