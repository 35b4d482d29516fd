//! Secrets and configs as files: generates, stands in, reads. Where each is mounted is `resolve`'s.

use super::resolve::Surroundings;
use crate::exit::{Exit, Failure, Outcome};
use crate::secrets::Store;
use cais_model::stack::{FileOrigin, Service, Stack};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Contents of the secrets and configs that the service mounts: a rotated secret is a new revision.
pub(crate) fn mounted_files(service: &Service, around: &Surroundings) -> Vec<(String, Vec<u8>)> {
    around
        .mounts
        .get(&service.name)
        .into_iter()
        .flatten()
        .map(|(target, path)| (target.clone(), std::fs::read(path).unwrap_or_default()))
        .collect()
}

/// Makes the files that the stack's secrets and configs are read from: random values where
/// `x-cais.generate` asks and the file is missing, stand-ins for `environment:` and `content:` and for
/// `external` secrets, which the encrypted store holds.
///
/// # Errors
/// A secret's file is missing, or cannot be written.
pub(crate) fn prepare_mounts(
    stack: &Stack,
    stand_ins: &Path,
    variables: &BTreeMap<String, String>,
    store: &Store,
) -> Outcome {
    for (kind, sources) in [("secret", &stack.secrets), ("config", &stack.configs)] {
        for (name, source) in sources {
            if !is_mounted(stack, kind, name) {
                continue;
            }
            match &source.origin {
                FileOrigin::File(path) => {
                    let path = stack.directory.join(path);
                    if path.exists() {
                        continue;
                    }
                    if !source.generate {
                        return Err(Failure::new(
                            Exit::Error,
                            format!("the file of the {kind} `{name}`, `{}`, is not there", path.display()),
                        )
                        .help(format!(
                            "write it, or let cais make a random value: {kind}s.{name}.x-cais.generate: true"
                        )));
                    }
                    write_generated(&path, random_secret()?.as_bytes())?;
                }
                FileOrigin::Environment(variable) => {
                    let value = variables.get(variable).ok_or_else(|| {
                        Failure::new(Exit::Error, format!("the {kind} `{name}` wants the variable `{variable}`, which is not set"))
                            .help(format!("set it: `export {variable}=…`"))
                    })?;
                    write_private(&stand_ins.join(format!("{kind}-{name}")), value.as_bytes())?;
                }
                FileOrigin::Content(content) => {
                    write_private(
                        &stand_ins.join(format!("{kind}-{name}")),
                        content.as_bytes(),
                    )?;
                }
                FileOrigin::External => {
                    let value = stored(kind, name, store)?.ok_or_else(|| not_stored(kind, name))?;
                    write_private(&stand_ins.join(format!("{kind}-{name}")), &value)?;
                }
            }
        }
    }
    Ok(())
}

/// What the encrypted store has under this name; only secrets are kept there.
fn stored(kind: &str, name: &str, store: &Store) -> Outcome<Option<Vec<u8>>> {
    if kind == "secret" {
        store.get(name)
    } else {
        Ok(None)
    }
}

/// An external secret or config that nobody holds.
pub(crate) fn not_stored(kind: &str, name: &str) -> Failure {
    let message = format!("the {kind} `{name}` is external, and nobody holds it here");
    if kind == "secret" {
        Failure::new(Exit::Error, message)
            .help(format!("give it a value: `cais secret set {name}`"))
    } else {
        Failure::new(Exit::Usage, message).help(format!("give it a file: {kind}s.{name}.file"))
    }
}

fn is_mounted(stack: &Stack, kind: &str, name: &str) -> bool {
    stack.services.values().any(|service| {
        let mounts = if kind == "secret" {
            &service.secrets
        } else {
            &service.configs
        };
        mounts.iter().any(|mount| mount.source == name)
    })
}

/// 32 random bytes from the kernel in hexadecimal: no character that a shell, a URL or a Redis configuration minds.
fn random_secret() -> Outcome<String> {
    Ok(random_bytes()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// 32 random bytes from the kernel.
pub(crate) fn random_bytes() -> Outcome<[u8; 32]> {
    use std::io::Read;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Failure::new(Exit::Error, format!("cannot read /dev/urandom: {error}")))?;
    Ok(bytes)
}

/// Writes a generated secret into a folder that only its owner enters. A container engine mounts the file itself,
/// past the folder, and a container's user is not the owner: so the folder is what keeps others of this machine out,
/// and the file can be read by whom it is mounted for. In a folder that is open already, the file keeps them out.
fn write_generated(path: &Path, content: &[u8]) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        crate::paths::private_dir(folder)?;
    }
    let is_private =
        std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o077 == 0);
    write_whole(path, content, if is_private { 0o644 } else { 0o600 })
}

/// Writes a file that only its owner can read; whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Outcome {
    write_whole(path, content, 0o600)
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Outcome {
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("cannot write `{}`: {error}", path.display()),
        )
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        crate::paths::private_dir(folder)?;
    }
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(cannot)?;
    // Not by `mode` above, which the caller's umask would narrow.
    file.set_permissions(std::fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all())
        .map_err(cannot)?;
    std::fs::rename(&temporary, path).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_stand_in_is_written_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets/password");
        write_private(&path, b"x").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(random_secret().unwrap().len(), 64);
    }

    #[test]
    fn a_generated_secret_is_open_to_containers_only_behind_a_closed_folder() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("secrets/password");
        write_generated(&closed, b"x").unwrap();
        assert_eq!(
            (mode(closed.parent().unwrap()), mode(&closed)),
            (0o700, 0o644)
        );

        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        write_generated(&open.join("password"), b"x").unwrap();
        assert_eq!(mode(&open.join("password")), 0o600);
    }
}
