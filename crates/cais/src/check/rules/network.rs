//! Who can reach a port.

use super::super::Service;
use super::Hit;
use cais_model::node::Node;

/// Images that keep data, by the last part of their names.
pub(super) const DATA_STORES: [&str; 26] = [
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "pgvector",
    "mysql",
    "mariadb",
    "mongo",
    "mongodb",
    "redis",
    "valkey",
    "keydb",
    "memcached",
    "elasticsearch",
    "opensearch",
    "rabbitmq",
    "cassandra",
    "couchdb",
    "influxdb",
    "clickhouse-server",
    "etcd",
    "zookeeper",
    "kafka",
    "cp-kafka",
    "neo4j",
    "redis-stack-server",
];

/// Ports without an address of the machine, or with all of them.
fn open_ports<'a>(service: &Service<'a>) -> impl Iterator<Item = (&'a Node, String)> + use<'a> {
    service.items("ports").iter().filter_map(|node| {
        let host = node.get("host_ip").and_then(Node::as_str);
        let is_open = matches!(host, None | Some("0.0.0.0" | "::" | "[::]"));
        let published = node.get("published").and_then(Node::scalar_text)?;
        (is_open && !published.is_empty()).then_some((node, published))
    })
}

fn is_data_store(service: &Service<'_>) -> bool {
    let name = service.image_name();
    DATA_STORES.contains(&name.as_str())
}

/// A data store's port on every address.
pub(super) fn open_data_store(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if !is_data_store(service) {
        return;
    }
    for (node, published) in open_ports(service) {
        let name = service.image_name();
        hits.push(Hit::on(node, format!("Docker opens port {published} of `{name}` to every network of the machine, past its firewall")));
    }
}

/// Any other port on every address, where the file does not say that this is meant.
pub(super) fn open_port(service: &Service<'_>, hits: &mut Vec<Hit>) {
    if is_data_store(service) {
        return;
    }
    for (node, published) in open_ports(service) {
        let is_meant = node.get("host_ip").is_some();
        if !is_meant && !matches!(published.as_str(), "80" | "443") {
            hits.push(Hit::on(node, format!("port {published} has no address: Docker opens it to every network, cais to this machine only")));
        }
    }
}
