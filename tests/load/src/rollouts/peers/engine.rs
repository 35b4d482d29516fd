//! A Docker engine of the peers' own, in a network namespace of its own: what they leave behind goes with it, and the
//! machine's engine, its bridges and its firewall are not touched. Needs root and Debian's docker.io.

use crate::rollouts::command::{Ended, Running};
use anyhow::{Context, bail, ensure};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// So long it may take to answer.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running `dockerd`. Dropping it ends it, with everything in it.
#[derive(Debug)]
pub(super) struct Engine {
    folder: TempDir,
    dockerd: Child,
    link: Link,
}

impl Engine {
    /// Starts one.
    ///
    /// # Errors
    /// When this machine cannot: the reason is what is missing.
    pub(super) fn start() -> anyhow::Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "only root can start a Docker engine in a namespace"
        );
        for (program, package) in [("dockerd", "docker.io"), ("ip", "iproute2")] {
            ensure!(
                super::program(program).is_some(),
                "`{program}` is not installed: apt-get install {package}"
            );
        }
        let folder = tempfile::Builder::new().prefix("peers-").tempdir()?;
        let link = Link::new()?;
        let log = std::fs::File::create(folder.path().join("dockerd.log"))?;
        // Not `ip netns exec`, which mounts a new /sys without the control groups in it. When this program is killed the
        // engine is told to stop.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "nsenter"])
            .arg(format!("--net=/run/netns/{}", link.namespace))
            .arg("dockerd")
            .args(["--shutdown-timeout", "2"])
            .arg("--data-root")
            .arg(folder.path().join("data"))
            .arg("--exec-root")
            .arg(folder.path().join("exec"))
            .arg("--pidfile")
            .arg(folder.path().join("pid"))
            .args(["--host", &host(folder.path())])
            // Away from the networks of the machine's engine, which routes of this namespace could shadow.
            .args(["--bip", "10.213.0.1/24"])
            .args(["--default-address-pool", "base=10.213.128.0/17,size=24"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let dockerd = command
            .spawn()
            .context("cannot run `setpriv nsenter dockerd`")?;
        let mut engine = Self {
            folder,
            dockerd,
            link,
        };
        engine.await_answer()?;
        Ok(engine)
    }

    fn await_answer(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.run(&["version"])?.status.success() {
            let ended = self.dockerd.try_wait()?.is_some();
            if ended || began.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.folder.path().join("dockerd.log"))?;
                let last = log.lines().rev().take(5).collect::<Vec<_>>();
                bail!("dockerd does not start:\n{}", last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Where ports answer that containers publish.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.link.inside
    }

    /// Where files for its containers may lie.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its socket, as `docker --host` wants it.
    pub(super) fn host(&self) -> String {
        host(self.folder.path())
    }

    /// `docker ARGUMENTS…` on it.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.host()]).args(arguments);
        command
    }

    /// The same, to its end.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<Ended> {
        Running::start(self.command(arguments))?.wait()
    }

    /// The same, which must succeed; what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn docker(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let ended = self.run(arguments)?.ok();
        ended.with_context(|| format!("`docker {}` failed", arguments.join(" ")))
    }

    /// Removes every container, whatever it does, and waits until none is there.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let left = self.docker(&["ps", "--all", "--quiet"])?;
            if left.trim().is_empty() {
                return Ok(());
            }
            ensure!(began.elapsed() < START_LIMIT, "containers stay: {left}");
            let mut arguments = vec!["rm", "--force", "--volumes"];
            arguments.extend(left.split_whitespace());
            // One that is on its way out already is no failure.
            self.run(&arguments)?;
        }
    }
}

fn host(folder: &Path) -> String {
    format!("unix://{}/docker.sock", folder.display())
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.clear();
        if let Some(pid) = i32::try_from(self.dockerd.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        // It ends its containerd and unmounts what it mounted, or its folder could not be removed.
        let _ = self.dockerd.wait();
    }
}

/// A network namespace and the pair of interfaces that leads into it.
#[derive(Debug)]
struct Link {
    namespace: String,
    outside: String,
    inside: Ipv4Addr,
}

impl Link {
    fn new() -> anyhow::Result<Self> {
        Self::remove_abandoned();
        let number = std::process::id();
        // Link-local: never routed anywhere (RFC 3927). Of several runs at a time, each has its own.
        let [third, fourth] = [20 + (number / 60 % 200) as u8, (number % 60 * 4) as u8];
        let near = Ipv4Addr::new(169, 254, third, fourth + 1);
        let link = Self {
            namespace: format!("rollouts-{number}"),
            outside: format!("ro{number}"),
            inside: Ipv4Addr::new(169, 254, third, fourth + 2),
        };
        let Self {
            namespace,
            outside,
            inside,
        } = &link;
        let peer = format!("rp{number}");
        for command in [
            format!("netns add {namespace}"),
            format!("link add {outside} type veth peer name {peer} netns {namespace}"),
            format!("addr add {near}/30 dev {outside}"),
            format!("link set {outside} up"),
            format!("-n {namespace} addr add {inside}/30 dev {peer}"),
            format!("-n {namespace} link set {peer} up"),
            format!("-n {namespace} link set lo up"),
            // dockerd wants to know where it stands; nothing answers there.
            format!("-n {namespace} route add default via {near}"),
        ] {
            ip(&command)?;
        }
        Ok(link)
    }
}

impl Link {
    /// Namespaces whose program was killed before it could remove them.
    fn remove_abandoned() {
        let all = std::fs::read_dir("/run/netns").into_iter().flatten();
        for entry in all.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix("rollouts-");
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = ip(&format!("netns del {name}"));
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.outside));
        let _ = ip(&format!("netns del {}", self.namespace));
    }
}

fn ip(words: &str) -> anyhow::Result<()> {
    let mut command = Command::new("ip");
    command.args(words.split(' '));
    let ended = Running::start(command)?.wait()?.ok();
    ended
        .map(drop)
        .with_context(|| format!("`ip {words}` failed"))
}
