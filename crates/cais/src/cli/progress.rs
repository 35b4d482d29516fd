//! What is seen while a request is under way: a live line per service on a terminal, plain lines elsewhere.

use super::output::{self, BOLD, CYAN, DIM, GREEN, RED, YELLOW};
use super::{Global, Progress};
use crate::control::Stamped;
use cais_engine::notice::{NoticeKind, RolloutState, TaskHealth, TaskPhase};
use cais_model::name::ServiceName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows notices as they come.
pub(crate) struct Display {
    form: Form,
    /// What is known of each task: a notice that repeats it is not worth a line.
    tasks: BTreeMap<u64, (TaskPhase, TaskHealth)>,
}

enum Form {
    /// One line per service, redrawn in place.
    Live(Live),
    /// One line per notice.
    Plain { began: Instant },
    /// One line per rollout that ends, or turns.
    Brief { began: Instant },
    /// Nothing.
    Quiet,
}

/// The lines on the terminal.
struct Live {
    lines: MultiProgress,
    services: BTreeMap<ServiceName, Line>,
}

struct Line {
    bar: ProgressBar,
    /// Tasks that are there to stay, and whether each is healthy.
    tasks: BTreeMap<u64, bool>,
    leaving: BTreeSet<u64>,
    /// Its rollout is over: what its tasks do after that changes nothing about it.
    is_over: bool,
}

impl Display {
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal() && global.ansi != super::Ansi::Never;
        let form = match global.progress {
            Progress::Quiet => Form::Quiet,
            Progress::Tty => Form::live(),
            Progress::Auto if terminal && !global.json() => Form::live(),
            Progress::Auto | Progress::Plain => return Self::plain(),
        };
        Self {
            form,
            tasks: BTreeMap::new(),
        }
    }

    /// Lines, wherever they go: beside a log that streams nothing is redrawn.
    pub(crate) fn plain() -> Self {
        let began = Instant::now();
        Self {
            form: Form::Plain { began },
            tasks: BTreeMap::new(),
        }
    }

    /// How rollouts end, beside a log that has the tasks' own lines and would be lost among all of theirs.
    pub(crate) fn brief() -> Self {
        let began = Instant::now();
        Self {
            form: Form::Brief { began },
            tasks: BTreeMap::new(),
        }
    }

    pub(crate) fn remark(&mut self, text: &str) {
        match &self.form {
            Form::Live(live) => live.lines.suspend(|| output::note(text)),
            Form::Plain { .. } | Form::Brief { .. } => output::note(text),
            Form::Quiet => {}
        }
    }

    pub(crate) fn notice(&mut self, stamped: &Stamped) {
        let kind = &stamped.notice.kind;
        if let NoticeKind::Task {
            task,
            phase,
            health,
            ..
        } = kind
            && self.tasks.insert(task.0, (*phase, *health)) == Some((*phase, *health))
        {
            return;
        }
        let service = &stamped.notice.service;
        match &mut self.form {
            Form::Quiet => {}
            Form::Plain { began } => say(*began, service, kind),
            Form::Brief { began } => {
                if is_turn(kind) {
                    say(*began, service, kind);
                }
            }
            Form::Live(live) => live.show(service, kind),
        }
    }

    /// Leaves standing what is over; a log comes after it, and tells the rest.
    pub(crate) fn give_way(&mut self) {
        if let Form::Live(live) = &self.form {
            for line in live.services.values() {
                if line.is_over {
                    line.bar.abandon();
                } else {
                    line.bar.finish_and_clear();
                }
            }
        }
    }

    /// Leaves the last state standing.
    pub(crate) fn finish(&mut self) {
        if let Form::Live(live) = &self.form {
            for line in live.services.values() {
                line.bar.abandon();
            }
        }
    }
}

impl Form {
    fn live() -> Self {
        Form::Live(Live {
            lines: MultiProgress::new(),
            services: BTreeMap::new(),
        })
    }
}

impl Live {
    fn show(&mut self, service: &ServiceName, kind: &NoticeKind) {
        let lines = &self.lines;
        let line = self
            .services
            .entry(service.clone())
            .or_insert_with(|| Line::new(lines, service));
        if let NoticeKind::Task {
            task,
            phase,
            health,
            ..
        } = kind
        {
            line.count(task.0, *phase, *health);
            if line.is_over {
                return;
            }
        }
        line.is_over = match kind {
            NoticeKind::Rollout { state, .. } => is_final(*state),
            NoticeKind::Unchanged { .. }
            | NoticeKind::Completed { .. }
            | NoticeKind::Stopped
            | NoticeKind::Removed => true,
            NoticeKind::Task { .. } | NoticeKind::Waiting { .. } | NoticeKind::Throttled { .. } => {
                false
            }
        };
        line.bar
            .set_message(format!("{}{}", line.counted(), sentence(kind)));
        if line.is_over {
            line.bar.abandon();
        }
    }
}

impl Line {
    fn new(lines: &MultiProgress, service: &ServiceName) -> Self {
        let style = ProgressStyle::with_template(
            "{spinner:.cyan} {prefix:<14} {wide_msg} {elapsed:>5.dim}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]);
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_prefix(service.to_string());
        let bar = lines.add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            bar,
            tasks: BTreeMap::new(),
            leaving: BTreeSet::new(),
            is_over: false,
        }
    }

    fn count(&mut self, task: u64, phase: TaskPhase, health: TaskHealth) {
        match phase {
            TaskPhase::Pending | TaskPhase::Activating | TaskPhase::Running => {
                let healthy = phase == TaskPhase::Running && health == TaskHealth::Healthy;
                self.tasks.insert(task, healthy);
            }
            TaskPhase::Draining | TaskPhase::Stopping => {
                self.tasks.remove(&task);
                self.leaving.insert(task);
            }
            TaskPhase::Stopped => {
                self.tasks.remove(&task);
                self.leaving.remove(&task);
            }
        }
    }

    /// "2/3 healthy, 1 leaving  ".
    fn counted(&self) -> String {
        let healthy = self.tasks.values().filter(|healthy| **healthy).count();
        match (self.tasks.len(), self.leaving.len()) {
            // Only tasks that changed are known here; none of them is to stay.
            (0, _) => String::new(),
            (tasks, 0) => format!("{healthy}/{tasks} healthy  "),
            (tasks, leaving) => format!("{healthy}/{tasks} healthy, {leaving} leaving  "),
        }
    }
}

/// A line of its own, with the seconds since the request.
fn say(began: Instant, service: &ServiceName, kind: &NoticeKind) {
    let seconds = began.elapsed().as_secs_f32();
    let sentence = sentence(kind);
    output::say(&format!(
        "{DIM}{seconds:>6.1}s{DIM:#} {BOLD}{service}{BOLD:#}: {sentence}"
    ));
}

/// Is it how a rollout ends, or that it goes back or has to wait?
fn is_turn(kind: &NoticeKind) -> bool {
    match kind {
        NoticeKind::Rollout { state, .. } => {
            is_final(*state) || *state == RolloutState::RollbackInProgress
        }
        NoticeKind::Unchanged { .. }
        | NoticeKind::Completed { .. }
        | NoticeKind::Waiting { .. }
        | NoticeKind::Throttled { .. } => true,
        NoticeKind::Task { .. } | NoticeKind::Stopped | NoticeKind::Removed => false,
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
