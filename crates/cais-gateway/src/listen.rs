//! Binds listening sockets for the supervisor: one for each core, on one address; the gateway itself never binds.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Connections that may wait for `accept`; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, or another stack of the same user, listens there.
    #[error("`{0}` is in use")]
    AddrInUse(SocketAddr),
    /// A port below 1024 without the right to it.
    #[error("no permission to listen on `{0}`")]
    PermissionDenied(SocketAddr),
    /// The address is not one of this machine's.
    #[error("`{0}` is not an address of this machine")]
    AddrNotAvailable(SocketAddr),
    /// Anything else.
    #[error("cannot listen on `{address}`")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddrInUse(address),
            io::ErrorKind::PermissionDenied => Self::PermissionDenied(address),
            io::ErrorKind::AddrNotAvailable => Self::AddrNotAvailable(address),
            _ => Self::Other { address, source },
        }
    }
}

/// Binds `cores` listeners (at least one) that share `address`; port 0 gives all of them the same free port.
///
/// # Errors
/// When the address is in use (by this user's other stacks too), not permitted or not of this machine.
pub fn bind(address: SocketAddr, cores: usize) -> Result<Vec<OwnedFd>, BindError> {
    let fail = |source| BindError::new(address, source);
    // With SO_REUSEPORT alone a second stack of the same user would bind happily and take half of the
    // connections. A socket without it is refused by any listener there, so it goes first, and goes away.
    let probe = socket(address, Reuse::Address).map_err(fail)?;
    let chosen = probe
        .local_addr()
        .map_err(fail)?
        .as_socket()
        .unwrap_or(address);
    drop(probe);
    (0..cores.max(1))
        .map(|_| socket(chosen, Reuse::Port).map(OwnedFd::from).map_err(fail))
        .collect()
}

#[derive(PartialEq)]
enum Reuse {
    Address,
    Port,
}

fn socket(address: SocketAddr, reuse: Reuse) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse == Reuse::Port)?;
    if address.is_ipv6() {
        // `[::]:80` beside `0.0.0.0:80` are two addresses, as Compose has them.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn local(fd: OwnedFd) -> SocketAddr {
        TcpListener::from(fd).local_addr().unwrap()
    }

    #[test]
    fn port_zero_is_one_port_for_all_cores() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let addresses: Vec<_> = sockets.into_iter().map(local).collect();
        assert_eq!(addresses.len(), 3);
        assert_ne!(addresses[0].port(), 0);
        assert!(addresses.iter().all(|address| *address == addresses[0]));
    }

    #[test]
    fn a_second_stack_on_the_same_address_is_refused() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = TcpListener::from(first[0].try_clone().unwrap())
            .local_addr()
            .unwrap();
        let error = bind(address, 2).unwrap_err();
        assert!(
            matches!(error, BindError::AddrInUse(found) if found == address),
            "{error}"
        );
        drop(first);
        assert_eq!(bind(address, 2).unwrap().len(), 2);
    }

    #[test]
    fn a_foreign_address_is_named_in_the_error() {
        let error = bind("192.0.2.1:80".parse().unwrap(), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`192.0.2.1:80` is not an address of this machine"
        );
    }
}
