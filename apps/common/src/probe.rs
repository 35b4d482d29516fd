//! `--health`: asks the service that runs on this host's port for `/healthz`, so that an image without a
//! shell can check itself.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2);

/// Asks once.
///
/// # Errors
/// What went wrong, as a sentence: no connection, no answer in two seconds, or another answer than 200.
pub(crate) fn ask(listening: SocketAddr) -> Result<(), String> {
    let address = SocketAddr::new(reachable(listening.ip()), listening.port());
    let failed =
        |error: std::io::Error| format!("`http://{address}/healthz` does not answer: {error}");
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut head = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut head).map_err(failed)?;
    if head.ends_with(b" 200") {
        return Ok(());
    }
    Err(format!(
        "`http://{address}/healthz` answers `{}`",
        String::from_utf8_lossy(&head)
    ))
}

/// An address that means "all of this host's" is asked on its loopback.
fn reachable(listening: IpAddr) -> IpAddr {
    match listening {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        named => named,
    }
}
