//! Images without a registry: the test app as a static program, and programs of this machine with what they load.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `docker` with these arguments, on some engine.
pub(super) type Docker<'a> = &'a dyn Fn(&[&str]) -> Command;

/// The test app's image on this machine's engine, for cais. Dropping it removes it.
#[derive(Debug)]
pub struct AppImage {
    /// How Compose files name it.
    pub tag: String,
}

impl AppImage {
    /// Makes it; `app` is the test app as a static program.
    ///
    /// # Errors
    /// When there is no engine, or no such program.
    pub fn import(app: &Path) -> anyhow::Result<Self> {
        let tag = format!("cais-test/rollouts:{}", std::process::id());
        // What asks for health is the Compose file's to say.
        import_app(&here, app, &tag, &["EXPOSE 8080", "LABEL cais.test=1"])?;
        Ok(Self { tag })
    }
}

impl Drop for AppImage {
    fn drop(&mut self) {
        let _ = here(&["image", "rm", "--force", &self.tag]).output();
    }
}

fn here(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// The test app as an image.
pub(super) fn import_app(
    docker: Docker<'_>,
    app: &Path,
    tag: &str,
    changes: &[&str],
) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    std::fs::copy(app, root.path().join("testapp"))
        .with_context(|| format!("cannot copy `{}`", app.display()))?;
    let mut all = vec![r#"ENTRYPOINT ["/testapp"]"#, "ENV HOST=0.0.0.0 PORT=8080"];
    all.extend(changes);
    import(docker, root.path(), tag, &all)
}

/// A program of this machine as an image, with the libraries that it loads; `arguments` follow it.
pub(super) fn import_program(
    docker: Docker<'_>,
    program: &Path,
    tag: &str,
    arguments: &[&str],
) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    for file in std::iter::once(program.to_owned()).chain(libraries(program)?) {
        let copy = root.path().join(file.strip_prefix("/")?);
        std::fs::create_dir_all(copy.parent().context("a file is in a folder")?)?;
        std::fs::copy(&file, copy)?;
    }
    let name = program.to_string_lossy();
    let words: Vec<&str> = std::iter::once(&*name)
        .chain(arguments.iter().copied())
        .collect();
    let start = format!("ENTRYPOINT {}", serde_json::to_string(&words)?);
    import(docker, root.path(), tag, &[&start])
}

/// What the dynamic loader would load for `program`, and the loader.
fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output()?;
    ensure!(
        output.status.success(),
        "`ldd {}` failed",
        program.display()
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.split_whitespace();
    Ok(words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect())
}

fn import(docker: Docker<'_>, root: &Path, tag: &str, changes: &[&str]) -> anyhow::Result<()> {
    let mut tar = Command::new("tar")
        .arg("-C")
        .arg(root)
        .args(["-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `tar`")?;
    let mut arguments = vec!["import"];
    for change in changes {
        arguments.extend(["--change", change]);
    }
    arguments.extend(["-", tag]);
    let archive = tar.stdout.take().context("the pipe was asked for")?;
    let imported = docker(&arguments)
        .stdin(archive)
        .output()
        .context("cannot run `docker import`")?;
    ensure!(
        tar.wait()?.success() && imported.status.success(),
        "`docker import {tag}` failed: {}",
        String::from_utf8_lossy(&imported.stderr)
    );
    Ok(())
}
