//! Forwards one TCP connection to a target: the least busy of two, another one when it cannot be reached,
//! then bytes both ways with half-close.

use crate::core::Core;
use crate::route::Listener;
use crate::target::Lease;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// Targets that are tried for one connection.
const MAX_ATTEMPTS: usize = 4;

/// Runs to the end of the connection; with no target to reach it is closed at once.
pub(crate) async fn forward(core: Rc<Core>, mut client: TcpStream, listener: SocketAddr) {
    let Some((mut upstream, lease)) = reach(&core, listener).await else {
        return;
    };
    // An error is either side's reset; both sockets close with it.
    let _ = copy_bidirectional(&mut client, &mut upstream).await;
    drop(upstream);
    drop(lease);
}

async fn reach(core: &Core, listener: SocketAddr) -> Option<(TcpStream, Lease)> {
    let mut tried = Vec::new();
    for _ in 0..MAX_ATTEMPTS {
        // Table, choice and count in one step without await: see `core::Core::swap`.
        let (address, mut lease, timeout) = {
            let table = core.table();
            let Some(Listener::Tcp(backend)) = table.listener(listener) else {
                return None;
            };
            let candidate = core.choose(backend, &tried)?;
            (
                candidate.address,
                Lease::take(&candidate.state),
                backend.timeouts.connect,
            )
        };
        lease.upgrade();
        match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                lease.target().standing.succeeded();
                let _ = stream.set_nodelay(true);
                return Some((stream, lease));
            }
            Ok(Err(_)) | Err(_) => {
                core.target_failed(lease.target());
                tried.push(lease.target().id);
            }
        }
    }
    None
}
