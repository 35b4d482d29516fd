//! Images in a folder: an OCI image layout (image-spec, "Image Layout") that any tool for OCI images can read.
//! Keeps the newest few of each name, and no blob that none of them needs.

use super::version::hex;
use crate::exit::{Exit, Failure, Outcome};
use crate::paths;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

mod manifest;

pub(crate) use manifest::{
    CONFIG_TYPE, Descriptor, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE, Manifest,
};

/// Images of one name that are kept, the newest first.
const KEPT: usize = 5;

/// How long a blob without a name stays.
const GRACE: Duration = Duration::from_secs(3600);

/// Annotation that holds an image's name and tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A folder of images.
pub(crate) struct Layout {
    folder: PathBuf,
    /// A blob that no image needs stays for so long after it was last wanted: another process may be about to name it.
    grace: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Descriptor>,
}

impl Layout {
    /// Opens the folder, and makes it where it is not there.
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        paths::private_dir(folder)?;
        paths::private_dir(&folder.join("blobs/sha256"))?;
        let layout = Self {
            folder: folder.to_owned(),
            grace: GRACE,
        };
        let version = folder.join("oci-layout");
        if !version.exists() {
            layout.replace(&version, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(layout)
    }

    /// Held while the index is read and written: another process's change is not lost.
    fn lock(&self) -> Outcome<File> {
        let cannot = |error: std::io::Error| trouble(&self.folder, &error);
        let lock = File::create(self.folder.join("lock")).map_err(cannot)?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| cannot(error.into()))?;
        Ok(lock)
    }

    /// Where a blob's file is.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.folder.join("blobs/sha256").join(hex)
    }

    /// Is it here, whole? Then it is wanted now, and stays for a while.
    pub(crate) fn has(&self, blob: &Descriptor) -> bool {
        let path = self.path(&blob.digest);
        let is_whole = std::fs::metadata(&path).is_ok_and(|found| found.len() == blob.size);
        is_whole
            && File::options()
                .append(true)
                .open(path)
                .is_ok_and(|file| file.set_modified(SystemTime::now()).is_ok())
    }

    /// The bytes of a blob, proven to be those that its digest names.
    pub(crate) fn read(&self, digest: &str) -> Outcome<Vec<u8>> {
        let path = self.path(digest);
        let bytes = std::fs::read(&path).map_err(|error| trouble(&path, &error))?;
        if super::version::digest(&bytes) != digest {
            return Err(Failure::new(
                Exit::Error,
                format!(
                    "`{}` is damaged: its content is not what its name says",
                    path.display()
                ),
            )
            .help("remove it, and build again"));
        }
        Ok(bytes)
    }

    /// Keeps bytes.
    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Outcome<Descriptor> {
        let descriptor = Descriptor::of(media_type, bytes);
        if !self.has(&descriptor) {
            self.replace(&self.path(&descriptor.digest), bytes)?;
        }
        Ok(descriptor)
    }

    /// Keeps what `write` writes, however much it is. Answers also with what `write` does.
    pub(crate) fn put_with<T>(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<T>,
    ) -> Outcome<(Descriptor, T)> {
        let cannot = |error: std::io::Error| trouble(&self.folder, &error);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(cannot)?;
        let (size, hash, value) = {
            let mut out = Hashing::new(std::io::BufWriter::new(file.as_file_mut()));
            let value = write(&mut out).map_err(cannot)?;
            out.flush().map_err(cannot)?;
            (out.size, out.hash.clone().finalize(), value)
        };
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{}", hex(&hash)),
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
        };
        file.persist(self.path(&descriptor.digest))
            .map_err(|error| cannot(error.error))?;
        Ok((descriptor, value))
    }

    /// Keeps a file that came from elsewhere, if it is what its descriptor says.
    pub(crate) fn adopt(&self, file: &Path, blob: &Descriptor) -> Outcome {
        let opened = File::open(file).map_err(|error| trouble(file, &error))?;
        let mut reader = HashingReader::new(opened);
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|error| trouble(file, &error))?;
        if reader.digest() != blob.digest {
            return Err(Failure::new(
                Exit::Error,
                format!("what arrived as `{}` is something else", blob.digest),
            )
            .help("try again; if it stays so, something between here and the registry changes what it passes on"));
        }
        std::fs::rename(file, self.path(&blob.digest)).map_err(|error| trouble(file, &error))
    }

    /// Gives an image its name, `repository:tag`; an older one of that name loses it. What no name needs goes.
    pub(crate) fn name(&self, reference: &str, mut manifest: Descriptor) -> Outcome {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        index.manifests.retain(|other| {
            other
                .annotations
                .get(REF_NAME)
                .is_none_or(|name| name != reference)
        });
        manifest
            .annotations
            .insert(REF_NAME.to_owned(), reference.to_owned());
        index.manifests.insert(0, manifest);
        let repository = repository(reference);
        let mut count = 0;
        index.manifests.retain(|other| {
            let is_of_it = other
                .annotations
                .get(REF_NAME)
                .is_some_and(|name| self::repository(name) == repository);
            count += usize::from(is_of_it);
            !is_of_it || count <= KEPT
        });
        let bytes = serde_json::to_vec_pretty(&index).unwrap_or_default();
        self.replace(&self.folder.join("index.json"), &bytes)?;
        self.sweep(&index)
    }

    /// The image of this name.
    pub(crate) fn find(&self, reference: &str) -> Outcome<Option<Descriptor>> {
        let named = |descriptor: &Descriptor| {
            descriptor
                .annotations
                .get(REF_NAME)
                .is_some_and(|name| name == reference)
        };
        Ok(self.index()?.manifests.into_iter().find(named))
    }

    /// The manifest that a descriptor names.
    pub(crate) fn manifest(&self, digest: &str) -> Outcome<Manifest> {
        let bytes = self.read(digest)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("`{}` is no manifest: {error}", self.path(digest).display()),
            )
        })
    }

    fn index(&self) -> Outcome<Index> {
        let path = self.folder.join("index.json");
        let empty = Index {
            schema_version: 2,
            media_type: INDEX_TYPE.to_owned(),
            manifests: Vec::new(),
        };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("`{}` is damaged: {error}", path.display()),
                )
                .help(format!(
                    "remove `{}`: images are built again",
                    self.folder.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(empty),
            Err(error) => Err(trouble(&path, &error)),
        }
    }

    /// Removes the blobs that no named image needs, and nobody wanted lately.
    fn sweep(&self, index: &Index) -> Outcome {
        let mut needed = BTreeSet::new();
        for image in &index.manifests {
            needed.insert(image.digest.clone());
            // A manifest that cannot be read needs nothing that could be used.
            if let Ok(manifest) = self.manifest(&image.digest) {
                needed.insert(manifest.config.digest);
                needed.extend(manifest.layers.into_iter().map(|layer| layer.digest));
            }
        }
        let blobs = self.folder.join("blobs/sha256");
        let entries = std::fs::read_dir(&blobs).map_err(|error| trouble(&blobs, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_needed = needed.contains(&format!("sha256:{}", name.to_string_lossy()));
            let wanted = entry.metadata().and_then(|found| found.modified());
            let is_old = wanted.is_ok_and(|at| at.elapsed().unwrap_or_default() >= self.grace);
            if !is_needed && is_old {
                std::fs::remove_file(entry.path())
                    .map_err(|error| trouble(&entry.path(), &error))?;
            }
        }
        Ok(())
    }

    /// A folder for files that are on their way in or out; gone when dropped.
    pub(crate) fn scratch(&self) -> Outcome<tempfile::TempDir> {
        tempfile::TempDir::new_in(&self.folder).map_err(|error| trouble(&self.folder, &error))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Outcome {
        let cannot = |error: std::io::Error| trouble(path, &error);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(cannot)?;
        file.write_all(bytes).map_err(cannot)?;
        file.persist(path).map_err(|error| cannot(error.error))?;
        Ok(())
    }
}

/// `ghcr.io/acme/clock` of `ghcr.io/acme/clock:1`.
fn repository(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    }
}

/// What to say when the folder cannot be used.
pub(crate) fn trouble(path: &Path, error: &std::io::Error) -> Failure {
    let help = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "make room on that disk, or set XDG_STATE_HOME to a folder on another"
        }
        _ => "make sure that you own the folder and that its disk works",
    };
    Failure::new(
        Exit::Error,
        format!("the image cannot be kept in `{}`: {error}", path.display()),
    )
    .help(help)
}

/// Hashes and counts what goes by.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Hashes what is read.
pub(crate) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
        }
    }

    /// `sha256:…` of what was read so far.
    pub(crate) fn digest(self) -> String {
        format!("sha256:{}", hex(&self.hash.finalize()))
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps an image whose one layer is `content`.
    fn image(layout: &Layout, reference: &str, content: &str) -> Descriptor {
        let config = layout.put(CONFIG_TYPE, b"{}").unwrap();
        let layer = layout.put(LAYER_TYPE, content.as_bytes()).unwrap();
        let manifest = Manifest::image(config, vec![layer]);
        let descriptor = layout.put(MANIFEST_TYPE, &manifest.bytes()).unwrap();
        layout.name(reference, descriptor.clone()).unwrap();
        descriptor
    }

    /// A layout that keeps nothing for later.
    fn strict(root: &Path) -> Layout {
        let layout = Layout::open(&root.join("images")).unwrap();
        Layout {
            grace: Duration::ZERO,
            ..layout
        }
    }

    fn blobs(root: &Path) -> usize {
        std::fs::read_dir(root.join("images/blobs/sha256"))
            .unwrap()
            .count()
    }

    #[test]
    fn an_image_is_found_by_its_name_and_what_nobody_needs_goes() {
        let root = tempfile::tempdir().unwrap();
        let layout = strict(root.path());
        let one = image(&layout, "localhost:5000/app:1", "one");
        assert_eq!(blobs(root.path()), 3);
        let two = image(&layout, "localhost:5000/app:1", "two");
        let found = layout.find("localhost:5000/app:1").unwrap().unwrap();
        assert_eq!(found.digest, two.digest);
        assert_eq!(blobs(root.path()), 3, "the first lost its name");
        assert!(!layout.has(&one));
        let manifest = layout.manifest(&two.digest).unwrap();
        assert_eq!(layout.read(&manifest.layers[0].digest).unwrap(), b"two");
    }

    #[test]
    fn the_newest_few_of_a_name_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let layout = strict(root.path());
        image(&layout, "other:1", "other");
        for number in 0..KEPT + 2 {
            image(&layout, &format!("app:{number}"), &number.to_string());
        }
        assert!(layout.find("other:1").unwrap().is_some());
        assert!(layout.find("app:1").unwrap().is_none() && layout.find("app:2").unwrap().is_some());
        assert_eq!(blobs(root.path()), 1 + 2 * (KEPT + 1));
    }

    #[test]
    fn what_another_process_may_be_about_to_name_stays() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::open(&root.path().join("images")).unwrap();
        let blob = layout.put(LAYER_TYPE, b"on its way").unwrap();
        image(&layout, "app:1", "one");
        assert!(layout.has(&blob));
        image(&strict(root.path()), "app:2", "two");
        assert!(!layout.has(&blob));
    }

    #[test]
    fn a_damaged_blob_is_not_given_out() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::open(&root.path().join("images")).unwrap();
        let blob = layout.put(LAYER_TYPE, b"content").unwrap();
        std::fs::write(layout.path(&blob.digest), b"CONTENT").unwrap();
        assert!(
            layout
                .read(&blob.digest)
                .unwrap_err()
                .message
                .contains("is damaged")
        );
    }

    #[test]
    fn what_is_written_is_named_by_its_hash() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::open(&root.path().join("images")).unwrap();
        let (blob, count) = layout
            .put_with(LAYER_TYPE, |out| {
                out.write_all(b"con")?;
                out.write_all(b"tent")?;
                Ok(2)
            })
            .unwrap();
        assert_eq!((blob, count), (Descriptor::of(LAYER_TYPE, b"content"), 2));
    }
}
