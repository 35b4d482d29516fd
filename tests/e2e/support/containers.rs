//! Stacks in containers: an engine, an image with a shell, names of their own, and at the end proof that nothing of them is left.

use super::run::Ran;
use super::{Machine, Stack, skip};
use std::ops::Deref;
use std::process::Command;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A stack in a project whose name no other has.
pub(crate) struct Containers {
    stack: Stack,
    name: String,
}

/// The image with a shell; `None` (and a line that says so) where the test cannot run.
pub(crate) fn image(test: &str) -> Option<&'static str> {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    match IMAGE.get_or_init(make_image) {
        Ok(image) => Some(image),
        Err(reason) => {
            skip(test, reason);
            None
        }
    }
}

fn make_image() -> Result<String, String> {
    let answers = Command::new("docker").arg("version").output();
    if !answers.is_ok_and(|ran| ran.status.success()) {
        return Err("no Docker engine answers".to_owned());
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/images");
    let ran = Command::new(script)
        .arg("busybox")
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let image = said.trim().strip_prefix("busybox ").map(str::to_owned);
    image.ok_or_else(|| String::from_utf8_lossy(&ran.stderr).trim().to_owned())
}

/// What `docker` answers.
#[track_caller]
pub(crate) fn docker(words: &[&str]) -> String {
    let ran = Command::new("docker").args(words).output().unwrap();
    assert!(
        ran.status.success(),
        "docker {words:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

impl Containers {
    /// On this machine, with this file. `<image>` in it is the image, `<name>` the project's name.
    pub(crate) fn on(machine: &Rc<Machine>, image: &str, compose: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("e2e{}x{count}", std::process::id());
        let compose = compose.replace("<image>", image).replace("<name>", &name);
        Self {
            stack: machine.stack(&name, &compose),
            name,
        }
    }

    /// On a machine of its own.
    pub(crate) fn new(image: &str, compose: &str) -> Self {
        Self::on(&Machine::new(), image, compose)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ids of the stack's containers, running or not.
    pub(crate) fn all(&self) -> Vec<String> {
        self.of("ps", &["-aq"])
    }

    /// Names of the stack's volumes.
    pub(crate) fn volumes(&self) -> Vec<String> {
        self.labelled("volume", "com.docker.compose.project")
    }

    /// Names of the stack's networks.
    pub(crate) fn networks(&self) -> Vec<String> {
        self.labelled("network", "com.docker.compose.project")
    }

    fn labelled(&self, kind: &str, label: &str) -> Vec<String> {
        let filter = format!("label={label}={}", self.name);
        let listed = docker(&[kind, "ls", "-q", "--filter", &filter]);
        listed.lines().map(str::to_owned).collect()
    }

    fn of(&self, verb: &str, words: &[&str]) -> Vec<String> {
        let filter = format!("label=cais.project={}", self.name);
        let words = [&[verb], words, &["--filter", &filter]].concat();
        docker(&words).lines().map(str::to_owned).collect()
    }

    /// The container of a task.
    pub(crate) fn container(&self, task: u64) -> String {
        let label = format!("label=cais.task={task}");
        let found = self.of("ps", &["-aq", "--no-trunc", "--filter", &label]);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    /// What a command answered, with the project's name replaced: for golden files.
    pub(crate) fn shown(&self, mut ran: Ran, image: &str) -> Ran {
        for text in [&mut ran.command, &mut ran.stdout, &mut ran.stderr] {
            *text = text.replace(&self.name, "<name>").replace(image, "<image>");
        }
        ran
    }
}

impl Deref for Containers {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stack.cais("down -v").ok();
            assert_eq!(self.all(), Vec::<String>::new(), "containers after `down`");
            assert_eq!(
                self.networks(),
                Vec::<String>::new(),
                "networks after `down`"
            );
            assert_eq!(
                self.volumes(),
                Vec::<String>::new(),
                "volumes after `down -v`"
            );
            return;
        }
        let filter = format!("label=cais.project={}", self.name);
        let left = Command::new("docker")
            .args(["ps", "-aq", "--filter", &filter])
            .output();
        let left = left.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
        for id in left.unwrap_or_default().lines() {
            let _ = Command::new("docker").args(["rm", "-fv", id]).output();
        }
        for kind in ["network", "volume"] {
            let filter = format!("label=com.docker.compose.project={}", self.name);
            let left = Command::new("docker")
                .args([kind, "ls", "-q", "--filter", &filter])
                .output();
            let left = left.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
            for id in left.unwrap_or_default().lines() {
                let _ = Command::new("docker").args([kind, "rm", id]).output();
            }
        }
    }
}
