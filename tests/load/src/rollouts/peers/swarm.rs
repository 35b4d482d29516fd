//! Docker Swarm on a single node: one service, updated by `docker service update`, rolled back by Swarm itself.

use super::APP;
use super::engine::Engine;
use super::timing::{Timing, rollout_monitor};
use crate::rollouts::command::Ended;
use crate::rollouts::processes::{self, STACK_VARIABLE, TaskProcess};
use crate::rollouts::site::Site;
use crate::rollouts::stack::App;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

/// What its tasks bear in [`STACK_VARIABLE`].
const NAME: &str = "peers-swarm";
const NETWORK: &str = "swarm";

/// A service of Swarm behind HAProxy.
#[derive(Debug)]
pub(super) struct Swarm {
    engine: Rc<Engine>,
    app: App,
    revision: u32,
    address: SocketAddr,
}

/// Makes `engine` a swarm of one node. Overlay networks are joined by other containers only if they are attachable.
///
/// # Errors
/// When it cannot be one.
pub(super) fn init(engine: &Engine) -> anyhow::Result<()> {
    engine.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"])?;
    engine.docker(&[
        "network",
        "create",
        "--driver",
        "overlay",
        "--attachable",
        NETWORK,
    ])?;
    Ok(())
}

impl Swarm {
    /// Creates the service and waits until all of it serves.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn up(engine: Rc<Engine>, app: App) -> anyhow::Result<Self> {
        let address = SocketAddr::from((engine.address(), 0));
        let mut swarm = Self {
            engine,
            app,
            revision: 1,
            address,
        };
        let arguments = swarm.creation();
        swarm.engine.docker(&words(&arguments))?;
        let (check, replicas) = (swarm.app.health.is_some(), swarm.app.replicas);
        swarm.address = super::balancer::start(&swarm.engine, NETWORK, check, replicas)?;
        Ok(swarm)
    }

    /// Start-first and all at once, as cais does it by default; the app's own health check; back after the first failure.
    fn creation(&self) -> Vec<String> {
        let monitor = rollout_monitor(&self.app);
        let mut all: Vec<String> = [
            "service create --quiet --no-resolve-image --name app --endpoint-mode dnsrr --network",
            NETWORK,
            "--update-order start-first --update-parallelism 0 --update-delay 0s --update-failure-action rollback",
            "--rollback-order start-first --rollback-parallelism 0 --rollback-delay 0s",
        ]
        .iter()
        .flat_map(|line| line.split(' '))
        .map(str::to_owned)
        .collect();
        all.extend([
            format!("--update-monitor={monitor}"),
            format!("--rollback-monitor={monitor}"),
            format!("--replicas={}", self.app.replicas),
            format!("--stop-grace-period={}", self.app.grace),
        ]);
        match Timing::of(&self.app) {
            None => all.push("--no-healthcheck".to_owned()),
            Some(timing) => all.extend(timing.flags()),
        }
        for (name, value) in self.environment() {
            all.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        all.push(APP.to_owned());
        all
    }

    fn environment(&self) -> Vec<(String, String)> {
        let own = [
            ("REVISION", format!("r{}", self.revision)),
            (STACK_VARIABLE, NAME.to_owned()),
            ("CAIS_TASK", "swarm-{{.Task.Slot}}".to_owned()),
        ];
        let given = self.app.variables.iter();
        let given = given.map(|(name, value)| (*name, value.clone()));
        own.into_iter()
            .chain(given)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl Site for Swarm {
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
        let mut arguments = vec!["service", "update", "--quiet", "--no-resolve-image"];
        let variables: Vec<String> = self
            .environment()
            .iter()
            .map(|(name, value)| format!("--env-add={name}={value}"))
            .collect();
        arguments.extend(variables.iter().map(String::as_str));
        arguments.push("app");
        self.engine.run(&arguments)
    }

    fn processes(&self) -> Vec<TaskProcess> {
        processes::tasks(NAME)
    }

    fn keep(&mut self) -> PathBuf {
        self.engine.folder().to_owned()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.engine.docker(&["service", "rm", "app"]);
        let _ = self.engine.clear();
    }
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}
