//! A build context: which files go to the builder, their hash, and the archive that carries them.

use super::ignore::{self, Ignore};
use super::version::ContentHash;
use crate::exit::{Exit, Failure, Outcome};
use std::fs::Metadata;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A local folder that an image is built from.
pub(crate) struct Context {
    folder: PathBuf,
    ignore: Ignore,
    /// The Dockerfile's name in the archive.
    pub(crate) dockerfile: String,
    /// Its text, where it is not in the folder: another folder's, or inline.
    outside: Option<Vec<u8>>,
}

/// One file of a context.
struct Item {
    /// Relative, with `/`.
    name: String,
    path: PathBuf,
    metadata: Metadata,
}

impl Context {
    /// A context with its ignore file read. `dockerfile` is relative to the folder; `inline` is its text.
    pub(crate) fn open(folder: &Path, dockerfile: &str, inline: Option<&str>) -> Outcome<Self> {
        if !folder.is_dir() {
            return Err(Failure::new(
                Exit::Usage,
                format!("the build context `{}` is not a folder", folder.display()),
            )
            .help("correct `build.context`; it is relative to the Compose file's folder"));
        }
        let path = folder.join(dockerfile);
        let mut ignore = read_ignore(folder, &path)?;
        let (name, outside) = match inline {
            Some(text) => (own_name(text.as_bytes()), Some(text.as_bytes().to_vec())),
            None => place(folder, &path)?,
        };
        ignore.always(&[&name, ".dockerignore"]);
        Ok(Self {
            folder: folder.to_owned(),
            ignore,
            dockerfile: name,
            outside,
        })
    }

    /// Does this path (relative to the folder) go in?
    pub(crate) fn has(&self, path: &str) -> bool {
        !self.ignore.excludes(path)
    }

    /// The text of the Dockerfile.
    pub(crate) fn dockerfile_text(&self) -> String {
        let bytes = match &self.outside {
            Some(bytes) => bytes.clone(),
            None => std::fs::read(self.folder.join(&self.dockerfile)).unwrap_or_default(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A hash over the names, kinds, modes and contents of what goes in; `more` is what else the image depends on.
    pub(crate) fn hash(&self, more: &[String]) -> Outcome<String> {
        let mut hash = ContentHash::default();
        for text in more {
            hash.part(text.as_bytes());
        }
        if let Some(bytes) = &self.outside {
            hash.part(bytes);
        }
        for item in self.items()? {
            hash.part(item.name.as_bytes());
            // Who owns a file, and when it was written, is another on every machine.
            hash.part(&(item.metadata.permissions().mode() & 0o111).to_be_bytes());
            item.hash_into(&mut hash)
                .map_err(|error| unreadable(&item.path, &error))?;
        }
        Ok(hash.finish())
    }

    /// Writes the archive that the engine reads.
    pub(crate) fn write(&self, out: impl Write) -> Outcome {
        let mut archive = tar::Builder::new(out);
        archive.mode(tar::HeaderMode::Complete);
        if let Some(bytes) = &self.outside {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            let added = archive.append_data(&mut header, &self.dockerfile, bytes.as_slice());
            added.map_err(|error| unwritable(&error))?;
        }
        for item in self.items()? {
            item.append(&mut archive)?;
        }
        archive.finish().map_err(|error| unwritable(&error))
    }

    /// What goes in, in name order.
    fn items(&self) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        self.walk(&self.folder, "", &mut items)?;
        Ok(items)
    }

    fn walk(&self, folder: &Path, prefix: &str, items: &mut Vec<Item>) -> Outcome {
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(|error| unreadable(folder, &error))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Some(own) = entry.file_name().to_str().map(str::to_owned) else {
                return Err(Failure::new(
                    Exit::Error,
                    format!("the name of `{}` is not UTF-8", path.display()),
                )
                .help("rename it, or leave it out in `.dockerignore`"));
            };
            let name = format!("{prefix}{own}");
            let excluded = self.ignore.excludes(&name);
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(_) if excluded => continue,
                // Gone since the folder was read.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path, &error)),
            };
            let is_folder = metadata.is_dir();
            let descends = is_folder && (!excluded || self.ignore.may_include_below(&name));
            let is_socket = metadata.file_type().is_socket();
            if !excluded && !is_socket {
                items.push(Item {
                    name: name.clone(),
                    path: path.clone(),
                    metadata,
                });
            }
            if descends {
                self.walk(&path, &format!("{name}/"), items)?;
            }
        }
        Ok(())
    }
}

impl Item {
    /// A file's bytes, a link's target, nothing of a folder.
    fn hash_into(&self, hash: &mut ContentHash) -> std::io::Result<()> {
        let kind = self.metadata.file_type();
        if kind.is_symlink() {
            let target = std::fs::read_link(&self.path)?;
            hash.part(b"link");
            hash.part(target.as_os_str().as_bytes());
        } else if kind.is_file() {
            hash.part(b"file");
            hash.part_from(self.metadata.size(), std::fs::File::open(&self.path)?)?;
        } else {
            hash.part(b"folder");
        }
        Ok(())
    }

    fn append(&self, archive: &mut tar::Builder<impl Write>) -> Outcome {
        let kind = self.metadata.file_type();
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&self.metadata);
        // As Docker's own client sends it: the builder's files belong to root.
        header.set_uid(0);
        header.set_gid(0);
        let name = if kind.is_dir() {
            format!("{}/", self.name)
        } else {
            self.name.clone()
        };
        let added = if kind.is_symlink() {
            let target =
                std::fs::read_link(&self.path).map_err(|error| unreadable(&self.path, &error))?;
            header.set_size(0);
            archive.append_link(&mut header, &name, target)
        } else if kind.is_file() {
            let file =
                std::fs::File::open(&self.path).map_err(|error| unreadable(&self.path, &error))?;
            // As long as it was when it was looked at, whatever is written to it meanwhile.
            let size = self.metadata.size();
            let exact = file.take(size).chain(std::io::repeat(0)).take(size);
            archive.append_data(&mut header, &name, exact)
        } else {
            header.set_size(0);
            archive.append_data(&mut header, &name, std::io::empty())
        };
        added.map_err(|error| unwritable(&error))
    }
}

fn read_ignore(folder: &Path, dockerfile: &Path) -> Outcome<Ignore> {
    let Some(path) = ignore::file_for(folder, dockerfile) else {
        return Ok(Ignore::default());
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    Ignore::parse(&text).map_err(|(line, what)| {
        Failure::new(Exit::Usage, format!("{}:{line}: {what}", path.display()))
            .help("a pattern is a path with `*`, `?`, `[…]` or `**`; `!` before it brings back")
    })
}

/// The Dockerfile's name in the archive, and its bytes where it lies outside of the folder.
fn place(folder: &Path, path: &Path) -> Outcome<(String, Option<Vec<u8>>)> {
    let missing = |error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!(
                "the Dockerfile `{}` cannot be read: {error}",
                path.display()
            ),
        )
        .help("write one, or name it in `build.dockerfile`; it is relative to the build context")
    };
    let bytes = std::fs::read(path).map_err(missing)?;
    let (Ok(folder), Ok(real)) = (folder.canonicalize(), path.canonicalize()) else {
        return Ok((own_name(&bytes), Some(bytes)));
    };
    match real.strip_prefix(&folder).ok().and_then(Path::to_str) {
        Some(name) => Ok((name.to_owned(), None)),
        None => Ok((own_name(&bytes), Some(bytes))),
    }
}

/// A name that no file of the context has by chance.
fn own_name(bytes: &[u8]) -> String {
    let digest = super::version::digest(bytes);
    format!(".dockerfile.{}", &digest[7..19])
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Error,
        format!("cannot read `{}` for the build: {error}", path.display()),
    )
    .help("let your user read it, or leave it out in `.dockerignore`")
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Error,
        format!("the build context could not be sent: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn names(context: &Context) -> Vec<String> {
        let mut bytes = Vec::new();
        context.write(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn the_archive_has_what_the_ignore_file_leaves() {
        let root = context(&[
            ("Dockerfile", "FROM scratch"),
            (".dockerignore", "*\n!src/**/*.rs\n"),
            ("src/main.rs", ""),
            ("src/notes.txt", ""),
            ("target/big", ""),
        ]);
        let context = Context::open(root.path(), "Dockerfile", None).unwrap();
        assert_eq!(
            names(&context),
            [".dockerignore", "Dockerfile", "src/main.rs"]
        );
    }

    #[test]
    fn a_dockerfile_of_another_folder_comes_along_under_a_name_of_its_own() {
        let root = context(&[("app/a", "1"), ("docker/web", "FROM scratch")]);
        let context = Context::open(&root.path().join("app"), "../docker/web", None).unwrap();
        assert!(context.dockerfile.starts_with(".dockerfile."));
        assert_eq!(names(&context), [context.dockerfile.as_str(), "a"]);
        assert_eq!(context.dockerfile_text(), "FROM scratch");
    }

    #[test]
    fn the_hash_is_of_names_contents_and_rights_and_of_nothing_else() {
        let files = [
            ("Dockerfile", "FROM scratch"),
            ("a/b", "1"),
            (".dockerignore", "log"),
        ];
        let (one, two) = (context(&files), context(&files));
        let hash = |root: &tempfile::TempDir| {
            let context = Context::open(root.path(), "Dockerfile", None).unwrap();
            context.hash(&[]).unwrap()
        };
        let first = hash(&one);
        assert_eq!(first, hash(&two), "two paths, two times");
        std::fs::write(two.path().join("log"), "left out").unwrap();
        assert_eq!(first, hash(&two));
        std::fs::set_permissions(
            two.path().join("a/b"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        assert_ne!(first, hash(&two), "it may be executed now");
        std::fs::write(one.path().join("a/b"), "2").unwrap();
        assert_ne!(first, hash(&one));
    }

    #[test]
    fn what_is_wrong_with_a_context_is_told() {
        let root = context(&[(".dockerignore", "a\n[b")]);
        let open = |folder: &str, file: &str| {
            let failure = Context::open(&root.path().join(folder), file, None);
            failure
                .err()
                .unwrap()
                .message
                .replace(&root.path().display().to_string(), "ROOT")
        };
        assert_eq!(
            open("nowhere", "Dockerfile"),
            "the build context `ROOT/nowhere` is not a folder"
        );
        assert_eq!(
            open("", "Dockerfile"),
            "ROOT/.dockerignore:2: `[b` is not a pattern"
        );
        std::fs::remove_file(root.path().join(".dockerignore")).unwrap();
        assert_eq!(
            open("", "Dockerfile"),
            "the Dockerfile `ROOT/Dockerfile` cannot be read: No such file or directory (os error 2)"
        );
    }
}
