//! Secrets and configs as files for containers: a copy of each in a folder that only this user may enter, with the mode and
//! the owner that the service asks for. What is mounted from there, the container's user can read.

use crate::exit::{Exit, Failure, Outcome};
use crate::secrets::Store;
use crate::supervisor::mounts;
use cais_model::name::ServiceName;
use cais_model::stack::{FileMount, FileOrigin, FileSource, Service, Stack};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Compose's default: everybody in the container may read it.
const MODE: u32 = 0o444;

/// Where the copies of a service's secrets and configs are, by their paths in the container.
pub(crate) fn places(folder: &Path, service: &Service) -> BTreeMap<String, PathBuf> {
    mounted(service)
        .map(|(_, mount)| (mount.target.clone(), place(folder, &service.name, mount)))
        .collect()
}

/// Of every service of the stack.
pub(crate) fn all_places(
    folder: &Path,
    stack: &Stack,
) -> BTreeMap<ServiceName, BTreeMap<String, PathBuf>> {
    stack
        .services
        .values()
        .map(|service| (service.name.clone(), places(folder, service)))
        .collect()
}

/// Brings a service's copies up to date. A container that runs keeps the copy that it was started with.
///
/// # Errors
/// A value is not there, or only root may make the copy as it is asked for.
pub(crate) fn prepare(
    folder: &Path,
    stack: &Stack,
    service: &Service,
    variables: &BTreeMap<String, String>,
) -> Outcome {
    for (kind, mount) in mounted(service) {
        let sources = if kind == "secret" {
            &stack.secrets
        } else {
            &stack.configs
        };
        let Some(source) = sources.get(&mount.source) else {
            continue;
        };
        let content = content(stack, source, kind, mount, variables)?;
        let path = place(folder, &service.name, mount);
        write(&path, &content, mount).map_err(|error| {
            let failure = Failure::new(
                Exit::Error,
                format!(
                    "{}: cannot make the {kind} `{}` of `{}` readable as it asks for: {error}",
                    service.position, mount.source, service.name
                ),
            );
            if error.kind() == std::io::ErrorKind::PermissionDenied {
                failure.help("only root gives files to other users: leave `uid` and `gid` out, and the file is readable for everybody in the container and for nobody else")
            } else {
                failure
            }
        })?;
    }
    Ok(())
}

fn mounted(service: &Service) -> impl Iterator<Item = (&'static str, &FileMount)> {
    let secrets = service.secrets.iter().map(|mount| ("secret", mount));
    let configs = service.configs.iter().map(|mount| ("config", mount));
    secrets.chain(configs)
}

/// One copy for each mount: two services may want other modes. The name tells nothing but which.
fn place(folder: &Path, service: &ServiceName, mount: &FileMount) -> PathBuf {
    let digest = blake3::hash(format!("{service}\n{}", mount.target).as_bytes()).to_hex();
    folder.join(format!("{}-{}", mount.source, &digest[..12]))
}

fn content(
    stack: &Stack,
    source: &FileSource,
    kind: &str,
    mount: &FileMount,
    variables: &BTreeMap<String, String>,
) -> Outcome<Vec<u8>> {
    let name = &mount.source;
    match &source.origin {
        FileOrigin::File(path) => {
            let path = stack.directory.join(path);
            std::fs::read(&path).map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!(
                        "the {kind} `{name}` cannot be read from `{}`: {error}",
                        path.display()
                    ),
                )
            })
        }
        FileOrigin::Environment(variable) => variables
            .get(variable)
            .map(|value| value.clone().into_bytes())
            .ok_or_else(|| {
                Failure::new(
                    Exit::Error,
                    format!(
                        "the {kind} `{name}` wants the variable `{variable}`, which is not set"
                    ),
                )
                .help(format!("set it: `export {variable}=…`"))
            }),
        FileOrigin::Content(content) => Ok(content.clone().into_bytes()),
        FileOrigin::External => match kind {
            "secret" => Store::of(&stack.directory)?.get(name)?,
            _ => None,
        }
        .ok_or_else(|| mounts::not_stored(kind, name)),
    }
}

/// Whole or not at all; under a new inode, so that what is mounted stays as it is.
fn write(path: &Path, content: &[u8], mount: &FileMount) -> std::io::Result<()> {
    let mode = mount.mode.unwrap_or(MODE);
    if std::fs::read(path).is_ok_and(|old| old == content) && is_as_asked(path, mode, mount) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    crate::paths::private_dir(folder).map_err(|failure| std::io::Error::other(failure.message))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    chown(file.path(), mount.uid, mount.gid)?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn is_as_asked(path: &Path, mode: u32, mount: &FileMount) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|meta| {
        meta.mode() & 0o7777 == mode
            && mount.uid.is_none_or(|uid| uid == meta.uid())
            && mount.gid.is_none_or(|gid| gid == meta.gid())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn mount(mode: Option<u32>) -> FileMount {
        FileMount {
            source: "token".to_owned(),
            target: "/run/secrets/token".to_owned(),
            mode,
            uid: None,
            gid: None,
        }
    }

    #[test]
    fn a_copy_is_readable_in_the_container_and_its_folder_for_its_user_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("mounts/token");
        write(&path, b"x", &mount(None)).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o444);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        write(&path, b"x", &mount(Some(0o400))).unwrap();
        assert_eq!(mode(&path), 0o400);
    }

    #[test]
    fn a_new_value_leaves_the_mounted_file_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("token");
        write(&path, b"old", &mount(None)).unwrap();
        let mounted = std::fs::File::open(&path).unwrap();
        write(&path, b"new", &mount(None)).unwrap();
        assert_eq!(std::io::read_to_string(mounted).unwrap(), "old");
        let inode = std::fs::metadata(&path).unwrap().ino();
        write(&path, b"new", &mount(None)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
    }
}
