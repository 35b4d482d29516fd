//! What a deploy script does that knows no rollout: `docker stop`, `docker rm`, `docker run`, one container after the other.

use super::APP;
use super::engine::Engine;
use crate::rollouts::command::{Ended, Running};
use crate::rollouts::processes::{self, STACK_VARIABLE, TaskProcess};
use crate::rollouts::site::Site;
use crate::rollouts::stack::App;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

/// What its tasks bear in [`STACK_VARIABLE`].
const NAME: &str = "peers-run";
const NETWORK: &str = "run";

/// Containers `app-1`, `app-2`, … behind HAProxy.
#[derive(Debug)]
pub(super) struct Replacement {
    engine: Rc<Engine>,
    app: App,
    revision: u32,
    address: SocketAddr,
}

/// Makes the network that they share.
///
/// # Errors
/// When it cannot be made.
pub(super) fn init(engine: &Engine) -> anyhow::Result<()> {
    engine.docker(&["network", "create", NETWORK]).map(drop)
}

impl Replacement {
    /// Runs the containers and waits until all of them serve.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn up(engine: Rc<Engine>, app: App) -> anyhow::Result<Self> {
        let address = SocketAddr::from((engine.address(), 0));
        let mut site = Self {
            engine,
            app,
            revision: 1,
            address,
        };
        site.script("docker run")?.ok()?;
        let (check, replicas) = (site.app.health.is_some(), site.app.replicas);
        site.address = super::balancer::start(&site.engine, NETWORK, check, replicas)?;
        Ok(site)
    }

    /// Runs every container anew. `first` is done to each before, up to its `run`.
    fn script(&self, first: &str) -> anyhow::Result<Ended> {
        let mut text = "set -e\n".to_owned();
        for number in 1..=self.app.replicas {
            let first = first.replace("NAME", &format!("app-{number}"));
            write!(
                text,
                "{first} --detach --name app-{number} --network {NETWORK} --network-alias app --restart unless-stopped \
                 --env REVISION=r{} --env {STACK_VARIABLE}={NAME} --env CAIS_TASK=run-{number}",
                self.revision
            )?;
            for (name, value) in &self.app.variables {
                write!(text, " --env {name}={value}")?;
            }
            writeln!(text, " --no-healthcheck {APP}")?;
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", &text])
            .env("DOCKER_HOST", self.engine.host());
        Running::start(command)?.wait()
    }
}

impl Site for Replacement {
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
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (*name, (*value).to_owned()));
        self.app.variables.extend(variables);
        self.revision += 1;
        Ok(())
    }

    fn deploy(&self) -> anyhow::Result<Ended> {
        let seconds = self.app.grace.trim_end_matches('s');
        self.script(&format!(
            "docker stop --time {seconds} NAME; docker rm NAME; docker run"
        ))
    }

    fn processes(&self) -> Vec<TaskProcess> {
        processes::tasks(NAME)
    }

    fn keep(&mut self) -> PathBuf {
        self.engine.folder().to_owned()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        let _ = self.engine.clear();
    }
}
