//! The addresses of a stack: one for each service, kept for ever, and a socket bound on each that is listened on; who has
//! one that is taken. Which address is tried is left to `address.rs`.

use super::gateway::Taken;
use super::holder::{Holder, holder};
use super::resolve::{self, Surroundings};
use super::{Supervisor, address, definition, journal_failure, table};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::Runtime;
use crate::runtime::docker::files;
use cais_gateway::listen::BindError;
use cais_gateway::table::Serves;
use cais_model::name::ServiceName;
use cais_model::stack::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Attempts to find a loopback address whose ports are free.
const ADDRESS_ATTEMPTS: u32 = 20;

impl Supervisor {
    /// Services' addresses and mounts, with an address for each that has none yet.
    pub(super) fn surroundings(
        &self,
        stack: &Stack,
        skipped: &BTreeSet<ServiceName>,
    ) -> Outcome<Surroundings> {
        if self.runtime == Runtime::Docker {
            // Containers find each other by the engine's own names.
            return Ok(Surroundings {
                addresses: BTreeMap::new(),
                skipped: skipped.clone(),
                mounts: files::all_places(&self.paths.container_files(), stack),
            });
        }
        let mut kept = self.journal.addresses().map_err(journal_failure)?;
        for service in stack
            .services
            .keys()
            .filter(|service| !kept.contains_key(service.as_str()))
            .collect::<Vec<_>>()
        {
            let taken = kept.values().copied().collect();
            let address = address::choose_address(&self.project_key(), service.as_str(), 0, &taken);
            self.journal
                .keep_address(service.as_str(), address)
                .map_err(journal_failure)?;
            kept.insert(service.to_string(), address);
        }
        Ok(Surroundings {
            addresses: definition::named_addresses(stack, &kept),
            skipped: skipped.clone(),
            mounts: resolve::mounts(stack, &self.paths.mounts()),
        })
    }

    fn project_key(&self) -> String {
        self.paths.state.display().to_string()
    }

    /// Binds every address that the stack listens on. A service's own loopback address moves on when
    /// another stack already uses it; an address that the file names does not.
    pub(super) fn bind(
        &mut self,
        stack: &Stack,
        around: &mut Surroundings,
    ) -> Outcome<BTreeMap<SocketAddr, Serves>> {
        for attempt in 1..=ADDRESS_ATTEMPTS {
            let listeners = table::listeners(stack, &around.addresses, &around.skipped);
            let wanted: BTreeSet<SocketAddr> = listeners.keys().copied().collect();
            let Err(taken) = self.gateway.bind(&wanted) else {
                return Ok(listeners);
            };
            let own = around
                .addresses
                .iter()
                .find(|(_, address)| taken.address.ip() == **address);
            match own.map(|(service, _)| service.clone()) {
                Some(service)
                    if matches!(taken.error, BindError::AddrInUse { .. })
                        && attempt < ADDRESS_ATTEMPTS =>
                {
                    let used = around.addresses.values().copied().collect();
                    let next = address::choose_address(
                        &self.project_key(),
                        service.as_str(),
                        attempt,
                        &used,
                    );
                    self.journal
                        .keep_address(service.as_str(), next)
                        .map_err(journal_failure)?;
                    around.addresses.insert(service, next);
                }
                _ => return Err(bind_failure(stack, &taken)),
            }
        }
        unreachable!("the last attempt returns")
    }
}

fn bind_failure(stack: &Stack, taken: &Taken) -> Failure {
    let address = taken.address;
    let owner = stack.services.values().find_map(|service| {
        let port = service
            .ports
            .iter()
            .find(|p| p.host == address.ip() && p.published == Some(address.port()))?;
        Some((service, port))
    });
    let at = owner.map_or_else(String::new, |(_, port)| format!("{}: ", port.position));
    let what = match owner {
        Some((service, _)) => format!("the published port of `{}`", service.name),
        None if stack.listen == address => "the gateway's address (x-cais.listen)".to_owned(),
        None => "a service's own loopback address".to_owned(),
    };
    match &taken.error {
        BindError::AddrInUse { .. } => {
            let (who, help) = match holder(address) {
                Holder::Stack(stack) => (
                    format!("the stack `{stack}`"),
                    "stop it with `cais down` in its folder, or choose another port".to_owned(),
                ),
                Holder::Program { name, pid } => (
                    format!("`{name}` (pid {pid})"),
                    "stop it, or choose another port".to_owned(),
                ),
                Holder::Unknown => (
                    "another program".to_owned(),
                    format!(
                        "see who has it: `sudo ss -ltnp 'sport = :{}'`; or choose another port",
                        address.port()
                    ),
                ),
            };
            Failure::new(Exit::Error, format!("{at}`{address}`, {what}, is taken by {who}")).help(help)
        }
        BindError::PermissionDenied { .. } => {
            Failure::new(Exit::Error, format!("{at}`{address}`, {what}: ports below 1024 are the administrator's"))
                .help("choose a port from 1024 up, or type `sudo sysctl net.ipv4.ip_unprivileged_port_start=0`")
        }
        error => Failure::new(Exit::Error, format!("{at}cannot listen on `{address}`, {what}: {error}"))
            .help("on macOS each loopback alias must be made first: `sudo ifconfig lo0 alias ADDRESS`"),
    }
}
