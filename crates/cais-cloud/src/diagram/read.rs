//! The graph as a picture: which instances of which modules are shown, and the words about them.

use super::picture::{Beside, Cache, Entry, Picture, Service, Zone};
use crate::resource::{Infrastructure, Instance};
use crate::value::Value;

/// Modules that are a service, and how each moves traffic.
const SERVICES: &[(&str, &str)] = &[
    ("web_service", "rolling"),
    ("blue_green_service", "blue-green"),
    ("canary_service", "canary"),
    ("linear_service", "linear"),
    ("service", "rolling"),
    ("worker", "rolling"),
];

/// The picture of an environment.
pub(super) fn picture(infrastructure: &Infrastructure) -> Picture {
    let graph = Graph(infrastructure);
    let caches: Vec<&Instance> = graph.all("cache");
    let network = graph.all("network").first().copied();
    Picture {
        project: infrastructure.project.clone(),
        environment: infrastructure.environment.clone(),
        region: infrastructure.region.clone(),
        account: infrastructure.account.clone(),
        cidr: network.map_or_else(
            || "that was there before".to_owned(),
            |network| text(network, "cidr_block"),
        ),
        zones: network.map_or_else(Vec::new, zones),
        entry: graph.entry(),
        services: graph.services(&caches),
        caches: caches
            .iter()
            .map(|cache| Cache {
                name: cache.name.clone(),
                detail: format!(
                    "ElastiCache, Valkey · {} × {} · TLS and password",
                    text(cache, "node_type"),
                    number(cache, "nodes")
                ),
            })
            .collect(),
        beside: graph.beside(),
    }
}

fn zones(network: &Instance) -> Vec<Zone> {
    let private = entries(network, "private_subnets");
    let nat = texts(network, "nat_zones");
    entries(network, "public_subnets")
        .into_iter()
        .map(|(name, public)| Zone {
            private: private
                .iter()
                .find(|(zone, _)| *zone == name)
                .map_or_else(String::new, |(_, cidr)| cidr.clone()),
            has_nat: nat.contains(&name),
            name,
            public,
        })
        .collect()
}

struct Graph<'a>(&'a Infrastructure);

impl<'a> Graph<'a> {
    fn instances(&self) -> impl Iterator<Item = &'a Instance> {
        let Self(infrastructure) = self;
        infrastructure
            .foundation
            .instances
            .iter()
            .chain(&infrastructure.services.instances)
    }

    /// Is it an instance of the module, or of what overrides made of it for this environment?
    fn is(&self, instance: &Instance, module: &str) -> bool {
        let own = format!("{module}_{}", self.0.environment);
        instance.module == module || instance.module == own
    }

    fn all(&self, module: &str) -> Vec<&'a Instance> {
        self.instances()
            .filter(|instance| self.is(instance, module))
            .collect()
    }

    fn named(&self, name: &str) -> Option<&'a Instance> {
        self.instances().find(|instance| instance.name == name)
    }

    fn entry(&self) -> Option<Entry> {
        let routes = self.all("route").len() + self.all("shifting_route").len();
        if routes == 0 {
            return None;
        }
        let names: Vec<String> = self
            .all("dns_record")
            .iter()
            .map(|record| text(record, "name"))
            .collect();
        let is_plain = !self.all("http_listener").is_empty();
        let (protocol, detail) = if is_plain {
            ("HTTP 80", "Plain HTTP: there is no domain")
        } else {
            ("HTTPS 443, TLS 1.3", "HTTP leads to HTTPS")
        };
        let logs = if self.all("log_bucket").is_empty() {
            ""
        } else {
            " · access logs in S3"
        };
        Some(Entry {
            protocol: protocol.to_owned(),
            names: if names.is_empty() {
                Vec::new()
            } else {
                vec![names.join(", ")]
            },
            detail: format!("{detail}{logs}"),
        })
    }

    fn services(&self, caches: &[&Instance]) -> Vec<Service> {
        self.all("task")
            .iter()
            .filter_map(|task| {
                let id = task.name.strip_suffix("_task")?;
                let definition = text(task, "family");
                let service = self.named(&format!("{id}_service"));
                let name = service.map_or(definition, |service| text(service, "name"));
                Some(Service {
                    name,
                    detail: self.detail(id, task, service),
                    tasks: service.map_or(0, |service| self.count(id, service)),
                    routes: self.routes(id),
                    uses: caches
                        .iter()
                        .filter(|cache| self.named(&format!("{id}_to_{}", cache.name)).is_some())
                        .map(|cache| cache.name.clone())
                        .collect(),
                })
            })
            .collect()
    }

    fn count(&self, id: &str, service: &Instance) -> u32 {
        let least = self
            .named(&format!("{id}_scaling"))
            .map_or(0, |scaling| number(scaling, "min_capacity"));
        u32::try_from(number(service, "desired_count").max(least)).unwrap_or(0)
    }

    /// Its size, its count, and how a new revision comes in.
    fn detail(&self, id: &str, task: &Instance, service: Option<&Instance>) -> String {
        let size = format!(
            "{} · {}",
            cpu(number(task, "cpu")),
            memory(number(task, "memory"))
        );
        let Some(service) = service else {
            return match self.named(&format!("{id}_schedule")) {
                Some(schedule) => format!("{size} · {}", text(schedule, "expression")),
                None => format!("{size} · runs before a deploy"),
            };
        };
        let count = match self.named(&format!("{id}_scaling")) {
            Some(scaling) => format!(
                "{} to {} tasks",
                number(scaling, "min_capacity"),
                number(scaling, "max_capacity")
            ),
            None => match number(service, "desired_count") {
                1 => "1 task".to_owned(),
                count => format!("{count} tasks"),
            },
        };
        let strategy = SERVICES.iter().find(|(module, _)| self.is(service, module));
        format!(
            "{size} · {count} · {}",
            strategy.map_or("rolling", |(_, word)| word)
        )
    }

    fn routes(&self, id: &str) -> Vec<String> {
        let own = format!("{id}_route");
        self.instances()
            .filter(|it| self.is(it, "route") || self.is(it, "shifting_route"))
            .filter(|it| {
                it.name == own
                    || it
                        .name
                        .strip_prefix(&format!("{own}_"))
                        .is_some_and(|n| n.parse::<u32>().is_ok())
            })
            .map(|route| {
                let host = texts(route, "hosts").into_iter().find(|host| host != "*");
                let path = texts(route, "paths").into_iter().next().unwrap_or_default();
                let path = path.strip_suffix("/*").unwrap_or(&path).to_owned();
                match (host, path.as_str()) {
                    (None, "") => "/".to_owned(),
                    (host, path) => host.unwrap_or_default() + path,
                }
            })
            .collect()
    }

    fn beside(&self) -> Vec<Beside> {
        let mut found = Vec::new();
        let mut add = |name: &str, detail: String| {
            found.push(Beside {
                name: name.to_owned(),
                detail,
                is_reached: true,
            });
        };
        let some = |module: &str| Some(self.all(module)).filter(|all| !all.is_empty());
        if let Some(all) = some("registry") {
            add(
                "Elastic Container Registry",
                format!(
                    "{}, tags never move",
                    many(all.len(), "repository", "repositories")
                ),
            );
        }
        if let Some(all) = some("secret") {
            add(
                "Secrets Manager",
                format!(
                    "{}, encrypted with KMS",
                    many(all.len(), "secret", "secrets")
                ),
            );
        }
        if let Some(all) = some("task") {
            let days = number(all[0], "log_retention_days");
            add(
                "CloudWatch Logs",
                format!(
                    "{}, {days} days",
                    many(all.len(), "log group", "log groups")
                ),
            );
        }
        let alarms: usize = ["alarm", "percentile_alarm", "error_rate_alarm"]
            .iter()
            .map(|module| self.all(module).len())
            .sum();
        if alarms > 0 {
            let topics = self.all("notification_topic").len();
            let name = if topics > 0 {
                "CloudWatch alarms → SNS"
            } else {
                "CloudWatch alarms"
            };
            add(name, many(alarms, "alarm", "alarms"));
        }
        if let Some(all) = some("scaling") {
            add(
                "Application Auto Scaling",
                format!("of {}", many(all.len(), "service", "services")),
            );
        }
        if !self.all("discovery").is_empty() {
            add("Cloud Map", "services find each other by name".to_owned());
        }
        found
    }
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// 1024 units are a core.
fn cpu(units: i64) -> String {
    if units % 1024 == 0 {
        format!("{} vCPU", units / 1024)
    } else {
        format!(
            "0.{} vCPU",
            (units * 1000 / 1024).to_string().trim_end_matches('0')
        )
    }
}

fn memory(mebibytes: i64) -> String {
    if mebibytes % 1024 == 0 {
        format!("{} GiB", mebibytes / 1024)
    } else {
        format!("{mebibytes} MiB")
    }
}

fn argument<'a>(instance: &'a Instance, name: &str) -> Option<&'a Value> {
    instance
        .arguments
        .iter()
        .find(|(argument, _)| argument == name)
        .map(|(_, value)| value)
}

fn text(instance: &Instance, name: &str) -> String {
    match argument(instance, name) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn number(instance: &Instance, name: &str) -> i64 {
    match argument(instance, name) {
        Some(Value::Number(number)) => *number,
        _ => 0,
    }
}

fn texts(instance: &Instance, name: &str) -> Vec<String> {
    match argument(instance, name) {
        Some(Value::List(values)) => values
            .iter()
            .filter_map(|value| match value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn entries(instance: &Instance, name: &str) -> Vec<(String, String)> {
    match argument(instance, name) {
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|(key, value)| match value {
                Value::Text(text) => Some((key.clone(), text.clone())),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
