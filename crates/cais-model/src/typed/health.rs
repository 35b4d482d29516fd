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
    let timing = timing(node, DEFAULTS, reader);
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

/// Reads the timing fields over defaults; `x-cais.health` has the same names.
pub(crate) fn timing(node: &Node, defaults: ProbeTiming, reader: &mut Reader<'_>) -> ProbeTiming {
    ProbeTiming {
        interval: reader
            .duration(node.get("interval"))
            .unwrap_or(defaults.interval),
        timeout: reader
            .duration(node.get("timeout"))
            .unwrap_or(defaults.timeout),
        retries: reader
            .whole(node.get("retries"))
            .unwrap_or(defaults.retries),
        start_period: reader
            .duration(node.get("start_period"))
            .unwrap_or(defaults.start_period),
        start_interval: reader
            .duration(node.get("start_interval"))
            .unwrap_or(defaults.start_interval),
    }
}
