//! The top-level `networks:` and `volumes:`.

use super::container::pairs;
use super::entries;
use super::read::{Reader, text};
use crate::name::ProjectName;
use crate::node::Node;
use crate::stack::{Ipam, IpamPool, Network, NetworkMode, Service, Volume};
use std::collections::BTreeMap;

/// Reads `networks:`; the default network is there where a service is on it, whether the file names it or not.
pub(super) fn networks<'s>(
    node: Option<&Node>,
    project: &ProjectName,
    services: impl Iterator<Item = &'s Service>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Network> {
    let mut networks: BTreeMap<String, Network> = entries(node)
        .map(|(key, entry)| {
            let network = network(
                Some(&entry.value),
                &named(key, &entry.value, project),
                reader,
            );
            (key.clone(), network)
        })
        .collect();
    let is_on_default = |service: &Service| matches!(&service.container.network, NetworkMode::Networks(on) if on.contains_key("default"));
    if !networks.contains_key("default") && { services }.any(is_on_default) {
        let name = format!("{project}_default");
        networks.insert("default".to_owned(), network(None, &name, reader));
    }
    networks
}

/// Reads `volumes:`.
pub(super) fn volumes(
    node: Option<&Node>,
    project: &ProjectName,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Volume> {
    entries(node)
        .map(|(key, entry)| {
            let node = &entry.value;
            let volume = Volume {
                name: named(key, node, project),
                external: reader.boolean(node.get("external")).unwrap_or(false),
                driver: text(node.get("driver")).filter(|driver| !driver.is_empty()),
                driver_opts: pairs(node.get("driver_opts")),
                labels: pairs(node.get("labels")),
            };
            (key.clone(), volume)
        })
        .collect()
}

/// `name`, else the key as it is for what others make, else the key behind the project's name.
fn named(key: &str, node: &Node, project: &ProjectName) -> String {
    let external = node.get("external").and_then(Node::as_bool) == Some(true);
    match text(node.get("name")) {
        Some(name) => name,
        None if external => key.to_owned(),
        None => format!("{project}_{key}"),
    }
}

fn network(node: Option<&Node>, name: &str, reader: &mut Reader<'_>) -> Network {
    let field = |key: &str| node.and_then(|node| node.get(key));
    let mut flag = |key: &str| reader.boolean(field(key));
    Network {
        name: name.to_owned(),
        external: flag("external").unwrap_or(false),
        internal: flag("internal").unwrap_or(false),
        attachable: flag("attachable").unwrap_or(false),
        enable_ipv4: flag("enable_ipv4"),
        enable_ipv6: flag("enable_ipv6").unwrap_or(false),
        driver: text(field("driver")).filter(|driver| !driver.is_empty()),
        driver_opts: pairs(field("driver_opts")),
        ipam: field("ipam").map(|node| ipam(node, reader)),
        labels: pairs(field("labels")),
    }
}

fn ipam(node: &Node, reader: &mut Reader<'_>) -> Ipam {
    let pools = node.get("config").and_then(Node::as_sequence);
    Ipam {
        driver: text(node.get("driver")).filter(|driver| driver != "default"),
        options: pairs(node.get("options")),
        pools: pools
            .unwrap_or_default()
            .iter()
            .map(|pool| ipam_pool(pool, reader))
            .collect(),
    }
}

fn ipam_pool(node: &Node, reader: &mut Reader<'_>) -> IpamPool {
    let gateway = node.get("gateway").and_then(|gateway| {
        let written = gateway.scalar_text()?;
        let address = written.parse().ok();
        if address.is_none() {
            reader.error(gateway, format!("`{written}` is not an IP address"));
        }
        address
    });
    IpamPool {
        subnet: text(node.get("subnet")),
        ip_range: text(node.get("ip_range")),
        gateway,
        aux_addresses: pairs(node.get("aux_addresses")),
    }
}
