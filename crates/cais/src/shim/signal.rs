//! Signals by name: parses what a Compose file or an operator writes and prints what the kernel's manual calls it.

use rustix::process::Signal as Raw;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A signal with a fixed number. Real-time signals are refused: their numbers depend on the C library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(Raw);

impl Signal {
    /// Compose's default `stop_signal`.
    pub(crate) const TERM: Signal = Signal(Raw::TERM);
    /// What cannot be refused.
    pub(crate) const KILL: Signal = Signal(Raw::KILL);
    /// Wakes a stopped process.
    pub(crate) const CONT: Signal = Signal(Raw::CONT);

    /// The form that system calls take.
    pub(crate) fn raw(self) -> Raw {
        self.0
    }

    /// The number.
    pub(crate) fn number(self) -> i32 {
        self.0.as_raw()
    }
}

/// The text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such signal: `{0}`")]
pub(crate) struct UnknownSignal(pub(crate) String);

/// Linux's names (signal(7)); where two names share a number, the first is printed.
const NAMES: &[(&str, Raw)] = &[
    ("HUP", Raw::HUP),
    ("INT", Raw::INT),
    ("QUIT", Raw::QUIT),
    ("ILL", Raw::ILL),
    ("TRAP", Raw::TRAP),
    ("ABRT", Raw::ABORT),
    ("IOT", Raw::ABORT),
    ("BUS", Raw::BUS),
    ("FPE", Raw::FPE),
    ("KILL", Raw::KILL),
    ("USR1", Raw::USR1),
    ("SEGV", Raw::SEGV),
    ("USR2", Raw::USR2),
    ("PIPE", Raw::PIPE),
    ("ALRM", Raw::ALARM),
    ("TERM", Raw::TERM),
    ("STKFLT", Raw::STKFLT),
    ("CHLD", Raw::CHILD),
    ("CLD", Raw::CHILD),
    ("CONT", Raw::CONT),
    ("STOP", Raw::STOP),
    ("TSTP", Raw::TSTP),
    ("TTIN", Raw::TTIN),
    ("TTOU", Raw::TTOU),
    ("URG", Raw::URG),
    ("XCPU", Raw::XCPU),
    ("XFSZ", Raw::XFSZ),
    ("VTALRM", Raw::VTALARM),
    ("PROF", Raw::PROF),
    ("WINCH", Raw::WINCH),
    ("IO", Raw::IO),
    ("POLL", Raw::IO),
    ("PWR", Raw::POWER),
    ("SYS", Raw::SYS),
];

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Accepts `SIGTERM`, `TERM` and `15`, in any case, as `docker kill --signal` does.
    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Raw::from_named_raw(number).map(Signal).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let found = NAMES.iter().find(|(name, _)| *name == short);
        found.map(|(_, raw)| Signal(*raw)).ok_or_else(unknown)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, raw)| *raw == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "{}", self.number()),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<i32, &str>) {
        let got = text.parse::<Signal>().map(Signal::number);
        assert_eq!(
            got.map_err(|e| e.to_string()),
            expected.map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn names_and_numbers_mean_the_same_signal() {
        check("SIGTERM", Ok(15));
        check("TERM", Ok(15));
        check("sigterm", Ok(15));
        check("15", Ok(15));
        check("SIGKILL", Ok(9));
        check("QUIT", Ok(3));
        check("SIGCLD", Ok(17));
    }

    #[test]
    fn what_names_no_signal_is_refused_with_the_text() {
        for bad in ["", "SIG", "SIGTREM", "0", "-9", "99", "TERM "] {
            check(bad, Err(&format!("no such signal: `{bad}`")));
        }
    }

    #[test]
    fn every_name_survives_the_wire() {
        for (name, raw) in NAMES {
            let text = serde_json::to_string(&Signal(*raw)).unwrap();
            let back: Signal = serde_json::from_str(&text).unwrap();
            assert_eq!(back, Signal(*raw), "{name}");
        }
    }
}
