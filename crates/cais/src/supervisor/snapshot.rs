//! What `ps`, `status` and the dashboard read: the engine's views with where everything is reached.

use super::{Supervisor, clock};
use crate::control::{Endpoints, Snapshot, TaskEndpoint};
use cais_gateway::table::Serves;
use cais_model::name::ServiceName;
use std::collections::BTreeMap;

impl Supervisor {
    pub(super) fn snapshot(&self) -> Snapshot {
        let services = cais_engine::state::views(&self.state);
        let mut endpoints: BTreeMap<ServiceName, Endpoints> = BTreeMap::new();
        for (address, serves) in &self.listeners {
            match serves {
                Serves::Http { routes } => {
                    for route in routes {
                        let host = route.host.clone().map_or_else(
                            || address.to_string(),
                            |host| format!("{host}:{}", address.port()),
                        );
                        let url = format!("http://{host}{}", route.path);
                        endpoints
                            .entry(route.service.clone())
                            .or_default()
                            .published
                            .push(url);
                    }
                }
                Serves::Tcp { service, .. } => {
                    let own = self
                        .around
                        .addresses
                        .get(service)
                        .is_some_and(|own| address.ip() == *own);
                    let endpoint = endpoints.entry(service.clone()).or_default();
                    let list = if own {
                        &mut endpoint.internal
                    } else {
                        &mut endpoint.published
                    };
                    list.push(address.to_string());
                }
            }
        }
        for view in &services {
            let endpoint = endpoints.entry(view.service.clone()).or_default();
            for task in &view.tasks {
                let live = self.tasks.get(&task.task);
                let places = self.places.get(&task.task.0);
                let own = TaskEndpoint {
                    pid: live.and_then(|live| live.handle.pid()),
                    container: live.and_then(|live| live.handle.container().map(str::to_owned)),
                    address: places.and_then(|places| places.values().next().map(|own| own.ip())),
                    ports: places
                        .into_iter()
                        .flatten()
                        .map(|(port, own)| (*port, own.port()))
                        .collect(),
                };
                endpoint.tasks.insert(task.task.0, own);
            }
        }
        Snapshot {
            project: self.boot.project.clone(),
            directory: self.boot.directory.clone(),
            runtime: self.runtime,
            supervisor: Some(std::process::id()),
            gateway: self.gateway.pid(),
            now_ms: self.now().0,
            at_ms: clock::epoch_ms(),
            fault: self.journal_fault.clone(),
            services,
            endpoints,
            skipped: self.skipped.clone(),
        }
    }
}
