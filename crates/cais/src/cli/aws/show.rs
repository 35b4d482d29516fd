//! What is seen while AWS deploys: a live line a service on a terminal, plain lines elsewhere; a failed task with its
//! reason and its last lines between them.

use crate::cli::output::{self, BOLD, CYAN, DIM, GREEN, RED, YELLOW};
use crate::cli::{Ansi, Global, Progress};
use cais_aws::deployment::{Status, StoppedTask, Tasks};
use cais_aws::outcome::Outcome;
use cais_aws::watch::Happening;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows what happens as it happens.
pub(super) struct Display {
    form: Form,
    began: Instant,
}

enum Form {
    Live {
        lines: MultiProgress,
        services: BTreeMap<String, Line>,
    },
    Plain,
    Quiet,
}

struct Line {
    bar: ProgressBar,
    status: String,
    counts: String,
    failures: String,
}

impl Display {
    pub(super) fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal() && global.ansi != Ansi::Never;
        let live = || Form::Live {
            lines: MultiProgress::new(),
            services: BTreeMap::new(),
        };
        let form = match global.progress {
            Progress::Quiet => Form::Quiet,
            Progress::Tty => live(),
            Progress::Auto if terminal && !global.json() => live(),
            Progress::Auto | Progress::Plain => Form::Plain,
        };
        Self {
            form,
            began: Instant::now(),
        }
    }

    /// One happening of a watch.
    pub(super) fn happened(&mut self, happening: &Happening) {
        match happening {
            Happening::Task(task) => self.say_all(&obituary(task)),
            Happening::Trouble { message, again } => self.say_all(&[format!(
                "{YELLOW}AWS does not answer{YELLOW:#}: {message}; again in {} s",
                again.as_secs().max(1)
            )]),
            Happening::Recovered { after } => {
                self.say_all(&[format!("AWS answers again, after {} s", after.as_secs())]);
            }
            Happening::Moved { service, .. }
            | Happening::Counted { service, .. }
            | Happening::Stage { service, .. }
            | Happening::Failures { service, .. }
            | Happening::Alarms { service, .. }
            | Happening::Remark { service, .. }
            | Happening::Still { service, .. }
            | Happening::Ended { service, .. } => self.of_service(service, happening),
        }
    }

    /// A line about one service.
    pub(super) fn step(&mut self, service: &str, text: &str) {
        match &mut self.form {
            Form::Quiet => {}
            Form::Plain => self.line(service, text),
            Form::Live { lines, services } => {
                let line = Line::of(lines, services, service);
                line.status = text.to_owned();
                line.draw();
            }
        }
    }

    /// A line about no service.
    pub(super) fn remark(&mut self, text: &str) {
        self.say_all(&[text.to_owned()]);
    }

    /// Leaves the last state standing.
    pub(super) fn finish(&mut self) {
        if let Form::Live { services, .. } = &self.form {
            services.values().for_each(|line| line.bar.abandon());
        }
    }

    fn of_service(&mut self, service: &str, happening: &Happening) {
        let Form::Live { lines, services } = &mut self.form else {
            if matches!(self.form, Form::Plain) {
                self.line(service, &sentence(happening));
            }
            return;
        };
        let line = Line::of(lines, services, service);
        match happening {
            Happening::Moved { to, .. } => line.status = styled(to),
            Happening::Counted {
                target, replaced, ..
            } => line.counts = counted(*target, *replaced),
            Happening::Failures { .. } => line.failures = sentence(happening),
            Happening::Ended { .. } => line.status = sentence(happening),
            Happening::Still { .. }
            | Happening::Stage { .. }
            | Happening::Alarms { .. }
            | Happening::Remark { .. }
            | Happening::Task(_)
            | Happening::Trouble { .. }
            | Happening::Recovered { .. } => {
                let text = format!("{BOLD}{service}{BOLD:#}: {}", sentence(happening));
                lines.suspend(|| output::say(&text));
            }
        }
        line.draw();
        if matches!(happening, Happening::Ended { .. }) {
            line.bar.abandon();
        }
    }

    fn line(&self, service: &str, text: &str) {
        let seconds = self.began.elapsed().as_secs_f32();
        output::say(&format!(
            "{DIM}{seconds:>6.1}s{DIM:#} {BOLD}{service}{BOLD:#}: {text}"
        ));
    }

    fn say_all(&self, texts: &[String]) {
        let all = || texts.iter().for_each(|text| output::say(text));
        match &self.form {
            Form::Live { lines, .. } => lines.suspend(all),
            Form::Plain => all(),
            Form::Quiet => {}
        }
    }
}

impl Line {
    fn of<'a>(
        lines: &MultiProgress,
        services: &'a mut BTreeMap<String, Line>,
        service: &str,
    ) -> &'a mut Line {
        services.entry(service.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix:<14} {wide_msg} {elapsed:>5.dim}",
            )
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]);
            let bar = ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix(service.to_owned());
            let bar = lines.add(bar);
            bar.enable_steady_tick(Duration::from_millis(100));
            Line {
                bar,
                status: String::new(),
                counts: String::new(),
                failures: String::new(),
            }
        })
    }

    fn draw(&self) {
        let parts = [&self.counts, &self.status, &self.failures];
        let text: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        self.bar.set_message(text.join("  "));
    }
}

/// A happening in words.
fn sentence(happening: &Happening) -> String {
    match happening {
        Happening::Moved { to, reason, .. } => match reason {
            Some(reason) => format!("{}{DIM}: {reason}{DIM:#}", styled(to)),
            None => styled(to),
        },
        Happening::Counted {
            target, replaced, ..
        } => counted(*target, *replaced),
        Happening::Stage { stage, .. } => stage.to_lowercase().replace('_', " "),
        Happening::Failures {
            failures,
            threshold,
            ..
        } => format!("{YELLOW}{failures} of {threshold} failures{YELLOW:#} until the breaker"),
        Happening::Alarms { names, .. } => format!("{RED}alarm{RED:#} {}", names.join(", ")),
        Happening::Remark { text, .. } => format!("{YELLOW}ECS{YELLOW:#}: {text}"),
        Happening::Still {
            status,
            target,
            quiet,
            ..
        } => format!(
            "still {} for {}, {} of {} tasks run",
            status.as_str(),
            humantime::format_duration(Duration::from_secs(quiet.as_secs())),
            target.running,
            target.requested
        ),
        Happening::Ended { outcome, .. } => ended(outcome),
        Happening::Task(_) | Happening::Trouble { .. } | Happening::Recovered { .. } => {
            String::new()
        }
    }
}

fn counted(target: Tasks, replaced: Tasks) -> String {
    let leaving = match replaced.running {
        0 => String::new(),
        old => format!(", {old} old"),
    };
    format!("{}/{} new{leaving}", target.running, target.requested)
}

/// A status in ECS's word, in the colour of what it means.
pub(super) fn styled(status: &Status) -> String {
    let style = match status {
        Status::Successful => GREEN,
        Status::Pending | Status::InProgress => CYAN,
        Status::RollbackFailed | Status::Stopped => RED,
        Status::StopRequested
        | Status::RollbackRequested
        | Status::RollbackInProgress
        | Status::RollbackSuccessful
        | Status::Other(_) => YELLOW,
    };
    format!("{style}{}{style:#}", status.as_str())
}

/// An outcome in a word or two, in the colour of what it means.
pub(super) fn ended(outcome: &Outcome) -> String {
    let style = match outcome {
        Outcome::Completed => GREEN,
        Outcome::RolledBack { .. } | Outcome::TimedOut { .. } | Outcome::Superseded { .. } => {
            YELLOW
        }
        Outcome::RollbackFailed { .. } | Outcome::Stopped { .. } | Outcome::Unknown { .. } => RED,
    };
    let reason = outcome.reason();
    if reason.is_empty() {
        format!("{style}{}{style:#}", outcome.word())
    } else {
        format!("{style}{}{style:#}: {reason}", outcome.word())
    }
}

/// A task that ended unasked: why, how, and its last lines.
pub(super) fn obituary(task: &StoppedTask) -> Vec<String> {
    let mut lines = Vec::new();
    let mut reason = task.reason.clone().unwrap_or_else(|| "ended".to_owned());
    if let Some(target) = &task.target {
        reason = format!("{reason}; the load balancer says: {target}");
    }
    lines.push(format!(
        "{RED}task {}{RED:#} of {BOLD}{}{BOLD:#} ({}): {reason}",
        task.task, task.service, task.definition
    ));
    for container in &task.containers {
        let mut facts = Vec::new();
        facts.extend(container.exit_code.map(|code| format!("exit code {code}")));
        facts.extend(
            container
                .health
                .as_ref()
                .map(|health| format!("health {health}")),
        );
        facts.extend(container.reason.clone());
        if !facts.is_empty() {
            lines.push(format!("  {}: {}", container.name, facts.join(", ")));
        }
    }
    if task.lines.is_empty() {
        lines.push(format!("  {DIM}it wrote nothing to its log{DIM:#}"));
    }
    lines.extend(
        task.lines
            .iter()
            .map(|line| format!("  {DIM}|{DIM:#} {line}")),
    );
    lines
}
