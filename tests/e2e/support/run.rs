//! Runs the binary as a user does, with an environment of its own, and holds what it said.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No command of these tests takes so long unless it hangs.
const LIMIT: Duration = Duration::from_secs(90);

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Ran {
    /// As typed, for messages and golden files.
    pub(crate) command: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Fails the test unless the command ended with exit code 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.ended_with(0)
    }

    /// Fails the test unless the command ended with this exit code.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "`{}` after {:?}\nstdout:\n{}\nstderr:\n{}",
            self.command,
            self.took,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "`{}` printed no JSON: {error}\n{}",
                self.command, self.stdout
            )
        })
    }
}

/// A command that is still running.
pub(crate) struct Running {
    child: Child,
    command: String,
    began: Instant,
    stdout: mpsc::Receiver<String>,
    stderr: mpsc::Receiver<String>,
}

/// Starts `command` with both outputs captured.
pub(crate) fn start(mut command: Command, words: &[&str]) -> Running {
    let mut child = command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Running {
        stdout: collect(child.stdout.take()),
        stderr: collect(child.stderr.take()),
        child,
        command: format!("cais {}", words.join(" ")).trim_end().to_owned(),
        began: Instant::now(),
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!(
                    "`{}` does not end\nstdout:\n{}\nstderr:\n{}",
                    self.command,
                    self.text(&self.stdout),
                    self.text(&self.stderr)
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran {
            code: code(status),
            stdout: self.text(&self.stdout),
            stderr: self.text(&self.stderr),
            took: self.began.elapsed(),
            command: self.command,
        }
    }

    /// A pipe that stays open after the command ended was inherited by something that it started.
    #[track_caller]
    fn text(&self, from: &mpsc::Receiver<String>) -> String {
        from.recv_timeout(Duration::from_secs(5))
            .unwrap_or_else(|_| panic!("`{}` ended, its output stays open", self.command))
    }
}

/// As a shell has it: 128 and the signal.
fn code(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|signal| 128 + signal))
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The binary under test, in `folder`.
pub(crate) fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cais"));
    command.current_dir(folder);
    command
}
