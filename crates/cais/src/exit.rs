//! Exit codes, and the error type that carries one: every expected failure is mapped to its code here and nowhere else.

use cais_model::diagnostic::Diagnostic;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// The documented exit codes of `cais`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exit {
    /// 1: something went wrong.
    Error,
    /// 2: the command line or a file is not valid.
    Usage,
    /// 3: a deploy was rolled back.
    RolledBack,
    /// 4: a deadline passed.
    TimedOut,
    /// 5: another deploy has the environment.
    Locked,
    /// 6: differences were found, and `plan --exit-code` asked to be told so.
    Differences,
    /// 7: a check found what should not pass.
    CheckFailed,
}

impl Exit {
    /// The number that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::RolledBack => 3,
            Exit::TimedOut => 4,
            Exit::Locked => 5,
            Exit::Differences => 6,
            Exit::CheckFailed => 7,
        }
    }
}

/// What `cais --help` says about exit codes.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes: 0 done · 1 error · 2 usage or an invalid file · 3 rolled back · 4 timed out · \
5 locked by another deploy · 6 differences found (plan --exit-code) · 7 a check failed";

/// An expected failure: what happened, what to type next, and the code to end with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) files: Vec<(PathBuf, String)>,
}

impl Failure {
    /// A failure with its sentence.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            diagnostics: Vec::new(),
            files: Vec::new(),
        }
    }

    /// The same with what to type next.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A file that cannot be used: its diagnostics are printed with their source lines.
    pub(crate) fn invalid(diagnostics: Vec<Diagnostic>, files: Vec<(PathBuf, String)>) -> Self {
        let errors = diagnostics
            .iter()
            .filter(|d| d.severity == cais_model::diagnostic::Severity::Error)
            .count();
        let message = match errors {
            1 => "1 error, nothing was changed".to_owned(),
            n => format!("{n} errors, nothing was changed"),
        };
        Self {
            exit: Exit::Usage,
            message,
            help: None,
            diagnostics,
            files,
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Failure>() {
            Ok(failure) => failure,
            Err(error) => Failure::new(Exit::Error, format!("{error:#}")),
        }
    }
}

/// What commands return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;
