//! A stack of one service, in a folder and with a state of its own: writes its Compose file, runs the real `cais` on it.

use super::command::{Ended, Running};
use super::processes::{self, STACK_VARIABLE, TaskProcess};
use super::site::Site;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How a new revision is rolled out.
pub const DEPLOY: &[&str] = &["deploy", "--progress", "plain"];
/// How a stack is brought up, and brought back after its supervisor was killed.
pub const UP: &[&str] = &["up", "-d", "--wait", "--progress", "plain"];

/// The programs that scenarios run.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The `cais` under test.
    pub cais: PathBuf,
    /// The test app.
    pub app: PathBuf,
    /// Its image, where cais is to run containers instead of processes.
    pub image: Option<String>,
}

impl Programs {
    /// Both from one folder.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn beside(folder: &Path) -> anyhow::Result<Self> {
        let find = |name: &str, package: &str| {
            let path = folder.join(name);
            ensure!(
                path.is_file(),
                "no program `{}`; build it: cargo build -p {package}",
                path.display()
            );
            Ok(path)
        };
        Ok(Self {
            cais: find("cais", "cais")?,
            app: find("testapp", "load")?,
            image: None,
        })
    }
}

/// What the Compose file says of the service `app`.
#[derive(Debug, Clone)]
pub struct App {
    /// `deploy.replicas`.
    pub replicas: u32,
    /// `x-cais.health`, as YAML's flow form.
    pub health: Option<&'static str>,
    /// `x-cais.rollout`, as YAML's flow form.
    pub rollout: Option<&'static str>,
    /// `stop_grace_period`.
    pub grace: &'static str,
    /// The test app's variables, beside `REVISION`.
    pub variables: BTreeMap<&'static str, String>,
}

/// The health check of scenarios that have one: quick, so that a rollout is not measured by its probes' pauses.
pub const HEALTH: &str =
    "{ path: /healthz, interval: 500ms, timeout: 1s, retries: 2, start_period: 5s }";

impl App {
    /// A sound app with a health check.
    pub fn sound(replicas: u32) -> Self {
        Self {
            replicas,
            health: Some(HEALTH),
            rollout: None,
            grace: "10s",
            variables: BTreeMap::new(),
        }
    }

    /// The same with a variable.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.insert(name, value.to_string());
        self
    }
}

/// A running stack. Dropping it takes it down and removes its folder.
#[derive(Debug)]
pub struct Stack {
    folder: TempDir,
    programs: Programs,
    /// Where its gateway listens.
    pub address: SocketAddr,
    /// What its file says.
    pub app: App,
    /// The newest `REVISION` is `r<this>`.
    pub revision: u32,
}

/// A row of `cais ps --json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// The task's number.
    pub task: u64,
    /// cais' own number of its revision.
    pub revision: u32,
    /// Its phase.
    pub state: String,
    /// Its health.
    pub health: String,
    /// Its process.
    pub pid: Option<u32>,
}

impl Stack {
    /// Writes the file and brings the stack up at `r1`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn up(programs: &Programs, app: App) -> anyhow::Result<Self> {
        // Short: it is the beginning of socket paths.
        let folder = tempfile::Builder::new().prefix("rollouts-").tempdir()?;
        std::fs::create_dir(folder.path().join("run"))?;
        // Nobody keeps the port until cais takes it; then cais says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let stack = Self {
            folder,
            programs: programs.clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            app,
            revision: 1,
        };
        stack.write()?;
        let ended = stack.cais(UP)?;
        ensure!(
            ended.status.success(),
            "the stack did not come up:\n{}",
            ended.output
        );
        Ok(stack)
    }

    /// The name that its tasks bear in [`STACK_VARIABLE`].
    pub fn name(&self) -> String {
        let name = self.folder.path().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// `XDG_STATE_HOME`.
    pub fn state_home(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Changes the file to what `change` makes of the app, at the next `REVISION`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn edit(&mut self, change: impl FnOnce(&mut App)) -> anyhow::Result<()> {
        change(&mut self.app);
        self.revision += 1;
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let path = self.folder.path().join("compose.yaml");
        std::fs::write(&path, self.text()?)
            .with_context(|| format!("cannot write `{}`", path.display()))
    }

    fn text(&self) -> anyhow::Result<String> {
        let App {
            replicas,
            health,
            rollout,
            grace,
            variables,
        } = &self.app;
        let mut text = format!(
            "name: rollouts\nx-cais: {{ listen: \"{}\" }}\nservices:\n  app:\n    stop_grace_period: {grace}\n    \
             deploy: {{ replicas: {replicas} }}\n    environment:\n      REVISION: r{}\n      {STACK_VARIABLE}: {}\n",
            self.address,
            self.revision,
            self.name(),
        );
        for (name, value) in variables {
            writeln!(text, "      {name}: \"{value}\"")?;
        }
        // The port is the image's own word (EXPOSE).
        match &self.programs.image {
            Some(image) => writeln!(text, "    image: {image}\n    x-cais:")?,
            None => writeln!(
                text,
                "    x-cais:\n      process: {{ command: [\"{}\"] }}",
                self.programs.app.display()
            )?,
        }
        writeln!(text, "      route: {{ path: / }}")?;
        for (key, value) in [("health", health), ("rollout", rollout)] {
            if let Some(value) = value {
                writeln!(text, "      {key}: {value}")?;
            }
        }
        Ok(text)
    }

    /// Runs a command of cais to its end.
    ///
    /// # Errors
    /// When it cannot be run, or hangs.
    pub fn cais(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        self.start(arguments)?.wait()
    }

    /// Starts a command of cais.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        let mut command = Command::new(&self.programs.cais);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_STATE_HOME", self.state_home())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"));
        Running::start(command)
    }

    /// What `cais ps` says.
    ///
    /// # Errors
    /// When it fails, or what it prints is no such table.
    pub fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let ended = self.cais(&["ps", "--json"])?;
        ensure!(
            ended.status.success(),
            "`cais ps` failed:\n{}",
            ended.output
        );
        // Notes go to standard error, which is in the same file.
        let end = ended.output.rfind(']').map_or(0, |end| end + 1);
        serde_json::from_str(&ended.output[..end])
            .with_context(|| format!("not a table of tasks: {}", ended.output))
    }

    /// Its task processes, whatever cais believes.
    pub fn processes(&self) -> Vec<TaskProcess> {
        processes::tasks(&self.name())
    }

    /// Its supervisor's process.
    ///
    /// # Errors
    /// When there are two.
    pub fn supervisor(&self) -> anyhow::Result<Option<u32>> {
        let found = processes::of_cais("supervise", &self.state_home());
        ensure!(found.len() < 2, "two supervisors: {found:?}");
        Ok(found.first().copied())
    }

    /// Its gateway's process.
    ///
    /// # Errors
    /// When there is none, or two.
    pub fn gateway(&self) -> anyhow::Result<u32> {
        match processes::of_cais("gateway", &self.state_home())[..] {
            [pid] => Ok(pid),
            ref other => bail!("{} gateways: {other:?}", other.len()),
        }
    }

    /// Takes it down.
    ///
    /// # Errors
    /// When something is left that should not be.
    pub fn down(&self) -> anyhow::Result<()> {
        let ended = self.cais(&["down", "--progress", "plain"])?;
        ensure!(
            ended.status.success(),
            "`cais down` failed:\n{}",
            ended.output
        );
        let left = self.processes();
        ensure!(
            left.is_empty(),
            "tasks are left after `cais down`: {left:?}"
        );
        Ok(())
    }

    /// Keeps its folder, where the journal and the supervisor's log are.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

impl Site for Stack {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn app(&self) -> &App {
        &self.app
    }

    fn revision(&self) -> u32 {
        self.revision
    }

    fn edit(&mut self, variables: &[(&'static str, &str)]) -> anyhow::Result<()> {
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.edit(|app| app.variables.extend(variables))
    }

    fn deploy(&self) -> anyhow::Result<Ended> {
        self.cais(DEPLOY)
    }

    fn processes(&self) -> Vec<TaskProcess> {
        self.processes()
    }

    fn keep(&mut self) -> PathBuf {
        self.keep()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.down().is_err() {
            // A scenario that failed must leave nothing behind: only its own processes are found here.
            let cais = ["supervise", "gateway", "shim"];
            let cais = cais
                .iter()
                .flat_map(|verb| processes::of_cais(verb, &self.state_home()));
            let tasks = self.processes().into_iter().map(|process| process.pid);
            cais.chain(tasks).for_each(processes::kill);
        }
    }
}
