//! The Docker engine that a test may use, where there is one; what is made there is removed again.

use super::{Machine, has_program, program};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Is there an engine that answers? Where not, this says that the test was skipped.
pub(crate) fn is_there(test: &str) -> bool {
    let answers = has_program("docker")
        && Command::new(program("docker"))
            .arg("info")
            .output()
            .is_ok_and(|ran| ran.status.success());
    if !answers {
        super::skip(test, "no Docker engine answers");
    }
    answers
}

/// What `docker` prints, with the machine's logins.
#[track_caller]
pub(crate) fn run(machine: &Machine, words: &[&str]) -> String {
    let output = Command::new(program("docker"))
        .args(words)
        .env("HOME", machine.root().join("home"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "docker {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The folder of a `docker` that speaks BuildKit: with the buildx plugin, or of a version that has it in itself.
pub(crate) fn with_buildkit() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let answers = |program: &Path, words: &[&str]| {
        Command::new(program)
            .args(words)
            .output()
            .ok()
            .filter(|ran| ran.status.success())
    };
    path.split(':').map(PathBuf::from).find(|folder| {
        let program = folder.join("docker");
        let version = answers(&program, &["--version"])
            .map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
        let is_old = |version: String| {
            ["18", "19", "20", "21", "22"]
                .iter()
                .any(|major| version.starts_with(&format!("Docker version {major}.")))
        };
        answers(&program, &["buildx", "version"]).is_some() || version.is_some_and(is_old)
    })
}

/// An image that goes with the test.
pub(crate) struct Image(pub(crate) String);

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new(program("docker"))
            .args(["rmi", "-f", &self.0])
            .output();
    }
}
