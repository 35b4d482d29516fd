//! Small tables.

use cais_gateway::table::{HttpRoute, Pool, RouteTable, Serves, Target, Timeouts};
use cais_model::name::ServiceName;
use std::net::SocketAddr;

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(crate) fn target(task: u64, address: SocketAddr) -> Target {
    Target {
        task,
        revision: 1,
        addresses: [(80, address)].into(),
        draining: false,
        weight: 100,
    }
}

pub(crate) fn draining(mut target: Target) -> Target {
    target.draining = true;
    target
}

pub(crate) fn route(host: Option<&str>, path: &str, name: &str) -> HttpRoute {
    HttpRoute {
        host: host.map(str::to_owned),
        path: path.to_owned(),
        service: service(name),
        port: 80,
    }
}

/// `/` to the service `web` with these targets.
pub(crate) fn table(address: SocketAddr, targets: Vec<Target>) -> RouteTable {
    table_with(address, targets, Timeouts::default())
}

pub(crate) fn table_with(
    address: SocketAddr,
    targets: Vec<Target>,
    timeouts: Timeouts,
) -> RouteTable {
    RouteTable {
        version: 0,
        listeners: [(
            address,
            Serves::Http {
                routes: vec![route(None, "/", "web")],
            },
        )]
        .into(),
        pools: [(service("web"), Pool { targets, timeouts })].into(),
    }
}

pub(crate) fn tcp_table(address: SocketAddr, targets: Vec<Target>) -> RouteTable {
    RouteTable {
        version: 0,
        listeners: [(
            address,
            Serves::Tcp {
                service: service("web"),
                port: 80,
            },
        )]
        .into(),
        pools: [(
            service("web"),
            Pool {
                targets,
                timeouts: Timeouts::default(),
            },
        )]
        .into(),
    }
}
