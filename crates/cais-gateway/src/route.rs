//! Compiles a [`RouteTable`] into what a core asks for each request, and finds the route of a request. No I/O, no state.

use crate::balance::{Balancer, Candidate};
use crate::table::{HttpRoute, RouteTable, Serves, Timeouts};
use crate::target::Targets;
use cais_model::name::ServiceName;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// A table, compiled; shared by the cores, never changed.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    pub(crate) version: u64,
    listeners: HashMap<SocketAddr, Listener>,
    /// Ids of the target states that may be picked; connections to others are of no more use.
    pub(crate) serving: HashSet<u64>,
}

/// What an address serves.
#[derive(Debug)]
pub(crate) enum Listener {
    /// Sorted by precision.
    Http(Vec<Route>),
    Tcp(Arc<Backend>),
}

#[derive(Debug)]
pub(crate) struct Route {
    host: Option<String>,
    /// Without its trailing slash: the root is the empty text.
    path: String,
    backend: Arc<Backend>,
}

/// One port of one service.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) service: ServiceName,
    pub(crate) timeouts: Timeouts,
    pub(crate) balancer: Balancer,
}

impl Routing {
    pub(crate) fn compile(table: &RouteTable, targets: &mut Targets, now_ms: u64) -> Self {
        let mut backends: HashMap<(ServiceName, u16), Arc<Backend>> = HashMap::new();
        let mut backend =
            |service: &ServiceName, port: u16| {
                let key = (service.clone(), port);
                Arc::clone(backends.entry(key).or_insert_with(|| {
                    Arc::new(Backend::new(table, service, port, targets, now_ms))
                }))
            };
        let mut listeners = HashMap::new();
        for (address, serves) in &table.listeners {
            let listener = match serves {
                Serves::Tcp { service, port } => Listener::Tcp(backend(service, *port)),
                Serves::Http { routes } => {
                    let mut routes: Vec<_> = routes
                        .iter()
                        .map(|route| Route::new(route, backend(&route.service, route.port)))
                        .collect();
                    // Stable: of two routes that say the same the first wins.
                    routes.sort_by_key(|route| {
                        (route.host.is_none(), std::cmp::Reverse(route.path.len()))
                    });
                    Listener::Http(routes)
                }
            };
            listeners.insert(*address, listener);
        }
        let mut serving = HashSet::new();
        for (service, pool) in &table.pools {
            for target in pool.targets.iter().filter(|target| !target.draining) {
                serving.insert(targets.state(service, target.task, now_ms).id);
            }
        }
        Self {
            version: table.version,
            listeners,
            serving,
        }
    }

    pub(crate) fn listener(&self, address: SocketAddr) -> Option<&Listener> {
        self.listeners.get(&address)
    }
}

impl Backend {
    fn new(
        table: &RouteTable,
        service: &ServiceName,
        port: u16,
        targets: &mut Targets,
        now_ms: u64,
    ) -> Self {
        let pool = table.pools.get(service);
        let serving = pool
            .into_iter()
            .flat_map(|pool| &pool.targets)
            .filter(|target| !target.draining);
        let candidates = serving.filter_map(|target| {
            Some(Candidate {
                address: *target.addresses.get(&port)?,
                state: targets.state(service, target.task, now_ms),
                revision: target.revision,
                weight: target.weight,
            })
        });
        Self {
            service: service.clone(),
            timeouts: pool.map(|pool| pool.timeouts).unwrap_or_default(),
            balancer: Balancer::new(candidates.collect()),
        }
    }
}

impl Route {
    fn new(route: &HttpRoute, backend: Arc<Backend>) -> Self {
        Self {
            host: route.host.as_ref().map(|host| host.to_ascii_lowercase()),
            path: route.path.trim_end_matches('/').to_owned(),
            backend,
        }
    }

    fn takes(&self, host: &str, path: &str) -> bool {
        self.host
            .as_ref()
            .is_none_or(|own| own.eq_ignore_ascii_case(host))
            && path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
                self.path.is_empty() || rest.is_empty() || rest.starts_with('/')
            })
    }
}

/// The backend of the first route, in order of precision, that takes the request. `authority` may have a
/// port and a trailing dot; the path is as it was sent.
pub(crate) fn find<'a>(
    routes: &'a [Route],
    authority: &str,
    path: &str,
) -> Option<&'a Arc<Backend>> {
    let host = host_of(authority);
    routes
        .iter()
        .find(|route| route.takes(host, path))
        .map(|route| &route.backend)
}

/// The host within `host:port`, without the trailing dot of a fully qualified name.
fn host_of(authority: &str) -> &str {
    let host = match authority.rfind(':') {
        // `[::1]` has colons of its own.
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(routes: &[(Option<&str>, &str, &str)], cases: &[(&str, &str, Option<&str>)]) {
        let routes = routes.iter().map(|(host, path, service)| HttpRoute {
            host: host.map(str::to_owned),
            path: (*path).to_owned(),
            service: ServiceName::parse(service).unwrap(),
            port: 80,
        });
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let serves = Serves::Http {
            routes: routes.collect(),
        };
        let table = RouteTable {
            listeners: [(address, serves)].into(),
            ..RouteTable::default()
        };
        let routing = Routing::compile(&table, &mut Targets::default(), 0);
        let Some(Listener::Http(routes)) = routing.listener(address) else {
            panic!("an HTTP listener")
        };
        for (host, path, expected) in cases {
            let found = find(routes, host, path).map(|backend| backend.service.as_str());
            assert_eq!(found, *expected, "{host} {path}");
        }
    }

    #[test]
    fn paths_match_whole_segments_and_the_longest_wins() {
        check(
            &[
                (None, "/clock", "clock"),
                (None, "/clock/time", "time"),
                (None, "/", "home"),
            ],
            &[
                ("a", "/clock", Some("clock")),
                ("a", "/clock/", Some("clock")),
                ("a", "/clock/x", Some("clock")),
                ("a", "/clock/time", Some("time")),
                ("a", "/clock/timely", Some("clock")),
                ("a", "/clockwork", Some("home")),
                ("a", "/Clock", Some("home")),
                ("a", "/cl%6fck", Some("home")),
                ("a", "/", Some("home")),
                ("a", "*", Some("home")),
            ],
        );
        check(
            &[(None, "/clock/", "clock")],
            &[
                ("a", "/clock", Some("clock")),
                ("a", "/", None),
                ("a", "*", None),
            ],
        );
    }

    #[test]
    fn a_host_comes_before_any_host() {
        check(
            &[
                (None, "/deep/path", "any"),
                (Some("example.com"), "/", "named"),
                (Some("[::1]"), "/", "six"),
            ],
            &[
                ("example.com", "/deep/path", Some("named")),
                ("EXAMPLE.com:8080", "/", Some("named")),
                ("example.com.", "/", Some("named")),
                ("example.com.:80", "/", Some("named")),
                ("www.example.com", "/deep/path", Some("any")),
                ("www.example.com", "/", None),
                ("[::1]:8080", "/", Some("six")),
                ("[::1]", "/", Some("six")),
                ("", "/", None),
            ],
        );
    }
}
