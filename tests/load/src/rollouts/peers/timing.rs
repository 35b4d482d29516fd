//! The app's health check and its `monitor`, which the scenarios write as cais reads them, in Docker's words.

use crate::rollouts::stack::App;

/// The four durations and the count that Docker's health checks have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timing<'a> {
    interval: &'a str,
    timeout: &'a str,
    retries: &'a str,
    start_period: &'a str,
}

impl<'a> Timing<'a> {
    /// `None` for an app without a health check.
    pub(super) fn of(app: &App) -> Option<Timing<'static>> {
        let health = app.health?;
        let read = |name, default| field(health, name).unwrap_or(default);
        Some(Timing {
            interval: read("interval", "1s"),
            timeout: read("timeout", "1s"),
            retries: read("retries", "3"),
            start_period: read("start_period", "10s"),
        })
    }

    /// As `docker service create` takes them. What is asked stands in the image.
    pub(super) fn flags(&self) -> [String; 4] {
        [
            format!("--health-interval={}", self.interval),
            format!("--health-timeout={}", self.timeout),
            format!("--health-retries={}", self.retries),
            format!("--health-start-period={}", self.start_period),
        ]
    }
}

/// How long a task has to stay up before it counts. Where the app says nothing, a second instead of Swarm's five.
pub(super) fn rollout_monitor(app: &App) -> &'static str {
    let rollout = app.rollout.and_then(|rollout| field(rollout, "monitor"));
    rollout.unwrap_or("1s")
}

/// The value of `name` in `{ name: value, … }`.
fn field(flow: &'static str, name: &str) -> Option<&'static str> {
    let inside = flow.trim_matches(['{', '}', ' ']);
    let mut pairs = inside.split(',').filter_map(|pair| pair.split_once(':'));
    let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_own_settings_are_what_the_peers_get() {
        let mut app = App::sound(1);
        let timing = Timing::of(&app).unwrap();
        assert_eq!(timing.flags()[0], "--health-interval=500ms");
        assert_eq!(timing.flags()[3], "--health-start-period=5s");
        assert_eq!(rollout_monitor(&app), "1s");
        app.rollout = Some("{ monitor: 2s }");
        assert_eq!(rollout_monitor(&app), "2s");
        app.health = None;
        assert_eq!(Timing::of(&app), None);
    }
}
