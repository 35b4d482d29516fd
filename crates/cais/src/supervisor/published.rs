//! A number for each published port that the file gives none (`ports: ["80"]`): a free one, which the journal keeps, so that it
//! is the same after the next `up`. Binding it is left to `bind.rs`.

use super::{Supervisor, address, journal_failure};
use crate::exit::{Exit, Failure, Outcome};
use cais_model::stack::{PortMapping, Protocol, Stack};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// The journal's name for the numbers that were given.
const FACT: &str = "published";

/// Numbers by what they were given to: service, address and container port.
type Given = BTreeMap<String, u16>;

/// Where a number that was given before is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// By a gateway that is about to be adopted: it holds whatever happened.
    Holds,
    /// Perhaps by another program meanwhile: then another number is given.
    IfFree,
}

impl Supervisor {
    /// Gives them.
    pub(super) fn give_ports(&self, stack: &mut Stack, kept: Kept) -> Outcome {
        let before = self.given()?;
        let mut given = before.clone();
        let named: Vec<u16> = tcp_ports(stack)
            .filter_map(|(_, port)| port.published)
            .collect();
        for (service, port) in tcp_ports(stack).filter(|(_, port)| port.published.is_none()) {
            let key = format!("{service} {} {}", port.host, port.target);
            let is_good = |own: &u16| kept == Kept::Holds || self.is_ours_or_free(port.host, *own);
            if before
                .get(&key)
                .is_none_or(|own| named.contains(own) || !is_good(own))
            {
                let mut in_use = self.ports.clone();
                let others = given.values().chain(&named).copied();
                in_use.insert(u64::MAX, others.map(|own| (own, own)).collect());
                let chosen = address::choose_ports(&[port.target], &in_use).ok_or_else(|| {
                    Failure::new(
                        Exit::Error,
                        format!(
                            "{}: no port of this machine is free for `{service}`",
                            port.position
                        ),
                    )
                })?;
                given.insert(key, chosen[&port.target]);
            }
        }
        for (name, service) in &mut stack.services {
            let ports = service.ports.iter_mut();
            for port in
                ports.filter(|port| port.published.is_none() && port.protocol == Protocol::Tcp)
            {
                port.published = given
                    .get(&format!("{name} {} {}", port.host, port.target))
                    .copied();
            }
        }
        if given == before {
            return Ok(());
        }
        let text = serde_json::to_string(&given).unwrap_or_default();
        self.journal.set_fact(FACT, &text).map_err(journal_failure)
    }

    fn given(&self) -> Outcome<Given> {
        let text = self.journal.fact(FACT).map_err(journal_failure)?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    fn is_ours_or_free(&self, host: IpAddr, port: u16) -> bool {
        let address = SocketAddr::from((host, port));
        self.listeners.contains_key(&address) || TcpListener::bind(address).is_ok()
    }
}

fn tcp_ports(stack: &Stack) -> impl Iterator<Item = (&str, &PortMapping)> {
    stack.services.iter().flat_map(|(name, service)| {
        let ports = service
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Tcp);
        ports.map(move |port| (name.as_str(), port))
    })
}
