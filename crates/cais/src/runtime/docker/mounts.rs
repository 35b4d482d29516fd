//! What a container mounts: the file's volumes, its secrets and configs. Pure.

use super::start::ContainerSpec;
use bollard::models::{Mount, MountBindOptions, MountTmpfsOptions, MountType, MountVolumeOptions};
use cais_model::stack::{self, MountKind};

/// The file's volumes, then secrets and configs.
pub(super) fn mounts(spec: &ContainerSpec) -> Vec<Mount> {
    let named = |key: &str| {
        spec.run
            .volumes
            .get(key)
            .map_or_else(|| key.to_owned(), |v| v.name.clone())
    };
    let mut mounts: Vec<Mount> = spec
        .service
        .container
        .volumes
        .iter()
        .filter(|mount| !is_relabelled(mount))
        .map(|mount| {
            let whole = Mount {
                target: Some(mount.target.clone()),
                read_only: Some(mount.read_only),
                ..Mount::default()
            };
            match &mount.kind {
                MountKind::Volume {
                    source,
                    nocopy,
                    subpath,
                } => Mount {
                    typ: Some(MountType::VOLUME),
                    source: source.as_deref().map(named),
                    volume_options: Some(MountVolumeOptions {
                        no_copy: Some(*nocopy),
                        subpath: subpath.clone(),
                        ..MountVolumeOptions::default()
                    }),
                    ..whole
                },
                MountKind::Bind {
                    source,
                    propagation,
                    ..
                } => Mount {
                    typ: Some(MountType::BIND),
                    source: Some(source.display().to_string()),
                    bind_options: propagation.as_ref().map(|propagation| MountBindOptions {
                        propagation: propagation.parse().ok(),
                        ..MountBindOptions::default()
                    }),
                    ..whole
                },
                MountKind::Tmpfs { size, mode } => Mount {
                    typ: Some(MountType::TMPFS),
                    tmpfs_options: Some(MountTmpfsOptions {
                        size_bytes: size.and_then(|size| i64::try_from(size).ok()),
                        mode: mode.map(i64::from),
                        options: None,
                    }),
                    ..whole
                },
                MountKind::Image { source, .. } => Mount {
                    typ: Some(MountType::IMAGE),
                    source: Some(source.clone()),
                    ..whole
                },
                // Refused before anything is started; see `fields`.
                MountKind::Other(_) => whole,
            }
        })
        .collect();
    mounts.extend(spec.run.files.iter().map(|(target, path)| Mount {
        target: Some(target.clone()),
        source: Some(path.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    }));
    mounts
}

fn is_relabelled(mount: &stack::Mount) -> bool {
    matches!(
        &mount.kind,
        MountKind::Bind {
            selinux: Some(_),
            ..
        }
    )
}

/// `source:target:ro,z`
pub(super) fn selinux_binds(spec: &ContainerSpec) -> Vec<String> {
    let volumes = spec.service.container.volumes.iter();
    volumes
        .filter_map(|mount| match &mount.kind {
            MountKind::Bind {
                source,
                propagation,
                selinux: Some(label),
                ..
            } => {
                let mut options = vec![label.as_str()];
                options.extend(mount.read_only.then_some("ro"));
                options.extend(propagation.as_deref());
                Some(format!(
                    "{}:{}:{}",
                    source.display(),
                    mount.target,
                    options.join(",")
                ))
            }
            _ => None,
        })
        .collect()
}
