//! `healthcheck`, with Docker's defaults for what it leaves out.

use super::read::{Reader, texts};
use crate::node::Node;
use crate::stack::{HealthTest, Healthcheck, ProbeTiming};
use std::time::Duration;

/// Docker's defaults (Dockerfile reference, `HEALTHCHECK`).
const DEFAULTS: ProbeTiming = ProbeTiming {
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(30),
    retries: 3,
    start_period: Duration::ZERO,
    start_interval: Duration::from_secs(5),
};

/// Reads `healthcheck`; `None` when absent, disabled, or without a test of its own (then the image's counts).
pub(super) fn check(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Healthcheck> {
    let node = node?;
    let mut timing = timing(node, DEFAULTS, reader);
    if node.get("start_interval").is_none() {
        // Who asks every second later on does not mean to wait five for the first answer.
        timing.start_interval = timing.start_interval.min(timing.interval);
    }
    let disabled = reader.boolean(node.get("disable")).unwrap_or(false);
    let test = node.get("test")?;
    let words = texts(Some(test))?;
    let test = match words.split_first() {
        None => return None,
        Some((first, _)) if first == "NONE" => return None,
        Some((first, words)) if first == "CMD" => HealthTest::Command(words.to_vec()),
        Some((first, words)) if first == "CMD-SHELL" => HealthTest::Shell(words.join(" ")),
        Some((first, _)) => {
            reader.diagnostics.push(
                test.error(format!(
                    "a test begins with `CMD`, `CMD-SHELL` or `NONE`, not `{first}`"
                ))
                .with_help(
                    "write `test: [CMD, …]`, or the command as one text to run it in a shell",
                ),
            );
            return None;
        }
    };
    (!disabled).then_some(Healthcheck { test, timing })
}

/// Reads the timing fields over defaults; `x-cais.health` has the same names. Zero takes the default, as Docker reads it.
pub(crate) fn timing(node: &Node, defaults: ProbeTiming, reader: &mut Reader<'_>) -> ProbeTiming {
    let mut read = |key: &str, default: Duration| {
        let given = reader
            .duration(node.get(key))
            .filter(|given| !given.is_zero());
        given.unwrap_or(default)
    };
    ProbeTiming {
        interval: read("interval", defaults.interval),
        timeout: read("timeout", defaults.timeout),
        start_period: read("start_period", defaults.start_period),
        start_interval: read("start_interval", defaults.start_interval),
        retries: reader
            .whole(node.get("retries"))
            .filter(|retries| *retries != 0)
            .unwrap_or(defaults.retries),
    }
}
