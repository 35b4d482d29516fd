//! Docker Swarm and a script of `docker run` beside cais: the same app, releases and load, in the same run, one table.

mod balancer;
mod engine;
mod replacement;
mod swarm;
mod timing;

use super::bad;
use super::image::{import_app, import_program};
use super::site::Site;
use super::stack::{App, Stack};
use super::table::{Table, median_and_worst, tell};
use super::updates::{self, Case};
use super::{Setting, counted, with_folder};
use crate::report::Report;
use anyhow::Context;
use engine::Engine;
use replacement::Replacement;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use swarm::Swarm;

/// The test app's image on the peers' engine; its health check is the program itself. Swarm asks the registry of a tag
/// at each start of a task and waits for its answer: this one refuses at once, so that Swarm is not charged for a
/// registry that cannot be reached.
const APP: &str = "127.0.0.1:1/app:test";
/// HAProxy's.
const HAPROXY: &str = "peers/haproxy:test";

/// Who rolls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// cais.
    Cais,
    /// Docker Swarm behind HAProxy.
    Swarm,
    /// Containers that a script replaces, behind HAProxy.
    Run,
}

impl Platform {
    /// All of them, cais first.
    pub const ALL: [Self; 3] = [Self::Cais, Self::Swarm, Self::Run];

    fn name(self, setting: &Setting) -> &'static str {
        match self {
            Self::Cais if setting.programs.image.is_some() => "cais, containers",
            Self::Cais => "cais, processes",
            Self::Swarm => "Docker Swarm",
            Self::Run => "`docker run`",
        }
    }
}

/// An app that finishes what it has when it is told to stop, so that a platform need not drain for it.
pub const GRACEFUL: Case = Case {
    name: "instant app that finishes what it has, health check",
    start_ms: 0,
    check: true,
    graceful: true,
    target: Duration::from_secs(2),
};

/// The peers' engine with their images and networks.
#[derive(Debug)]
pub struct Peers {
    engine: Rc<Engine>,
}

impl Peers {
    /// Starts it; `app` is the test app as a static program.
    ///
    /// # Errors
    /// When this machine cannot: the reason is what is missing.
    pub fn start(app: &Path) -> anyhow::Result<Self> {
        let engine = Rc::new(Engine::start()?);
        let haproxy =
            program("haproxy").context("`haproxy` is not installed: apt-get install haproxy")?;
        let docker = |arguments: &[&str]| engine.command(arguments);
        let health = r#"HEALTHCHECK CMD ["/testapp", "--health"]"#;
        import_app(&docker, app, APP, &[health])?;
        import_program(&docker, &haproxy, HAPROXY, &["-f", "/haproxy.cfg"])?;
        swarm::init(&engine)?;
        replacement::init(&engine)?;
        Ok(Self { engine })
    }

    fn site(
        &self,
        platform: Platform,
        setting: &Setting,
        app: App,
    ) -> anyhow::Result<Box<dyn Site>> {
        Ok(match platform {
            Platform::Cais => Box::new(Stack::up(&setting.programs, app)?),
            Platform::Swarm => Box::new(Swarm::up(self.engine.clone(), app)?),
            Platform::Run => Box::new(Replacement::up(self.engine.clone(), app)?),
        })
    }

    /// [`updates::run`] on `platform`.
    ///
    /// # Errors
    /// When a deploy fails.
    pub fn update(
        &self,
        platform: Platform,
        setting: &Setting,
        case: &Case,
        deploys: u32,
    ) -> anyhow::Result<updates::Outcome> {
        let mut site = self.site(platform, setting, case.app())?;
        let result = updates::roll(setting, site.as_mut(), deploys);
        with_folder(site.as_mut(), result)
    }

    /// [`bad::run`] on `platform`.
    ///
    /// # Errors
    /// When the scenario cannot be played.
    pub fn bad(
        &self,
        platform: Platform,
        setting: &Setting,
        case: &bad::Case,
    ) -> anyhow::Result<bad::Outcome> {
        let mut site = self.site(platform, setting, case.app(3))?;
        let result = bad::roll(setting, site.as_mut(), case);
        with_folder(site.as_mut(), result)
    }

    /// Good releases, side by side.
    ///
    /// # Errors
    /// When a deploy fails; lost requests are in the table.
    pub fn updates_table(&self, settings: &[Setting], deploys: u32) -> anyhow::Result<Table> {
        let mut table = Table::new(
            &format!("Good releases side by side: {deploys} deploys in a row, 3 replicas"),
            &[
                "app",
                "who",
                "sent",
                "failed",
                "of them idempotent, no answer begun",
                "rollout s, median / worst",
                "the command's s, median / worst",
            ],
        );
        for case in updates::CASES.iter().chain([&GRACEFUL]) {
            for (platform, setting) in contestants(settings) {
                let outcome = self.update(platform, setting, case, deploys)?;
                let of = |pick: fn(&super::Times) -> Duration| {
                    median_and_worst(&outcome.times.iter().map(pick).collect::<Vec<_>>())
                };
                let mut row = vec![case.name.to_owned(), platform.name(setting).to_owned()];
                row.extend(losses(&outcome.report));
                row.extend([of(|times| times.rollout), of(|times| times.command)]);
                tell(&row);
                table.row(row);
            }
        }
        table.notes.push(SETTINGS.to_owned());
        Ok(table)
    }

    /// Bad releases, side by side, each `rounds` times.
    ///
    /// # Errors
    /// When a scenario cannot be played.
    pub fn bad_table(&self, settings: &[Setting], rounds: u32) -> anyhow::Result<Table> {
        let mut table = Table::new(
            &format!("Bad releases side by side: 3 replicas, each {rounds} times"),
            &[
                "release",
                "who",
                "sent",
                "failed",
                "of them idempotent, no answer begun",
                "exit code",
                "good tasks back",
                "the command's s, median / worst",
            ],
        );
        for case in &bad::CASES {
            for (platform, setting) in contestants(settings) {
                let outcomes: Vec<bad::Outcome> = (0..rounds)
                    .map(|_| self.bad(platform, setting, case))
                    .collect::<Result<_, _>>()?;
                let times: Vec<Duration> = outcomes.iter().map(|outcome| outcome.took).collect();
                let restored = outcomes.iter().filter(|outcome| outcome.restored).count();
                let codes: std::collections::BTreeSet<String> = outcomes
                    .iter()
                    .map(|outcome| outcome.code.to_string())
                    .collect();
                let report = Report::merge(outcomes.into_iter().map(|outcome| outcome.report));
                let mut row = vec![case.name.to_owned(), platform.name(setting).to_owned()];
                row.extend(losses(&report));
                row.extend([
                    codes.into_iter().collect::<Vec<_>>().join(", "),
                    format!("{restored} of {rounds}"),
                    median_and_worst(&times),
                ]);
                tell(&row);
                table.row(row);
            }
        }
        Ok(table)
    }
}

/// cais once for each setting, the peers once.
fn contestants(settings: &[Setting]) -> impl Iterator<Item = (Platform, &Setting)> {
    let cais = settings.iter().map(|setting| (Platform::Cais, setting));
    let first = settings.first();
    let peers = first
        .into_iter()
        .flat_map(|setting| [Platform::Swarm, Platform::Run].map(|platform| (platform, setting)));
    cais.chain(peers)
}

fn losses(report: &Report) -> Vec<String> {
    let total = report.total();
    let mut cells = counted(report);
    let share = 100.0 * total.failed as f64 / (total.sent.max(1)) as f64;
    if let Some(failed) = cells.last_mut().filter(|_| total.failed > 0) {
        failed.push_str(&format!(", {share:.2} %"));
    }
    cells.push(total.failed_retryable.to_string());
    cells
}

/// What the peers were given.
const SETTINGS: &str = "Swarm: one node, `--update-order start-first --update-parallelism 0 --update-failure-action \
rollback --update-max-failure-ratio 0`, monitor 1 s where the app says nothing, the app's own health check, DNS round \
robin behind HAProxy. `docker run`: `docker stop`, `rm`, `run`, one container after the other, behind the same HAProxy. \
HAProxy asks the names five times a second, checks every 500 ms, sends what reached nobody to another task, and GETs \
that were not answered too. Both on an engine of their own.";

/// Where a program of this machine is.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
