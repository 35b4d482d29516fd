//! Who has a port that could not be bound, as far as `/proc` tells this user. For error messages only.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// Who listens on an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A stack of this user's.
    Stack(String),
    /// Another program.
    Program {
        /// Its short name.
        name: String,
        /// Its process.
        pid: u32,
    },
    /// Somebody whom `/proc` does not show: another user, or not Linux.
    Unknown,
}

/// Finds who listens on `address`.
pub(crate) fn holder(address: SocketAddr) -> Holder {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|table| listening(&table, address))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return Holder::Unknown;
    }
    let mut holders: Vec<(u32, Vec<String>)> = processes()
        .filter(|pid| holds(*pid, &inodes))
        .map(|pid| (pid, words(pid)))
        .collect();
    // A stack's supervisor and gateway both hold its sockets; the supervisor's words name the stack.
    holders.sort_by_key(|(pid, words)| (stack_of(words).is_none(), *pid));
    match holders.first() {
        None => Holder::Unknown,
        Some((pid, words)) => match stack_of(words) {
            Some(stack) => Holder::Stack(stack),
            None => Holder::Program {
                name: fs::read_to_string(format!("/proc/{pid}/comm"))
                    .map_or_else(|_| "a program".to_owned(), |name| name.trim().to_owned()),
                pid: *pid,
            },
        },
    }
}

/// The inodes of sockets in `table` (the form of `/proc/net/tcp`) that listen on `address`, or on its
/// port of every address.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (ip, port) = fields.get(1)?.rsplit_once(':')?;
            let is_ours = u16::from_str_radix(port, 16).ok()? == address.port()
                && *fields.get(3)? == LISTEN
                && (ip.bytes().all(|digit| digit == b'0') || ip == hexadecimal(address.ip()));
            is_ours.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

/// An address as `/proc/net/tcp` writes it: words of 32 bits in the machine's own order.
fn hexadecimal(ip: IpAddr) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    octets
        .chunks_exact(4)
        .map(|word| {
            format!(
                "{:08X}",
                u32::from_ne_bytes([word[0], word[1], word[2], word[3]])
            )
        })
        .collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds(pid: u32, inodes: &[String]) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| {
            target
                .to_str()
                .is_some_and(|target| inodes.iter().any(|i| i == target))
        })
}

fn words(pid: u32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split('\0').map(str::to_owned).collect()
}

/// The project that a supervisor's words name.
fn stack_of(words: &[String]) -> Option<String> {
    match words {
        [program, verb, project, ..] if program == "cais" && verb == "supervise" => {
            Some(project.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let Holder::Program { pid, .. } = holder(address) else {
            panic!("{:?}", holder(address))
        };
        assert_eq!(pid, std::process::id());
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], address.port()));
        assert_eq!(holder(elsewhere), Holder::Unknown);
    }

    #[test]
    fn a_supervisor_names_its_stack() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            stack_of(&words("cais supervise shop")).as_deref(),
            Some("shop")
        );
        assert_eq!(stack_of(&words("cais gateway --socket /x")), None);
        assert_eq!(stack_of(&words("cais")), None);
    }
}
