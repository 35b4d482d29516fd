//! The stack's named volumes, and the folders of this machine that it mounts.

use super::engine::{refusal, said, status};
use super::{Engine, labels};
use crate::exit::{Exit, Failure, Outcome};
use bollard::models::VolumeCreateRequest;
use cais_model::stack::{MountKind, Service, Volume};
use std::collections::HashMap;

/// Makes what is missing of these volumes.
///
/// # Errors
/// An external one is not there, or the engine refuses.
pub(crate) async fn ensure(
    engine: &Engine,
    volumes: impl Iterator<Item = (&String, &Volume)>,
) -> Outcome<Vec<String>> {
    let mut remarks = Vec::new();
    for (key, volume) in volumes {
        let name = &volume.name;
        match engine.client.inspect_volume(name).await {
            Ok(found) => {
                let driver = volume.driver.as_deref().unwrap_or("local");
                if !volume.external && found.driver != driver {
                    remarks.push(format!(
                        "the volume `{name}` stays with its driver `{}`: `cais down -v` removes it with what is in it",
                        found.driver
                    ));
                }
            }
            Err(error) if status(&error) == Some(404) => create(engine, key, volume).await?,
            Err(error) => return Err(engine.endpoint.unreachable(&error)),
        }
    }
    Ok(remarks)
}

async fn create(engine: &Engine, key: &str, volume: &Volume) -> Outcome {
    let name = &volume.name;
    if volume.external {
        return Err(Failure::new(
            Exit::Error,
            format!("the volume `{name}` is external, and the engine does not have it"),
        )
        .help(format!("make it: `docker volume create {name}`")));
    }
    let mut own: HashMap<String, String> = volume.labels.clone().into_iter().collect();
    own.extend(labels::of_resource(
        &engine.scope,
        labels::COMPOSE_VOLUME,
        key,
    ));
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        driver: volume.driver.clone(),
        driver_opts: Some(volume.driver_opts.clone().into_iter().collect()),
        labels: Some(own),
        ..VolumeCreateRequest::default()
    };
    engine
        .client
        .create_volume(request)
        .await
        .map_err(|error| {
            refusal(format!(
                "the engine does not make the volume `{name}`: {}",
                said(&error)
            ))
        })?;
    Ok(())
}

/// Makes folders that the file says are made where nothing is, as their user: the engine would make them root's.
///
/// # Errors
/// Something that is mounted is not there, or cannot be made.
pub(crate) fn prepare_binds(service: &Service) -> Outcome {
    for mount in &service.container.volumes {
        let MountKind::Bind {
            source,
            create_host_path,
            ..
        } = &mount.kind
        else {
            continue;
        };
        if source.exists() {
            continue;
        }
        let failed = |why: String, help: &str| {
            Failure::new(
                Exit::Error,
                format!(
                    "{}: `{}`, which `{}` mounts at `{}`, {why}",
                    service.position,
                    source.display(),
                    service.name,
                    mount.target
                ),
            )
            .help(help)
        };
        if !create_host_path {
            return Err(failed(
                "is not there".to_owned(),
                "make it, or let cais make a folder: `bind: {create_host_path: true}`",
            ));
        }
        std::fs::create_dir_all(source).map_err(|error| {
            failed(
                format!("cannot be made: {error}"),
                "make it, or mount something else",
            )
        })?;
    }
    Ok(())
}
