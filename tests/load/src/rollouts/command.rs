//! A command under way and its end: what it printed, how long it took. What it does is its caller's.

use anyhow::{Context, bail, ensure};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// No command takes longer, or it hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// A command that ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Standard output and standard error.
    pub output: String,
    /// How long it took.
    pub took: Duration,
}

impl Ended {
    /// Its exit code; -1 when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// The last line of its output, where it says what went wrong.
    pub fn last_line(&self) -> &str {
        let error = self
            .output
            .lines()
            .rev()
            .find(|line| line.starts_with("error"));
        error.or(self.output.lines().last()).unwrap_or_default()
    }

    /// What it printed, if it did what it was asked.
    ///
    /// # Errors
    /// When it failed.
    pub fn ok(self) -> anyhow::Result<String> {
        ensure!(self.status.success(), "{}", self.output);
        Ok(self.output)
    }
}

/// A command under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: tempfile::NamedTempFile,
    began: Instant,
}

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let output = tempfile::NamedTempFile::new()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.reopen()?)
            .stderr(output.reopen()?)
            .spawn()
            .with_context(|| format!("cannot run `{}`", command.get_program().display()))?;
        Ok(Self {
            child,
            output,
            began: Instant::now(),
        })
    }

    /// Has it ended?
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it hangs; it is killed then.
    pub fn wait(mut self) -> anyhow::Result<Ended> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                self.child.kill()?;
                let output = std::fs::read_to_string(self.output.path())?;
                bail!(
                    "a command did not end within {} s:\n{output}",
                    LIMIT.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Ended {
            status,
            took: self.began.elapsed(),
            output: std::fs::read_to_string(self.output.path())?,
        })
    }
}
