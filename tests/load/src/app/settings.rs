//! What the test app's environment asks for.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How to behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `HOST`: where it listens, 127.0.0.1 by default; in a container 0.0.0.0.
    pub host: IpAddr,
    /// `PORT`.
    pub port: u16,
    /// `REVISION`; answers carry it as `x-revision`.
    pub revision: String,
    /// `CAIS_TASK` without what comes before its last `-`, else the process id; `x-task`.
    pub task: String,
    /// `START_DELAY_MS`: listens only after it.
    pub start_delay: Duration,
    /// `EXIT_AFTER_MS`: gives up after it; 0 before it listens, otherwise counted from then.
    pub exit_after: Option<Duration>,
    /// `EXIT_CODE` of a process that gives up. Default 1.
    pub exit_code: u8,
    /// `NEVER_HEALTHY=1`: health checks answer 500 with a sentence.
    pub never_healthy: bool,
    /// `FLAP=N`: health checks answer N times 200, N times 500, and so on; 0 is never.
    pub flap: u32,
    /// `IGNORE_SIGTERM=1`: stays until it is killed.
    pub ignore_sigterm: bool,
    /// `GRACEFUL=1`: finishes what is under way.
    pub graceful: bool,
    /// `LOG`: a line to begin with.
    pub log: Option<String>,
}

/// A variable that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{value}` is no value for {name}, which is {what}")]
pub struct SettingsError {
    name: &'static str,
    value: String,
    what: &'static str,
}

impl Settings {
    /// From the variables that `get` knows.
    ///
    /// # Errors
    /// Names the first variable that makes no sense.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let number = |name, most: u64| match get(name) {
            None => Ok(None),
            Some(value) => match value.parse().ok().filter(|number| *number <= most) {
                Some(number) => Ok(Some(number)),
                None => Err(SettingsError {
                    name,
                    value,
                    what: "a whole number in range",
                }),
            },
        };
        let flag = |name| match get(name).as_deref() {
            None | Some("" | "0") => Ok(false),
            Some("1") => Ok(true),
            Some(value) => Err(SettingsError {
                name,
                value: value.to_owned(),
                what: "0 or 1",
            }),
        };
        let text = |name| get(name).filter(|value| !value.is_empty());
        let millis = |name| Ok(number(name, 3_600_000)?.map(Duration::from_millis));
        let mark =
            text("CAIS_TASK").map(|mark| mark.rsplit('-').next().unwrap_or_default().to_owned());
        let host = match get("HOST").filter(|value| !value.is_empty()) {
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(value) => value.parse().map_err(|_| SettingsError {
                name: "HOST",
                value,
                what: "an IP address",
            })?,
        };
        Ok(Self {
            host,
            port: number("PORT", u64::from(u16::MAX))?.map_or(0, |port| port as u16),
            revision: text("REVISION").unwrap_or_else(|| "0".to_owned()),
            task: mark.unwrap_or_else(|| std::process::id().to_string()),
            start_delay: millis("START_DELAY_MS")?.unwrap_or_default(),
            exit_after: millis("EXIT_AFTER_MS")?,
            exit_code: number("EXIT_CODE", 255)?.map_or(1, |code| code as u8),
            never_healthy: flag("NEVER_HEALTHY")?,
            flap: number("FLAP", 1000)?.map_or(0, |flap| flap as u32),
            ignore_sigterm: flag("IGNORE_SIGTERM")?,
            graceful: flag("GRACEFUL")?,
            log: text("LOG"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_task_is_named_by_the_number_in_its_mark() {
        assert_eq!(read(&[("CAIS_TASK", "0a1b-17")]).unwrap().task, "17");
        assert_eq!(read(&[]).unwrap().task, std::process::id().to_string());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (name, value) in [
            ("PORT", "70000"),
            ("FLAP", "x"),
            ("GRACEFUL", "yes"),
            ("EXIT_CODE", "256"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
