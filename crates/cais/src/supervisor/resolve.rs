//! How a service runs as a process: its command line, its environment and the addresses in it. Pure:
//! what is on the disk comes in as arguments.
//!
//! Compose files speak of other services by name, as their containers do. A process has no such
//! names, so in environment values an exact service name is replaced by that service's loopback
//! address: as the host of a URL, as a host in a `host:port` list, or as the whole value of a variable
//! whose name asks for a host (`DB_HOST: postgres`, but not `POSTGRES_DB: postgres`: in public files
//! every second value that equals a service's name is a database, a user or a driver). Nothing else
//! is touched, and `cais config --runtime process` lists every replacement.

use cais_model::name::ServiceName;
use cais_model::stack::{FileMount, Service, Stack};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// One value that the process runtime reads differently from a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Replacement {
    /// Service whose environment it is.
    pub(crate) service: ServiceName,
    /// Variable.
    pub(crate) variable: String,
    /// As the file has it.
    pub(crate) original: String,
    /// As the process sees it; `None`: left unset, because the service that it names is skipped.
    pub(crate) replacement: Option<String>,
}

/// What a service's environment is resolved against.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Loopback address of every service of the stack.
    pub(crate) addresses: BTreeMap<ServiceName, Ipv4Addr>,
    /// Services that are not run: their program is not installed.
    pub(crate) skipped: BTreeSet<ServiceName>,
    /// Container path of a mounted secret or config, and where it is on this machine, per service.
    pub(crate) mounts: BTreeMap<ServiceName, BTreeMap<String, PathBuf>>,
}

/// The service's environment values with names and mounted paths replaced, and what was replaced.
pub(crate) fn environment(
    service: &Service,
    around: &Surroundings,
) -> (BTreeMap<String, String>, Vec<Replacement>) {
    let empty = BTreeMap::new();
    let mounts = around.mounts.get(&service.name).unwrap_or(&empty);
    let mut resolved = BTreeMap::new();
    let mut replacements = Vec::new();
    for (variable, original) in &service.environment {
        let replacement = match mounts.get(original) {
            Some(path) => Some(Some(path.display().to_string())),
            None => addressed(variable, original, around),
        };
        match replacement {
            None => {
                resolved.insert(variable.clone(), original.clone());
            }
            Some(replacement) => {
                if let Some(value) = &replacement {
                    resolved.insert(variable.clone(), value.clone());
                }
                replacements.push(Replacement {
                    service: service.name.clone(),
                    variable: variable.clone(),
                    original: original.clone(),
                    replacement,
                });
            }
        }
    }
    (resolved, replacements)
}

/// `None`: no service is named. `Some(None)`: a skipped one is.
fn addressed(variable: &str, value: &str, around: &Surroundings) -> Option<Option<String>> {
    let spans = host_spans(value, wants_host(variable));
    let mut result = String::new();
    let mut from = 0;
    let mut replaced = false;
    for (start, end) in spans {
        let Some((name, address)) = around.addresses.get_key_value(&value[start..end]) else {
            continue;
        };
        if around.skipped.contains(name) {
            return Some(None);
        }
        result.push_str(&value[from..start]);
        result.push_str(&address.to_string());
        from = end;
        replaced = true;
    }
    replaced.then(|| {
        result.push_str(&value[from..]);
        Some(result)
    })
}

/// Does the variable's name end with a word for a host? (`DB_HOST`, `PGHOST`, `discovery.seed_hosts`)
fn wants_host(variable: &str) -> bool {
    const WORDS: [&str; 12] = [
        "HOST", "HOSTS", "HOSTNAME", "ADDR", "ADDRESS", "SERVER", "SERVERS", "ENDPOINT", "URL",
        "URI", "BROKER", "BROKERS",
    ];
    let name = variable.to_ascii_uppercase();
    WORDS.iter().any(|word| name.ends_with(word))
}

/// Byte ranges of `value` that are a host: a URL's host, the hosts of a comma-separated list of
/// `host:port`, or the whole value where it `may_be_bare`.
fn host_spans(value: &str, may_be_bare: bool) -> Vec<(usize, usize)> {
    if let Some(scheme) = value.find("://") {
        let authority = scheme + 3;
        let end = value[authority..]
            .find(['/', '?', '#'])
            .map_or(value.len(), |i| authority + i);
        // Everything up to the last `@` is user and password; several hosts (MongoDB, Kafka) are
        // separated by commas.
        let hosts = value[authority..end]
            .rfind('@')
            .map_or(authority, |i| authority + i + 1);
        return list_spans(value, hosts, end, false);
    }
    list_spans(value, 0, value.len(), may_be_bare)
}

fn list_spans(value: &str, start: usize, end: usize, may_be_bare: bool) -> Vec<(usize, usize)> {
    let alone = may_be_bare && !value[start..end].contains(',');
    let mut spans = Vec::new();
    let mut at = start;
    for item in value[start..end].split(',') {
        let trimmed = item.len() - item.trim_start().len();
        let host_start = at + trimmed;
        match item.trim().split_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                spans.push((host_start, host_start + host.len()));
            }
            // A bare name counts as the whole value or inside a URL; in a list of words it may be
            // anything.
            None if alone || start > 0 => spans.push((host_start, host_start + item.trim().len())),
            _ => {}
        }
        at += item.len() + 1;
    }
    spans
}

/// Where each mounted secret and config of each service is on this machine. `stand_ins` is the
/// folder for those that have no file of their own.
pub(crate) fn mounts(
    stack: &Stack,
    stand_ins: &Path,
) -> BTreeMap<ServiceName, BTreeMap<String, PathBuf>> {
    use cais_model::stack::FileOrigin;
    let place = |kind: &str,
                 sources: &BTreeMap<String, cais_model::stack::FileSource>,
                 mount: &FileMount| {
        sources
            .get(&mount.source)
            .map(|source| match &source.origin {
                FileOrigin::File(path) => stack.directory.join(path),
                FileOrigin::Environment(_) | FileOrigin::Content(_) | FileOrigin::External => {
                    stand_ins.join(format!("{kind}-{}", mount.source))
                }
            })
    };
    stack
        .services
        .values()
        .map(|service| {
            let secrets = service
                .secrets
                .iter()
                .map(|m| (m, place("secret", &stack.secrets, m)));
            let configs = service
                .configs
                .iter()
                .map(|m| (m, place("config", &stack.configs, m)));
            let mounted = secrets
                .chain(configs)
                .filter_map(|(mount, path)| path.map(|path| (mount.target.clone(), path)))
                .collect();
            (service.name.clone(), mounted)
        })
        .collect()
}

/// `PORT`, and `PORT_<container port>` for each port, as the task sees them.
pub(crate) fn port_variables(
    service: &Service,
    ports: &BTreeMap<u16, u16>,
) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = ports
        .iter()
        .map(|(container, own)| (format!("PORT_{container}"), own.to_string()))
        .collect();
    if let Some(own) = service
        .container_ports()
        .first()
        .and_then(|first| ports.get(first))
    {
        variables.insert("PORT".to_owned(), own.to_string());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, want: Option<Option<&str>>) {
        check_variable("CACHE_HOST", value, want);
    }

    fn check_variable(variable: &str, value: &str, want: Option<Option<&str>>) {
        let name = |text: &str| ServiceName::parse(text).unwrap();
        let around = Surroundings {
            addresses: BTreeMap::from([
                (name("redis"), Ipv4Addr::new(127, 80, 0, 1)),
                (name("db"), Ipv4Addr::new(127, 80, 0, 2)),
                (name("gone"), Ipv4Addr::new(127, 80, 0, 3)),
            ]),
            skipped: BTreeSet::from([name("gone")]),
            mounts: BTreeMap::new(),
        };
        assert_eq!(
            addressed(variable, value, &around),
            want.map(|v| v.map(str::to_owned)),
            "{value}"
        );
    }

    #[test]
    fn an_exact_service_name_is_replaced() {
        check("redis", Some(Some("127.80.0.1")));
        check("redis:6379", Some(Some("127.80.0.1:6379")));
        check(
            "redis://redis:6379/0",
            Some(Some("redis://127.80.0.1:6379/0")),
        );
        check(
            "postgres://me:redis@db/redis?x=db",
            Some(Some("postgres://me:redis@127.80.0.2/redis?x=db")),
        );
        check(
            "mongodb://db:27017,redis:1/",
            Some(Some("mongodb://127.80.0.2:27017,127.80.0.1:1/")),
        );
        check(
            "db:9092, redis:9092",
            Some(Some("127.80.0.2:9092, 127.80.0.1:9092")),
        );
    }

    #[test]
    fn a_bare_name_is_a_host_only_where_the_variable_asks_for_one() {
        for variable in ["PGHOST", "REDIS_SERVER", "discovery.seed_hosts", "DB__host"] {
            check_variable(variable, "db", Some(Some("127.80.0.2")));
        }
        for variable in ["POSTGRES_DB", "DB_USER", "SERVICE_NAME", "QUEUE_DRIVER"] {
            check_variable(variable, "db", None);
            check_variable(variable, "db:5432", Some(Some("127.80.0.2:5432")));
        }
    }

    #[test]
    fn anything_else_is_left_alone() {
        check("redis-cache", None);
        check("the redis server", None);
        check("redis,db", None);
        check("http://redis.example.com/redis", None);
        check("/var/lib/redis", None);
        check("redis:", None);
        check("redis:latest", None);
        check("", None);
    }

    #[test]
    fn a_value_that_names_a_skipped_service_is_unset() {
        check("redis://gone:6379", Some(None));
        check("gone", Some(None));
    }
}
