//! The stack's networks: made before its first container, removed after its last.

use super::engine::{refusal, said, status};
use super::{Engine, Scope, labels};
use crate::exit::{Exit, Failure, Outcome};
use bollard::Docker;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};
use cais_model::stack::Network;
use std::collections::{BTreeMap, HashMap};

/// Makes what is missing of these networks; returns what is worth a line.
///
/// # Errors
/// An external one is not there, or the engine refuses.
pub(crate) async fn ensure(
    engine: &Engine,
    networks: impl Iterator<Item = (&String, &Network)>,
) -> Outcome<Vec<String>> {
    let mut remarks = Vec::new();
    for (key, network) in networks {
        let name = &network.name;
        let found = engine
            .client
            .inspect_network(name, None::<InspectNetworkOptions>)
            .await;
        match found {
            Ok(found) => {
                let driver = network.driver.as_deref().unwrap_or("bridge");
                let differs = found.internal.unwrap_or(false) != network.internal
                    || found.driver.as_deref().is_some_and(|own| own != driver);
                if !network.external && differs {
                    remarks.push(format!(
                        "the network `{name}` stays as it is: to change it, stop what is on it (`cais down`)"
                    ));
                }
            }
            Err(error) if status(&error) == Some(404) => create(engine, key, network).await?,
            Err(error) => return Err(engine.endpoint.unreachable(&error)),
        }
    }
    Ok(remarks)
}

async fn create(engine: &Engine, key: &str, network: &Network) -> Outcome {
    let name = &network.name;
    if network.external {
        return Err(Failure::new(
            Exit::Error,
            format!("the network `{name}` is external, and the engine does not have it"),
        )
        .help(format!("make it: `docker network create {name}`")));
    }
    let mut own: HashMap<String, String> = network.labels.clone().into_iter().collect();
    own.extend(labels::of_resource(
        &engine.scope,
        labels::COMPOSE_NETWORK,
        key,
    ));
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: network.driver.clone(),
        internal: Some(network.internal),
        attachable: Some(network.attachable),
        enable_ipv4: network.enable_ipv4,
        enable_ipv6: Some(network.enable_ipv6),
        options: map(&network.driver_opts),
        ipam: network.ipam.as_ref().map(|ipam| Ipam {
            driver: ipam.driver.clone(),
            options: map(&ipam.options),
            config: Some(
                ipam.pools
                    .iter()
                    .map(|pool| IpamConfig {
                        subnet: pool.subnet.clone(),
                        ip_range: pool.ip_range.clone(),
                        gateway: pool.gateway.map(|gateway| gateway.to_string()),
                        auxiliary_addresses: map(&pool.aux_addresses),
                    })
                    .collect(),
            ),
        }),
        labels: Some(own),
        ..NetworkCreateRequest::default()
    };
    match engine.client.create_network(request).await {
        Ok(_) => Ok(()),
        // Somebody was quicker.
        Err(error) if status(&error) == Some(409) => Ok(()),
        Err(error) => {
            let reason = said(&error);
            let failure = refusal(format!(
                "the engine does not make the network `{name}`: {reason}"
            ));
            Err(if reason.contains("address pool") {
                failure.help("its address ranges are used up: `docker network prune` removes networks that nobody uses")
            } else {
                failure
            })
        }
    }
}

/// Removes the networks that cais made for this stack; one that somebody else uses stays.
pub(crate) async fn remove(client: &Docker, scope: &Scope) {
    let options = ListNetworksOptionsBuilder::default()
        .filters(&labels::with(labels::STATE, &scope.key))
        .build();
    for network in client
        .list_networks(Some(options))
        .await
        .unwrap_or_default()
    {
        let Some(name) = network.name else { continue };
        match client.remove_network(&name).await {
            Ok(()) => {}
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => tracing::info!(name, error = said(&error), "a network stays"),
        }
    }
}

fn map(from: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!from.is_empty()).then(|| from.clone().into_iter().collect())
}
