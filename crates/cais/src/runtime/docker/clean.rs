//! What the engine holds for a project when its tasks are gone: named volumes, images that were built for it.

use super::engine::{said, status};
use super::{Scope, labels};
use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use std::fmt;

/// One thing that may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leftover {
    /// A task's container that nobody holds any more.
    Container(String),
    /// A named volume.
    Volume(String),
    /// An image, by id, with what it is called.
    Image {
        /// `sha256:…`.
        id: String,
        /// Its first tag, else its short id.
        name: String,
    },
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "container {name}"),
            Self::Volume(name) => write!(f, "volume {name}"),
            Self::Image { name, .. } => write!(f, "image {name}"),
        }
    }
}

/// The project's containers.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn containers(
    client: &Docker,
    scope: &Scope,
) -> Result<Vec<Leftover>, bollard::errors::Error> {
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&labels::with(labels::STATE, &scope.key))
        .build();
    let listed = client.list_containers(Some(options)).await?.into_iter();
    let name = |names: Vec<String>| Some(names.first()?.trim_start_matches('/').to_owned());
    Ok(listed
        .filter_map(|container| name(container.names?))
        .map(Leftover::Container)
        .collect())
}

/// The project's named volumes, whoever made them: Docker Compose's are the same ones.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn volumes(
    client: &Docker,
    scope: &Scope,
) -> Result<Vec<Leftover>, bollard::errors::Error> {
    let options = ListVolumesOptionsBuilder::default()
        .filters(&labels::with(labels::COMPOSE_PROJECT, &scope.project))
        .build();
    let listed = client.list_volumes(Some(options)).await?;
    Ok(listed
        .volumes
        .unwrap_or_default()
        .into_iter()
        .map(|volume| Leftover::Volume(volume.name))
        .collect())
}

/// The images that were built for the project: what has its label, and what is called as its builds are.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn images(
    client: &Docker,
    scope: &Scope,
    built: &[String],
) -> Result<Vec<Leftover>, bollard::errors::Error> {
    let mut found = Vec::new();
    for name in built {
        if let Ok(Some(image)) = super::image::look(client, name).await {
            let name = name.clone();
            found.push(Leftover::Image { id: image.id, name });
        }
    }
    for label in [labels::COMPOSE_PROJECT, labels::PROJECT] {
        let options = ListImagesOptionsBuilder::default()
            .filters(&labels::with(label, &scope.project))
            .build();
        for image in client.list_images(Some(options)).await? {
            let name = image
                .repo_tags
                .first()
                .filter(|tag| *tag != "<none>:<none>")
                .cloned()
                .unwrap_or_else(|| image.id.chars().take(19).collect());
            found.push(Leftover::Image { id: image.id, name });
        }
    }
    found.sort();
    found.dedup_by(|one, other| match (one, other) {
        (Leftover::Image { id: one, .. }, Leftover::Image { id: other, .. }) => one == other,
        _ => false,
    });
    Ok(found)
}

/// Removes one.
///
/// # Errors
/// In words: somebody else still uses it.
pub(crate) async fn remove(client: &Docker, leftover: &Leftover) -> Result<(), String> {
    let result = match leftover {
        Leftover::Container(name) => {
            let options = RemoveContainerOptionsBuilder::default()
                .force(true)
                .v(true)
                .build();
            client.remove_container(name, Some(options)).await
        }
        Leftover::Volume(name) => {
            let options = RemoveVolumeOptionsBuilder::default().build();
            client.remove_volume(name, Some(options)).await
        }
        Leftover::Image { id, .. } => {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            client.remove_image(id, Some(options), None).await.map(drop)
        }
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) if status(&error) == Some(404) => Ok(()),
        Err(error) => Err(said(&error)),
    }
}
