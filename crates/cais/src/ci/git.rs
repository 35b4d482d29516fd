//! Asks git: which files differ from a revision, which there are, and what stood in one then.

use crate::exit::{Exit, Failure, Outcome};
use cais_model::source::{Source, SourceError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository's working tree.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The one that a folder is in.
    ///
    /// # Errors
    /// Where there is none, or no git.
    pub(crate) fn of(folder: &Path) -> Outcome<Self> {
        let root = git(folder, &["rev-parse", "--show-toplevel"]).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("`{}` is in no git repository: {error}", folder.display()),
            )
            .help("what changed is asked of git: make it one with `git init`")
        })?;
        Ok(Self {
            root: PathBuf::from(root.trim_end_matches('\n')),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder of it, relative to its root.
    pub(crate) fn relative(&self, folder: &Path) -> String {
        let root = self.root.canonicalize();
        let root = root.as_deref().unwrap_or(&self.root);
        let inner = folder.strip_prefix(root).unwrap_or(Path::new(""));
        inner.to_string_lossy().into_owned()
    }

    /// Files that differ from a revision, in commits or not yet, new ones included.
    ///
    /// # Errors
    /// Where git does not know the revision.
    pub(crate) fn changed_since(&self, revision: &str) -> Outcome<Vec<String>> {
        self.know(revision)?;
        // Both names of a file that moved: its old place lost it.
        let differing =
            self.list(&["diff", "--name-only", "--no-renames", "-z", revision, "--"])?;
        let new = self.list(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        Ok(differing.into_iter().chain(new).collect())
    }

    /// All files that are not ignored.
    pub(crate) fn files(&self) -> Outcome<Vec<String>> {
        self.list(&[
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
    }

    fn know(&self, revision: &str) -> Outcome {
        let commit = format!("{revision}^{{commit}}");
        let known = git(
            &self.root,
            &[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &commit,
            ],
        );
        known.map(|_| ()).map_err(|_| {
            Failure::new(Exit::Error, format!("git knows no revision `{revision}`")).help(
                "name a commit, a branch or a tag; in a pipeline, check out the history too (`fetch-depth: 0`)",
            )
        })
    }

    fn list(&self, arguments: &[&str]) -> Outcome<Vec<String>> {
        let text = git(&self.root, arguments)
            .map_err(|error| Failure::new(Exit::Error, format!("git does not answer: {error}")))?;
        let names = text.split('\0').filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }
}

/// Files as they stood in a revision; what git does not keep (`.env`, most likely) is read as it is now.
pub(crate) struct RevisionSource<'r> {
    pub(crate) repository: &'r Repository,
    pub(crate) revision: &'r str,
    /// Where relative paths begin.
    pub(crate) current: &'r Path,
    pub(crate) variables: &'r BTreeMap<String, String>,
}

impl Source for RevisionSource<'_> {
    fn read(&self, path: &Path) -> Result<String, SourceError> {
        let whole = self.current.join(path);
        let name = self.repository.relative(&whole);
        let root = self.repository.root();
        let then = format!("{}:{name}", self.revision);
        if let Ok(text) = git(root, &["show", "--end-of-options", &then]) {
            return Ok(text);
        }
        let is_kept = git(root, &["ls-files", "--error-unmatch", "--", &name]).is_ok();
        if is_kept {
            return Err(SourceError::NotFound);
        }
        std::fs::read_to_string(whole).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SourceError::NotFound,
            _ => SourceError::Other(error.to_string()),
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// Standard output, or what git said instead.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.lines().next().unwrap_or("it failed").to_owned())
    }
}
