//! A machine of its own for each test: home, state and runtime folders, ports, and at the end proof
//! that nothing of it is left.

pub(crate) mod containers;
pub(crate) mod docker;
pub(crate) mod engine_proxy;
pub(crate) mod golden;
pub(crate) mod http;
pub(crate) mod processes;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod small_disk;

use processes::Process;
use run::{Ran, Running};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing that a test waits for takes so long unless it never comes.
const PATIENCE: Duration = Duration::from_secs(45);

/// Ports for tests: below those that cais gives to tasks and the kernel to outgoing connections.
const PORTS: std::ops::Range<u16> = 12_000..19_000;

/// A user's home, shared by the stacks that one test makes.
pub(crate) struct Machine {
    root: TempDir,
    ports: RefCell<Vec<(u16, File)>>,
    variables: RefCell<Vec<(String, String)>>,
}

/// A folder with a Compose file.
pub(crate) struct Stack {
    pub(crate) machine: Rc<Machine>,
    folder: PathBuf,
}

impl Machine {
    pub(crate) fn new() -> Rc<Self> {
        // Not TMPDIR: sockets have short paths.
        let root = tempfile::Builder::new()
            .prefix("cais-e2e-")
            .tempdir_in("/tmp")
            .unwrap();
        for folder in ["home", "state", "run"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let machine = Self {
            root,
            ports: RefCell::default(),
            variables: RefCell::default(),
        };
        // The engine is the one thing of the real machine that a test's has too.
        if let Ok(host) = std::env::var("DOCKER_HOST") {
            machine.set("DOCKER_HOST", &host);
        }
        Rc::new(machine)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A port that no other test gets while this machine lives, in this process or another.
    pub(crate) fn port(&self) -> u16 {
        let locks = std::env::temp_dir().join("cais-e2e-ports");
        std::fs::create_dir_all(&locks).unwrap();
        for port in PORTS {
            let file = File::create(locks.join(port.to_string())).unwrap();
            if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
                .is_ok()
                && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
            {
                self.ports.borrow_mut().push((port, file));
                return port;
            }
        }
        panic!("no free port");
    }

    /// Sets a variable for every later command.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.variables
            .borrow_mut()
            .push((name.to_owned(), value.to_owned()));
    }

    /// Makes a folder with this Compose file, which may use `<port>` for a port of the machine's.
    pub(crate) fn stack(self: &Rc<Self>, folder: &str, compose: &str) -> Stack {
        let stack = Stack {
            machine: Rc::clone(self),
            folder: self.root().join(folder),
        };
        std::fs::create_dir_all(&stack.folder).unwrap();
        stack.write("service.py", include_str!("service.py"));
        stack.compose(compose);
        stack
    }

    /// Every living process of this machine.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of(self.root())
    }

    /// Waits until no process and no socket is left; `Err` tells what is.
    pub(crate) fn is_clean(&self) -> Result<(), String> {
        let mut left = String::new();
        let clean = holds_within(Duration::from_secs(5), || {
            let processes = self.processes();
            let sockets: Vec<_> = std::fs::read_dir(self.root().join("run/cais"))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
            left = format!("left are {processes:#?} {sockets:#?}");
            processes.is_empty() && sockets.is_empty()
        });
        clean.then_some(()).ok_or(left)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let clean = self.is_clean();
        // Only what this machine's own environment marks.
        for process in self.processes() {
            processes::kill(process.pid);
        }
        if !std::thread::panicking() {
            assert_eq!(clean, Ok(()), "after `down`");
        }
    }
}

impl Stack {
    /// A stack on a machine of its own.
    pub(crate) fn new(compose: &str) -> Self {
        Machine::new().stack("demo", compose)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces the Compose file.
    pub(crate) fn compose(&self, text: &str) {
        self.write("compose.yaml", text);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.join(name)).unwrap();
    }

    /// Runs `cais` to its end; `words` are its arguments, separated by spaces.
    #[track_caller]
    pub(crate) fn cais(&self, words: &str) -> Ran {
        self.start(words).wait()
    }

    /// Starts `cais`.
    pub(crate) fn start(&self, words: &str) -> Running {
        let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        run::start(self.command(), &words)
    }

    fn command(&self) -> std::process::Command {
        self.on_this_machine(run::binary(&self.folder))
    }

    /// A command in the stack's folder, with the environment of its machine and nothing else.
    pub(crate) fn on_this_machine(
        &self,
        mut command: std::process::Command,
    ) -> std::process::Command {
        let root = self.machine.root();
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", path())
            .env("HOME", root.join("home"))
            .env("XDG_STATE_HOME", root.join("state"))
            .env("XDG_RUNTIME_DIR", root.join("run"))
            .envs(self.machine.variables.borrow().iter().cloned());
        command
    }

    /// The folder of the stack's state; there is one stack of its name.
    pub(crate) fn state(&self) -> PathBuf {
        let prefix = format!("{}-", self.folder.file_name().unwrap().to_str().unwrap());
        std::fs::read_dir(self.machine.root().join("state/cais"))
            .unwrap()
            .flatten()
            .find(|entry| entry.file_name().to_str().unwrap().starts_with(&prefix))
            .map(|entry| entry.path())
            .expect("a state folder")
    }

    /// `ps --json`, tasks that ended included.
    #[track_caller]
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let rows = self.cais("ps --all --json").ok().json();
        let rows = rows.as_array().expect("an array").iter();
        rows.map(Task::of).collect()
    }

    /// The tasks of one service that are healthy.
    #[track_caller]
    pub(crate) fn healthy(&self, service: &str) -> Vec<Task> {
        let mut tasks = self.tasks();
        tasks.retain(|task| {
            task.service == service && task.state == "running" && task.health == "healthy"
        });
        tasks
    }

    /// The one process whose arguments begin like this: `cais supervise`, `cais gateway`.
    #[track_caller]
    pub(crate) fn process(&self, beginning: &str) -> Process {
        let mut found = self.machine.processes();
        found.retain(|process| process.command.starts_with(beginning));
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// Waits until the log of all tasks has this text.
    #[track_caller]
    pub(crate) fn logs_have(&self, text: &str) {
        eventually(&format!("the log has `{text}`"), || {
            self.cais("logs").stdout.contains(text)
        });
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.machine.processes().is_empty() {
            return;
        }
        if std::thread::panicking() {
            self.tell();
            return;
        }
        self.cais("down").ok();
    }
}

impl Stack {
    /// What helps to understand a test that failed.
    fn tell(&self) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "--- {}", self.folder.display());
        for process in self.machine.processes() {
            let _ = writeln!(err, "{process:?}");
        }
        let states = std::fs::read_dir(self.machine.root().join("state/cais"));
        for state in states.into_iter().flatten().flatten() {
            let log = std::fs::read_to_string(state.path().join("supervisor.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(60)..] {
                let _ = writeln!(err, "{line}");
            }
        }
    }
}

/// One row of `ps --json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) service: String,
    pub(crate) revision: u64,
    pub(crate) state: String,
    pub(crate) health: String,
    pub(crate) pid: Option<u32>,
    pub(crate) reason: Option<String>,
    pub(crate) exit: Option<String>,
    /// Where it listens on 127.0.0.1, if its container port is 8080.
    pub(crate) port: Option<u16>,
}

impl Task {
    fn of(row: &serde_json::Value) -> Self {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Self {
            id: row["task"].as_u64().expect("a task's number"),
            service: text("service").expect("a service"),
            revision: row["revision"].as_u64().expect("a revision"),
            state: text("state").expect("a state"),
            health: text("health").expect("a health"),
            pid: row["pid"].as_u64().and_then(|pid| pid.try_into().ok()),
            reason: text("reason"),
            exit: text("exit"),
            port: row["ports"]["8080"]
                .as_u64()
                .and_then(|port| port.try_into().ok()),
        }
    }
}

/// Waits until `what` holds, or fails the test.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(
        holds_within(PATIENCE, holds),
        "not within {PATIENCE:?}: {what}"
    );
}

/// Does it hold within this time?
pub(crate) fn holds_within(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    while !holds() {
        if began.elapsed() > time {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    true
}

/// The caller's PATH with the real interpreter's folder first: a version manager's stand-in takes
/// longer to start than the test service itself.
fn path() -> String {
    use std::sync::OnceLock;
    static PATH: OnceLock<String> = OnceLock::new();
    let find = || {
        let path = std::env::var("PATH").unwrap_or_default();
        let found = std::process::Command::new("python3")
            .args([
                "-c",
                "import os, sys; print(os.path.dirname(sys.executable))",
            ])
            .output()
            .expect("python3 runs the test services");
        let folder = String::from_utf8(found.stdout).unwrap();
        format!("{}:{path}", folder.trim())
    };
    PATH.get_or_init(find).clone()
}

/// Where a program is.
pub(crate) fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("no `{name}` in PATH"))
}

/// Is a program installed?
pub(crate) fn has_program(name: &str) -> bool {
    find(name).is_some()
}

fn find(name: &str) -> Option<PathBuf> {
    let path = path();
    let mut files = path.split(':').map(|folder| Path::new(folder).join(name));
    files.find(|file| file.exists())
}

/// Says that a test cannot run here, where people and CI look.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("CAIS_SKIPPED") {
        let file = File::options().append(true).create(true).open(list);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
