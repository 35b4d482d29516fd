//! The steps of `cais ci run` as a tree: live on a terminal, where what is still to come is seen too; elsewhere a line at the end of
//! each task.

use super::run::Verdict;
use crate::ci::steps::{Step, Task};
use crate::cli::output::{self, BOLD, DIM, GREEN, RED};
use crate::cli::{Ansi, Global, Progress};
use cais_model::name::ServiceName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// The lines of all tasks, in their order.
pub(super) struct Tree {
    live: Option<Live>,
    is_quiet: bool,
    /// The step of the last line that was printed.
    printed: Option<Step>,
}

/// What a terminal shows.
struct Live {
    all: MultiProgress,
    tasks: Vec<ProgressBar>,
    /// Kept until the end, as all bars are: one that is finished and gone leaves its line behind.
    heads: Vec<ProgressBar>,
    /// What stays when it is over.
    ended: Vec<(Step, String)>,
}

impl Tree {
    pub(super) fn new(global: &Global, tasks: &[Task]) -> Self {
        let terminal =
            std::io::stderr().is_terminal() && global.ansi != Ansi::Never && !global.json();
        let is_live = match global.progress {
            Progress::Tty => true,
            Progress::Auto => terminal,
            Progress::Plain | Progress::Quiet => false,
        };
        Self {
            live: is_live.then(|| Live::new(tasks)),
            is_quiet: global.progress == Progress::Quiet || global.json(),
            printed: None,
        }
    }

    pub(super) fn begin(&self, index: usize) {
        if let Some(live) = &self.live {
            let bar = &live.tasks[index];
            bar.reset_elapsed();
            bar.set_style(style("  {spinner:.cyan} {elapsed:>7.dim}  {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    pub(super) fn end(&mut self, index: usize, task: &Task, verdict: Verdict, seconds: f32) {
        let line = line(task, verdict, seconds);
        match &mut self.live {
            Some(live) => {
                let bar = &live.tasks[index];
                bar.disable_steady_tick();
                bar.set_style(style("{wide_msg}"));
                bar.set_message(line.clone());
                live.ended.push((task.step, line));
            }
            None if !self.is_quiet => print(&mut self.printed, task.step, &line),
            None => {}
        }
    }

    /// Puts lines that stay in the place of the live ones; those that never began are left out.
    pub(super) fn close(self) {
        let Some(live) = self.live else { return };
        // What is cleared when nothing can be cleared is seen by nobody.
        let _ = live.all.clear();
        drop((live.tasks, live.heads));
        let mut printed = None;
        for (step, line) in live.ended {
            print(&mut printed, step, &line);
        }
    }
}

impl Live {
    fn new(tasks: &[Task]) -> Self {
        let all = MultiProgress::new();
        let (mut bars, mut heads) = (Vec::new(), Vec::new());
        let mut step = None;
        for task in tasks {
            if step.replace(task.step) != Some(task.step) {
                let head = all.add(ProgressBar::new_spinner().with_style(style("{wide_msg}")));
                head.set_message(format!("{BOLD}{}{BOLD:#}", task.step));
                heads.push(head);
            }
            let bar = ProgressBar::new_spinner().with_style(style("  ·          {wide_msg:.dim}"));
            let bar = all.add(bar.with_message(title(task)));
            bar.tick();
            bars.push(bar);
        }
        Self {
            all,
            tasks: bars,
            heads,
            ended: Vec::new(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "])
}

/// A line under its step, which is named before its first.
fn print(printed: &mut Option<Step>, step: Step, line: &str) {
    if printed.replace(step) != Some(step) {
        output::say(&format!("{BOLD}{step}{BOLD:#}"));
    }
    output::say(line);
}

/// "clock: cargo test"
fn title(task: &Task) -> String {
    let services: Vec<&str> = task.services.iter().map(ServiceName::as_str).collect();
    if services.is_empty() {
        task.command.clone()
    } else {
        format!("{}: {}", services.join(", "), task.command)
    }
}

fn line(task: &Task, verdict: Verdict, seconds: f32) -> String {
    let title = title(task);
    match verdict {
        Verdict::Passed => format!("  {GREEN}✓{GREEN:#} {seconds:>6.1}s  {title}"),
        Verdict::Cached => format!("  {GREEN}✓{GREEN:#} {DIM} before  {title}{DIM:#}"),
        Verdict::Failed => format!("  {RED}✗{RED:#} {seconds:>6.1}s  {title}"),
    }
}
