//! Rollouts of the real `cais` under load: scenarios that deploy, kill and disturb, and count what became of every request.

pub mod bad;
pub mod command;
pub mod disturbed;
pub mod image;
pub mod kills;
pub mod peers;
pub mod processes;
pub mod site;
pub mod stack;
pub mod table;
pub mod updates;

use crate::kind::{Mix, Shape};
use crate::outcome::Sample;
use crate::report::{Report, describe};
use crate::run::{self, Running, Settings};
use anyhow::Context;
use command::Ended;
use site::Site;
use stack::Programs;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Kinds of request in proportion; a long answer is rare, as in life.
pub const MIX: &str = "get=340,close=120,post=20,stream=12,ws=6,download=2";
/// An old task that is still there after so long has not been drained.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// What scenarios have in common.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What they run.
    pub programs: Programs,
    /// Requests a second.
    pub rate: f64,
    /// Of which kinds.
    pub mix: Mix,
    /// How long the long ones take.
    pub shape: Shape,
}

impl Setting {
    fn load(&self, site: &dyn Site) -> anyhow::Result<Running> {
        let running = run::start(Settings {
            rate: self.rate,
            mix: self.mix.clone(),
            shape: self.shape,
            duration: Duration::from_secs(run::MAX_SECONDS),
            ..Settings::to(site.address())
        })?;
        // Every kind is under way before the first change.
        std::thread::sleep(Duration::from_secs(1));
        Ok(running)
    }
}

/// One change under load. Moments count from the run's start.
#[derive(Debug)]
pub struct Change {
    /// What the command said.
    pub ended: Ended,
    /// When it was asked.
    pub began: Duration,
    /// When it was done.
    pub returned: Duration,
    /// The `REVISION` that was to come, without its `r`.
    pub revision: u32,
    old_gone: JoinHandle<Option<Instant>>,
    run_began: Instant,
}

/// Rolls out what is written down, and watches the tasks that were there before.
fn deploy(site: &dyn Site, run: &Running) -> anyhow::Result<Change> {
    let newest = format!("r{}", site.revision() - 1);
    let processes = site.processes().into_iter();
    let old: Vec<u32> = processes
        .filter(|process| process.revision == newest)
        .map(|process| process.pid)
        .collect();
    let began = run.elapsed();
    let ended = site.deploy()?;
    Ok(Change {
        began,
        returned: run.elapsed(),
        ended,
        revision: site.revision(),
        old_gone: std::thread::spawn(move || gone(&old)),
        run_began: run.began(),
    })
}

/// Waits until none of these processes is there.
fn gone(processes: &[u32]) -> Option<Instant> {
    let began = Instant::now();
    while processes.iter().any(|pid| processes::is_there(*pid)) {
        if began.elapsed() > DRAIN_LIMIT {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(Instant::now())
}

/// A change with the times that the whole run gives it.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the command to the last request that was sent to an older revision.
    pub rollout: Duration,
    /// From then until the last older task's process was gone; `None` when one stayed.
    pub drain: Option<Duration>,
    /// From the command to its end.
    pub command: Duration,
}

impl Change {
    /// `until`: when the next change began.
    fn times(self, report: &Report, until: Duration) -> Times {
        let is_old = |revision: &str| number(revision).is_some_and(|number| number < self.revision);
        let last = report
            .last_sent_to(self.began..until, is_old)
            .unwrap_or(self.began);
        let gone = self.old_gone.join().ok().flatten();
        Times {
            rollout: last - self.began,
            drain: gone.map(|gone| gone.duration_since(self.run_began).saturating_sub(last)),
            command: self.returned - self.began,
        }
    }
}

/// `r7` is 7.
fn number(revision: &str) -> Option<u32> {
    revision.strip_prefix('r')?.parse().ok()
}

/// Sent, failed and retryable failures with their reasons, as cells of a table.
fn counted(report: &Report) -> Vec<String> {
    let total = report.total();
    let reasons = total
        .reasons
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    let failed = if total.failed == 0 {
        "0".to_owned()
    } else {
        format!("{} ({reasons})", total.failed)
    };
    vec![total.sent.to_string(), failed]
}

/// The first failures, one a line, for people who look for their cause.
fn list_failures<'a>(samples: impl Iterator<Item = &'a Sample>) -> String {
    samples
        .take(12)
        .map(|sample| format!("\n  {}", describe(sample)))
        .collect()
}

/// Keeps a site's folder when its scenario failed, and says where it is.
fn with_folder<T>(site: &mut dyn Site, result: anyhow::Result<T>) -> anyhow::Result<T> {
    result.with_context(|| format!("the folder is kept: {}", site.keep().display()))
}
