//! Where a project's state and sockets live, and how they are made private. Decides names; opens nothing else.

use crate::exit::{Exit, Failure, Outcome};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folders of one project on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// `$XDG_STATE_HOME/cais/<project>-<hash of its path>`: journal, tasks, logs. 0700.
    pub(crate) state: PathBuf,
    /// A short folder for sockets (`sun_path` holds 108 bytes). 0700.
    pub(crate) runtime: PathBuf,
}

impl Paths {
    /// The folders of the project `name` whose Compose file lives in `directory`. Creates nothing.
    pub(crate) fn of(name: &str, directory: &Path) -> Outcome<Self> {
        let digest = blake3::hash(directory.as_os_str().as_encoded_bytes()).to_hex();
        let key = format!("{name}-{}", &digest[..10]);
        // The runtime folder's name does not grow with the project's: sockets have short paths.
        let short = blake3::hash(key.as_bytes()).to_hex();
        Ok(Self {
            state: state_root()?.join(&key),
            runtime: runtime_root()?.join(&short[..12]),
        })
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.state.join("journal.db")
    }

    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.state.join("supervisor.lock")
    }

    pub(crate) fn supervisor_log(&self) -> PathBuf {
        self.state.join("supervisor.log")
    }

    pub(crate) fn tasks(&self) -> PathBuf {
        self.state.join("tasks")
    }

    pub(crate) fn task(&self, id: u64) -> PathBuf {
        self.tasks().join(id.to_string())
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.state.join("artifacts")
    }

    /// Images that cais assembled: an OCI layout.
    pub(crate) fn images(&self) -> PathBuf {
        self.state.join("images")
    }

    /// Files that `watch` copied into containers.
    pub(crate) fn layers(&self) -> PathBuf {
        self.state.join("layers")
    }

    pub(crate) fn control_socket(&self) -> PathBuf {
        self.runtime.join("control.sock")
    }

    pub(crate) fn gateway_socket(&self) -> PathBuf {
        self.runtime.join("gateway.sock")
    }

    pub(crate) fn task_socket(&self, id: u64) -> PathBuf {
        self.runtime.join(format!("{id}.sock"))
    }

    /// Files that stand in for secrets and configs without a file of their own.
    pub(crate) fn mounts(&self) -> PathBuf {
        self.runtime.join("mounts")
    }

    /// Copies of secrets and configs that containers mount.
    pub(crate) fn container_files(&self) -> PathBuf {
        self.mounts().join("containers")
    }

    /// Makes both folders, private to this user.
    pub(crate) fn create(&self) -> Outcome {
        private_dir(&self.state)?;
        private_dir(&self.tasks())?;
        // Whoever owns the folder above could put another in this one's place.
        private_dir(self.runtime.parent().unwrap_or(&self.runtime))?;
        private_dir(&self.runtime)
    }
}

/// `$XDG_STATE_HOME/cais`, by default `~/.local/state/cais`.
pub(crate) fn state_root() -> Outcome<PathBuf> {
    absolute_variable("XDG_STATE_HOME")
        .or_else(|| absolute_variable("HOME").map(|home| home.join(".local/state")))
        .map(|root| root.join("cais"))
        .ok_or_else(|| {
            Failure::new(
                Exit::Error,
                "no place for state: neither XDG_STATE_HOME nor HOME is set",
            )
            .help("set HOME, or XDG_STATE_HOME to a folder of yours")
        })
}

/// `$XDG_CONFIG_HOME/cais`, by default `~/.config/cais`: what belongs to the user and to no project.
pub(crate) fn config_root() -> Outcome<PathBuf> {
    absolute_variable("XDG_CONFIG_HOME")
        .or_else(|| absolute_variable("HOME").map(|home| home.join(".config")))
        .map(|root| root.join("cais"))
        .ok_or_else(|| {
            Failure::new(
                Exit::Error,
                "no place for keys: neither XDG_CONFIG_HOME nor HOME is set",
            )
            .help("set HOME, or XDG_CONFIG_HOME to a folder of yours")
        })
}

/// `$XDG_RUNTIME_DIR/cais`, else `/tmp/cais-<uid>`.
fn runtime_root() -> Outcome<PathBuf> {
    if let Some(root) = absolute_variable("XDG_RUNTIME_DIR") {
        let root = root.join("cais");
        // 108 bytes, less "/<12>/<20 digits>.sock" and the final zero.
        if root.as_os_str().len() <= 60 {
            return Ok(root);
        }
    }
    Ok(PathBuf::from(format!(
        "/tmp/cais-{}",
        rustix::process::getuid().as_raw()
    )))
}

fn absolute_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Makes `path` (and its parents) with mode 0700, and refuses a folder that somebody else owns: in
/// `/tmp` another user could have made it first.
pub(crate) fn private_dir(path: &Path) -> Outcome {
    let cannot = |what: &str, error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("cannot {what} `{}`: {error}", path.display()),
        )
        .help(format!(
            "make sure that you own `{}` and that its disk has room",
            path.parent().unwrap_or(path).display()
        ))
    };
    if let Some(file) = path.ancestors().find(|folder| folder.is_file()) {
        return Err(Failure::new(
            Exit::Error,
            format!(
                "cannot create the folder `{}`: `{}` is a file",
                path.display(),
                file.display()
            ),
        )
        .help(
            "move the file away, or set XDG_STATE_HOME and XDG_RUNTIME_DIR to folders of yours",
        ));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| cannot("create the folder", e))?;
    let meta = std::fs::symlink_metadata(path).map_err(|e| cannot("look at the folder", e))?;
    let me = rustix::process::getuid().as_raw();
    if meta.uid() != me || !meta.is_dir() {
        return Err(Failure::new(
            Exit::Error,
            format!(
                "`{}` belongs to user {}, not to you (user {me})",
                path.display(),
                meta.uid()
            ),
        )
        .help("remove it, or set XDG_STATE_HOME and XDG_RUNTIME_DIR to folders of your own"));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| cannot("make private the folder", e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_of_one_name_are_two_projects() {
        let a = Paths::of("demo", Path::new("/a")).unwrap();
        let b = Paths::of("demo", Path::new("/b")).unwrap();
        assert_ne!(a, b);
        assert!(
            a.state
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("demo-")
        );
    }

    #[test]
    fn socket_paths_fit_sun_path() {
        let paths = Paths::of(&"x".repeat(200), Path::new("/somewhere")).unwrap();
        assert!(paths.task_socket(u64::MAX).as_os_str().len() < 108);
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        private_dir(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}
