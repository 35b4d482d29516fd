//! From stack and tasks to what the gateway listens on and where it sends requests. Pure.

use cais_engine::event::{RevisionNumber, TaskId};
use cais_engine::view::Traffic;
use cais_gateway::table::{HttpRoute, Pool, RouteTable, Serves, Target, Timeouts};
use cais_model::name::ServiceName;
use cais_model::stack::{Protocol, Service, Stack, is_http};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

/// Weight of a target that nothing shifts.
const FULL_WEIGHT: u16 = 100;

/// What each address of the stack serves: the routes at `x-cais.listen`, every published port, and
/// every service's own loopback address.
pub(crate) fn listeners(
    stack: &Stack,
    addresses: &BTreeMap<ServiceName, Ipv4Addr>,
    skipped: &BTreeSet<ServiceName>,
) -> BTreeMap<SocketAddr, Serves> {
    let mut all = BTreeMap::new();
    let running = || {
        stack
            .services
            .values()
            .filter(|service| !skipped.contains(&service.name))
    };
    for service in running() {
        if let Some(address) = addresses.get(&service.name) {
            for port in service.container_ports() {
                let serves = Serves::Tcp {
                    service: service.name.clone(),
                    port,
                };
                all.insert(SocketAddr::from((*address, port)), serves);
            }
        }
        for port in service
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Tcp)
        {
            let Some(published) = port.published else {
                continue;
            };
            let target = port.target;
            let serves = if speaks_http(service, port.app_protocol.as_deref()) {
                Serves::Http {
                    routes: vec![HttpRoute {
                        host: None,
                        path: "/".to_owned(),
                        service: service.name.clone(),
                        port: target,
                    }],
                }
            } else {
                Serves::Tcp {
                    service: service.name.clone(),
                    port: target,
                }
            };
            all.insert(SocketAddr::from((port.host, published)), serves);
        }
    }
    let routes: Vec<HttpRoute> = running()
        .flat_map(|service| service.routes.iter().map(move |route| (service, route)))
        .filter_map(|(service, route)| {
            Some(HttpRoute {
                host: route.host.clone(),
                path: route.path.clone(),
                service: service.name.clone(),
                port: *service.container_ports().first()?,
            })
        })
        .collect();
    if !routes.is_empty() {
        all.insert(stack.listen, Serves::Http { routes });
    }
    all
}

/// A published port is proxied as HTTP where the file says so (`app_protocol`, a route, an HTTP health check):
/// then a rollout moves request by request. Anything else is forwarded byte by byte.
fn speaks_http(service: &Service, app_protocol: Option<&str>) -> bool {
    match app_protocol {
        Some(protocol) => is_http(protocol),
        None => !service.routes.is_empty() || service.health.is_some(),
    }
}

/// The table for these listeners and tasks.
pub(crate) fn table(
    version: u64,
    listeners: &BTreeMap<SocketAddr, Serves>,
    traffic: &BTreeMap<ServiceName, Vec<(TaskId, RevisionNumber, Traffic)>>,
    places: &BTreeMap<u64, BTreeMap<u16, SocketAddr>>,
) -> RouteTable {
    let pools = traffic
        .iter()
        .map(|(service, tasks)| {
            let targets = tasks
                .iter()
                .filter_map(|(task, revision, traffic)| {
                    let addresses = places.get(&task.0)?.clone();
                    Some(Target {
                        task: task.0,
                        revision: revision.0,
                        addresses,
                        draining: *traffic == Traffic::Drain,
                        weight: FULL_WEIGHT,
                    })
                })
                .collect();
            (
                service.clone(),
                Pool {
                    targets,
                    timeouts: Timeouts::default(),
                },
            )
        })
        .collect();
    RouteTable {
        version,
        listeners: listeners.clone(),
        pools,
    }
}
