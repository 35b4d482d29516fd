//! What is seen while a request is under way: a live line per service on a terminal, plain lines elsewhere.

use super::output::{self, BOLD, CYAN, DIM, GREEN, RED, YELLOW};
use super::{Global, Progress};
use crate::control::Stamped;
use cais_engine::notice::{NoticeKind, RolloutState, TaskHealth, TaskPhase};
use cais_model::name::ServiceName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows notices as they come.
pub(crate) enum Display {
    /// One line per service, redrawn in place.
    Live(Live),
    /// One line per notice.
    Plain { began: Instant },
    /// Nothing.
    Quiet,
}

/// The lines on the terminal.
pub(crate) struct Live {
    lines: MultiProgress,
    services: BTreeMap<ServiceName, Line>,
}

struct Line {
    bar: ProgressBar,
    healthy: BTreeMap<u64, bool>,
}

impl Display {
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal() && global.ansi != super::Ansi::Never;
        match global.progress {
            Progress::Quiet => Display::Quiet,
            Progress::Tty => Display::live(),
            Progress::Auto if terminal && !global.json() => Display::live(),
            Progress::Auto | Progress::Plain => Display::Plain {
                began: Instant::now(),
            },
        }
    }

    fn live() -> Self {
        Display::Live(Live {
            lines: MultiProgress::new(),
            services: BTreeMap::new(),
        })
    }

    pub(crate) fn remark(&mut self, text: &str) {
        match self {
            Display::Live(live) => live.lines.suspend(|| output::note(text)),
            Display::Plain { .. } => output::note(text),
            Display::Quiet => {}
        }
    }

    pub(crate) fn notice(&mut self, stamped: &Stamped) {
        let service = &stamped.notice.service;
        match self {
            Display::Quiet => {}
            Display::Plain { began } => {
                let seconds = began.elapsed().as_secs_f32();
                output::say(&format!(
                    "{DIM}{seconds:>6.1}s{DIM:#} {BOLD}{service}{BOLD:#}: {}",
                    sentence(&stamped.notice.kind)
                ));
            }
            Display::Live(live) => live.show(service, &stamped.notice.kind),
        }
    }

    /// Leaves the last state standing.
    pub(crate) fn finish(&mut self) {
        if let Display::Live(live) = self {
            for line in live.services.values() {
                line.bar.abandon();
            }
        }
    }
}

impl Live {
    fn show(&mut self, service: &ServiceName, kind: &NoticeKind) {
        let lines = &self.lines;
        let line = self.services.entry(service.clone()).or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix:<14} {wide_msg} {elapsed:>5.dim}",
            )
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]);
            let bar = lines.add(
                ProgressBar::new_spinner()
                    .with_style(style)
                    .with_prefix(service.to_string()),
            );
            bar.enable_steady_tick(Duration::from_millis(100));
            Line {
                bar,
                healthy: BTreeMap::new(),
            }
        });
        if let NoticeKind::Task {
            task,
            phase,
            health,
            ..
        } = kind
        {
            let healthy = *phase == TaskPhase::Running && *health == TaskHealth::Healthy;
            if *phase == TaskPhase::Stopped {
                line.healthy.remove(&task.0);
            } else {
                line.healthy.insert(task.0, healthy);
            }
        }
        let count = line.healthy.values().filter(|healthy| **healthy).count();
        let total = line.healthy.len();
        let counted = if total > 0 {
            format!("{count}/{total} healthy  ")
        } else {
            String::new()
        };
        line.bar.set_message(format!("{counted}{}", sentence(kind)));
        match kind {
            NoticeKind::Rollout { state, .. } if is_final(*state) => line.bar.abandon(),
            NoticeKind::Unchanged { .. }
            | NoticeKind::Completed { .. }
            | NoticeKind::Stopped
            | NoticeKind::Removed => line.bar.abandon(),
            _ => {}
        }
    }
}

fn is_final(state: RolloutState) -> bool {
    !matches!(
        state,
        RolloutState::Pending
            | RolloutState::InProgress
            | RolloutState::Baking
            | RolloutState::RollbackInProgress
    )
}

/// A notice in words.
pub(crate) fn sentence(kind: &NoticeKind) -> String {
    match kind {
        NoticeKind::Unchanged { revision } => {
            format!("{GREEN}unchanged{GREEN:#}, revision {revision}")
        }
        NoticeKind::Waiting { reason } => format!("{YELLOW}waiting{YELLOW:#} for {reason}"),
        NoticeKind::Task {
            task,
            phase,
            health,
            reason,
            ..
        } => {
            let word = match (phase, health) {
                (TaskPhase::Pending, _) => format!("{DIM}pending{DIM:#}"),
                (TaskPhase::Activating, _) => format!("{CYAN}starting{CYAN:#}"),
                (TaskPhase::Running, TaskHealth::NotReady) => {
                    format!("{YELLOW}not ready{YELLOW:#}")
                }
                (TaskPhase::Running, TaskHealth::Unhealthy) => format!("{RED}unhealthy{RED:#}"),
                (TaskPhase::Running, _) => format!("{GREEN}healthy{GREEN:#}"),
                (TaskPhase::Draining, _) => format!("{DIM}draining{DIM:#}"),
                (TaskPhase::Stopping, _) => format!("{DIM}stopping{DIM:#}"),
                (TaskPhase::Stopped, _) => format!("{DIM}stopped{DIM:#}"),
            };
            format!("task {task} {word}{}", because(reason))
        }
        NoticeKind::Rollout {
            to,
            state,
            failed,
            threshold,
            reason,
            ..
        } => {
            let word = rollout_word(*state);
            let style = match state {
                RolloutState::Completed => GREEN,
                RolloutState::Failed | RolloutState::RollbackFailed => RED,
                RolloutState::RollbackInProgress
                | RolloutState::RollbackSuccessful
                | RolloutState::Stopped => YELLOW,
                _ => CYAN,
            };
            let count = match (failed, threshold) {
                (0, _) | (_, None) => String::new(),
                (failed, Some(threshold)) => format!(" ({failed} of {threshold} failures)"),
            };
            format!(
                "revision {to} {style}{word}{style:#}{count}{}",
                because(reason)
            )
        }
        NoticeKind::Completed { status } => {
            format!("ran to its end with {}", crate::supervisor::ended(*status))
        }
        NoticeKind::Throttled { wait_ms, reason } => {
            let seconds = Duration::from_millis(*wait_ms).as_secs_f32();
            format!(
                "{YELLOW}next start in {seconds:.1} s{YELLOW:#}{}",
                because(reason)
            )
        }
        NoticeKind::Stopped => "stopped".to_owned(),
        NoticeKind::Removed => "removed".to_owned(),
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!("{DIM}: {reason}{DIM:#}")
    }
}

/// A rollout's state in words.
pub(crate) fn rollout_word(state: RolloutState) -> &'static str {
    match state {
        RolloutState::Pending => "pending",
        RolloutState::InProgress => "rolling out",
        RolloutState::Baking => "under observation",
        RolloutState::Completed => "completed",
        RolloutState::Failed => "failed",
        RolloutState::RollbackInProgress => "rolling back",
        RolloutState::RollbackSuccessful => "rolled back",
        RolloutState::RollbackFailed => "rollback failed",
        RolloutState::Stopped => "superseded",
    }
}
