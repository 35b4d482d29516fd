//! Loopback addresses of services and ports of tasks: which to take. The caller keeps them in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

/// Ports for tasks: below the range that the kernel gives to outgoing connections (32768 and up), so
/// that no connection takes a port between our choice and the task's bind.
const TASK_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The address of `service`: one already kept, else a fresh one in 127.64.0.0/10 that follows from
/// the project and the name, so that two stacks seldom meet. `attempt` moves on when an address
/// turned out to be taken.
pub(crate) fn choose_address(
    project_key: &str,
    service: &str,
    attempt: u32,
    taken: &BTreeSet<Ipv4Addr>,
) -> Ipv4Addr {
    for salt in attempt.. {
        let digest = blake3::hash(format!("{project_key}\n{service}\n{salt}").as_bytes());
        let [a, b, c, ..] = *digest.as_bytes();
        let address = Ipv4Addr::new(127, 64 + a % 64, b, 1 + c % 254);
        if !taken.contains(&address) {
            return address;
        }
    }
    unreachable!("a range of u32 does not end before an address is free")
}

/// A free port on 127.0.0.1 for each container port; `None` when none is left.
pub(crate) fn choose_ports(
    container_ports: &[u16],
    in_use: &BTreeMap<u64, BTreeMap<u16, u16>>,
) -> Option<BTreeMap<u16, u16>> {
    let mut taken: BTreeSet<u16> = in_use
        .values()
        .flat_map(|ports| ports.values().copied())
        .collect();
    let span = TASK_PORTS.end - TASK_PORTS.start;
    let offset = fastrand::u16(..span);
    let mut candidates = (0..span).map(|i| TASK_PORTS.start + (offset + i) % span);
    let mut chosen = BTreeMap::new();
    for port in container_ports {
        let own = candidates.by_ref().find(|own| {
            !taken.contains(own) && TcpListener::bind((Ipv4Addr::LOCALHOST, *own)).is_ok()
        })?;
        taken.insert(own);
        chosen.insert(*port, own);
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_stable_and_private_to_its_name() {
        let none = BTreeSet::new();
        let a = choose_address("demo-1", "redis", 0, &none);
        assert_eq!(a, choose_address("demo-1", "redis", 0, &none));
        assert_ne!(a, choose_address("demo-1", "clock", 0, &none));
        assert_ne!(
            a,
            choose_address("demo-1", "redis", 0, &BTreeSet::from([a]))
        );
        assert!(a.is_loopback() && a.octets()[1] >= 64 && a.octets()[3] != 0);
    }

    #[test]
    fn ports_in_use_are_not_given_again() {
        let first = choose_ports(&[80, 443], &BTreeMap::new()).unwrap();
        assert_eq!(first.len(), 2);
        let second = choose_ports(&[80, 443], &BTreeMap::from([(1, first.clone())])).unwrap();
        assert!(
            second
                .values()
                .all(|port| !first.values().any(|p| p == port))
        );
    }
}
