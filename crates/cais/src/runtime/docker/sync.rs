//! Files that `watch` copied into containers: kept per service and image, so that each task that starts from the image later
//! has them too. What changed, and when, is the verb's business.

use super::engine::said;
use super::{Scope, labels};
use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::{ListContainersOptionsBuilder, UploadToContainerOptionsBuilder};
use cais_model::name::ServiceName;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What was copied over one image of a service: a folder that looks as the container's root does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Layer {
    folder: PathBuf,
}

impl Layer {
    /// Below the folder of all layers. Another image is another layer: what was built anew has no need of the copies.
    pub(crate) fn of(layers: &Path, service: &ServiceName, image: &str) -> Self {
        let digest = image.rsplit(':').next().unwrap_or_default();
        let short = digest.get(..12).unwrap_or(digest);
        Self {
            folder: layers.join(format!("{service}-{short}")),
        }
    }

    /// Keeps a file under its path in the container. It appears whole or not at all.
    pub(crate) fn keep(&self, file: &Path, place: &str) -> io::Result<()> {
        let path = self.path(place);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)?;
        let mut copy = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::copy(&mut std::fs::File::open(file)?, &mut copy)?;
        let found = file.metadata()?;
        copy.as_file().set_permissions(found.permissions())?;
        copy.as_file().set_modified(found.modified()?)?;
        copy.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Keeps it no longer; a folder with everything in it.
    pub(crate) fn drop(&self, place: &str) -> io::Result<()> {
        let path = self.path(place);
        let removed = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Puts all of it into a container that is not started yet; nothing where there is nothing.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn put(&self, client: &Docker, container: &str) -> Result<(), String> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        let mut files = Vec::new();
        list(&self.folder, &mut files)
            .map_err(|error| format!("cannot read what was copied before: {error}"))?;
        let placed = |file: PathBuf| {
            let place = file.strip_prefix(&self.folder).unwrap_or(&file);
            (file.clone(), place.to_string_lossy().into_owned())
        };
        let files: Vec<_> = files.into_iter().map(placed).collect();
        copy(client, container, &files).await
    }

    fn path(&self, place: &str) -> PathBuf {
        let parts = Path::new(place).components();
        let normal = parts.filter(|part| matches!(part, std::path::Component::Normal(_)));
        self.folder.join(normal.collect::<PathBuf>())
    }
}

/// Containers of a service, running or about to, with their images.
///
/// # Errors
/// In words, when the engine does not answer.
pub(crate) async fn containers(
    client: &Docker,
    scope: &Scope,
    service: &ServiceName,
) -> Result<BTreeMap<String, String>, String> {
    let mut filters = labels::with(labels::STATE, &scope.key);
    filters
        .entry("label".to_owned())
        .or_default()
        .push(format!("{}={service}", labels::SERVICE));
    filters.insert(
        "status".to_owned(),
        vec!["created".to_owned(), "running".to_owned()],
    );
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let found = client.list_containers(Some(options)).await;
    let found = found.map_err(|error| said(&error))?.into_iter();
    Ok(found
        .filter_map(|container| Some((container.id?, container.image_id?)))
        .collect())
}

/// Copies files to their places in a container.
///
/// # Errors
/// In words.
pub(crate) async fn copy(
    client: &Docker,
    container: &str,
    files: &[(PathBuf, String)],
) -> Result<(), String> {
    let mut archive = tar::Builder::new(Vec::new());
    for (file, place) in files {
        add(&mut archive, file, place.trim_start_matches('/'))
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    }
    let bytes = archive.into_inner().map_err(|error| error.to_string())?;
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let body = bollard::body_full(bytes.into());
    client
        .upload_to_container(container, Some(options), body)
        .await
        .map_err(|error| said(&error))
}

/// Files alone: folders that are there keep their modes, and those that are not are made by the engine. As root's, with the
/// mode that the file has, as `COPY` does it; with its time, because programs look at that to see what is new.
fn add(archive: &mut tar::Builder<Vec<u8>>, file: &Path, place: &str) -> io::Result<()> {
    let content = std::fs::read(file)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&file.metadata()?);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, place, content.as_slice())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Removes files from a container, by its own `rm`: the engine has no request for it.
///
/// # Errors
/// In words.
pub(crate) async fn remove(
    client: &Docker,
    container: &str,
    places: &[String],
) -> Result<(), String> {
    let mut argv = vec!["rm".to_owned(), "-rf".to_owned(), "--".to_owned()];
    argv.extend_from_slice(places);
    let options = CreateExecOptions {
        cmd: Some(argv),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        user: Some("0".to_owned()),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(container, options).await;
    let exec = exec.map_err(|error| said(&error))?.id;
    let started = client.start_exec(&exec, None).await;
    if let StartExecResults::Attached { mut output, .. } = started.map_err(|error| said(&error))? {
        while output.next().await.is_some() {}
    }
    let ended = client.inspect_exec(&exec).await;
    match ended.map_err(|error| said(&error))?.exit_code {
        Some(0) => Ok(()),
        _ => Err("the image has no `rm` that could remove them".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_keeps_what_was_copied_and_stays_below_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let app = ServiceName::parse("app").unwrap();
        let layer = Layer::of(root.path(), &app, "sha256:0123456789abcdef");
        let kept = |place: &str| root.path().join("app-0123456789ab").join(place);
        layer.keep(&file, "/app/src/a.py").unwrap();
        layer.keep(&file, "/../../etc/b").unwrap();
        assert_eq!(
            std::fs::read_to_string(kept("app/src/a.py")).unwrap(),
            "one"
        );
        assert!(kept("etc/b").is_file());
        layer.drop("/app/src").unwrap();
        layer.drop("/never/there").unwrap();
        assert!(!kept("app/src").exists() && kept("etc/b").exists());
    }
}
