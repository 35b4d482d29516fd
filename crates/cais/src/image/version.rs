//! The tag of an image that cais builds: the commit of its source, or what went in where there is none.
//! Asks the `git` program; where that is not installed, or there is no repository, the content decides.

use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Command, Stdio};

/// Digits of a commit, or of a content's hash, in a tag.
const DIGITS: usize = 12;

/// What a source is, as its repository says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The whole hash of the commit that is checked out.
    pub(crate) commit: String,
    /// Has the tree changes that are not committed, among the files that go in?
    pub(crate) is_dirty: bool,
    /// Where it was cloned from, as a link without credentials; `None` where that is no public address.
    pub(crate) origin: Option<String>,
}

impl Source {
    /// What the repository of `folder` says about the files in it that `goes_in` keeps (paths relative to
    /// `folder`). `None` where there is no commit to name: no repository, no `git`, nothing committed.
    pub(crate) fn of(folder: &Path, goes_in: impl Fn(&str) -> bool) -> Option<Self> {
        let commit = git(folder, &["rev-parse", "--verify", "HEAD^{commit}"])?;
        // From the repository's root, whatever the user's configuration says about relative paths.
        let prefix = git(folder, &["rev-parse", "--show-prefix"])?;
        let prefix = prefix.trim_end();
        let changed = git(
            folder,
            &[
                "status",
                "--porcelain",
                "-z",
                "--untracked-files=all",
                "--no-renames",
                "--",
                ".",
            ],
        )?;
        let paths = changed.split('\0').filter_map(|entry| entry.get(3..));
        let is_dirty = paths
            .map(|path| path.strip_prefix(prefix).unwrap_or(path))
            .any(goes_in);
        let origin = git(folder, &["config", "--get", "remote.origin.url"]);
        Some(Self {
            commit: commit.trim().to_owned(),
            is_dirty,
            origin: origin.and_then(|url| link(url.trim())),
        })
    }
}

/// The tag: `<commit>`, `<commit>-dirty-<content>` or `<content>`. `content` is hexadecimal.
pub(crate) fn tag(source: Option<&Source>, content: &str) -> String {
    let content = &content[..content.len().min(DIGITS)];
    match source {
        None => content.to_owned(),
        Some(source) => {
            let commit = &source.commit[..source.commit.len().min(DIGITS)];
            if source.is_dirty {
                format!("{commit}-dirty-{content}")
            } else {
                commit.to_owned()
            }
        }
    }
}

/// Runs `git`; `None` where it is missing or refuses.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        // Looking must not write: a concurrent `git` of the user's would find the index locked.
        .args(["--no-optional-locks", "-C"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// `git@host:a/b.git` and `https://user:token@host/a/b.git` as `https://host/a/b`; a local path is no link.
fn link(origin: &str) -> Option<String> {
    let (host, path) = match origin.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => origin
            .split_once(':')
            .filter(|(host, _)| !host.contains('/'))?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next()?;
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (host.contains('.') && !path.is_empty()).then(|| format!("https://{host}/{path}"))
}

/// A hash over parts, each with its length, so that no two lists of parts are one text.
#[derive(Default)]
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// A part that is read; `length` is how long it says it is.
    pub(crate) fn part_from(
        &mut self,
        length: u64,
        mut from: impl std::io::Read,
    ) -> std::io::Result<()> {
        self.0.update(length.to_be_bytes());
        let mut buffer = vec![0; 64 << 10];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.0.update(&buffer[..read]),
            }
        }
    }

    /// Hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `sha256:…` of bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    fn all(_: &str) -> bool {
        true
    }

    #[test]
    fn a_commit_is_dirty_by_the_files_that_go_in() {
        let root = tempfile::tempdir().unwrap();
        let app = root.path().join("app");
        std::fs::create_dir(&app).unwrap();
        assert_eq!(Source::of(&app, all), None, "no repository");
        run(root.path(), &["init", "-q"]);
        assert_eq!(Source::of(&app, all), None, "nothing committed");
        std::fs::write(app.join("main.rs"), "1").unwrap();
        std::fs::write(root.path().join("README.md"), "1").unwrap();
        run(root.path(), &["add", "."]);
        run(root.path(), &["commit", "-qm", "one"]);
        let clean = Source::of(&app, all).unwrap();
        assert!(!clean.is_dirty && clean.commit.len() == 40);

        std::fs::write(root.path().join("README.md"), "2").unwrap();
        assert!(
            !Source::of(&app, all).unwrap().is_dirty,
            "another folder's change"
        );
        std::fs::write(app.join("notes.txt"), "2").unwrap();
        assert!(
            Source::of(&app, all).unwrap().is_dirty,
            "an untracked file goes in"
        );
        let not_notes = |path: &str| path != "notes.txt";
        assert!(
            !Source::of(&app, not_notes).unwrap().is_dirty,
            "an ignored one does not"
        );
        std::fs::write(app.join("main.rs"), "2").unwrap();
        assert!(Source::of(&app, not_notes).unwrap().is_dirty);
    }

    #[test]
    fn a_tag_is_the_commit_or_what_went_in() {
        let source = |is_dirty| Source {
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            is_dirty,
            origin: None,
        };
        let content = "fedcba98765432100000";
        assert_eq!(tag(Some(&source(false)), content), "0123456789ab");
        assert_eq!(
            tag(Some(&source(true)), content),
            "0123456789ab-dirty-fedcba987654"
        );
        assert_eq!(tag(None, content), "fedcba987654");
    }

    #[test]
    fn an_origin_becomes_a_link_without_credentials() {
        let cases = [
            (
                "git@github.com:acme/app.git",
                Some("https://github.com/acme/app"),
            ),
            (
                "ssh://git@github.com:22/acme/app",
                Some("https://github.com/acme/app"),
            ),
            (
                "https://me:ghp_secret@github.com/acme/app.git",
                Some("https://github.com/acme/app"),
            ),
            (
                "https://gitlab.example.com/a/b/c",
                Some("https://gitlab.example.com/a/b/c"),
            ),
            ("/srv/git/app.git", None),
            ("file:///srv/git/app.git", None),
            ("../app", None),
            ("localhost:app", None),
        ];
        for (origin, want) in cases {
            assert_eq!(link(origin).as_deref(), want, "{origin}");
        }
    }
}
