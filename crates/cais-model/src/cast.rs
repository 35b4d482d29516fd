//! Which fields are numbers or booleans even when a variable, and so a text, filled them in (Compose Specification, "Interpolation").

use crate::node::Value;
use crate::path::Path;

/// What a text at some path must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A boolean, in YAML 1.1's words too.
    Boolean,
    /// A file mode: octal with a leading `0` or `0o`.
    Mode,
}

/// Wherever a container is described: services, jobs, `pre_start` hooks.
const CONTAINER: &[(&str, Cast)] = &[
    ("cpu_count", Cast::Integer),
    ("cpu_percent", Cast::Number),
    ("cpu_period", Cast::Integer),
    ("cpu_quota", Cast::Integer),
    ("cpu_rt_period", Cast::Integer),
    ("cpu_rt_runtime", Cast::Integer),
    ("cpu_shares", Cast::Integer),
    ("cpus", Cast::Number),
    ("init", Cast::Boolean),
    ("networks.*.use_service_name_alias", Cast::Boolean),
    ("oom_kill_disable", Cast::Boolean),
    ("oom_score_adj", Cast::Integer),
    ("pids_limit", Cast::Integer),
    ("privileged", Cast::Boolean),
    ("read_only", Cast::Boolean),
    ("ulimits.*", Cast::Integer),
    ("ulimits.*.hard", Cast::Integer),
    ("ulimits.*.soft", Cast::Integer),
    ("umask", Cast::Mode),
    ("volumes.*.read_only", Cast::Boolean),
    ("volumes.*.volume.nocopy", Cast::Boolean),
];

/// Services and jobs.
const WORKLOAD: &[(&str, Cast)] = &[
    ("depends_on.*.required", Cast::Boolean),
    ("depends_on.*.restart", Cast::Boolean),
    ("healthcheck.disable", Cast::Boolean),
    ("healthcheck.retries", Cast::Integer),
    ("ports.*.target", Cast::Integer),
    ("stdin_open", Cast::Boolean),
    ("tty", Cast::Boolean),
];

/// Services only.
const SERVICE: &[(&str, Cast)] = &[
    ("deploy.placement.max_replicas_per_node", Cast::Integer),
    ("deploy.replicas", Cast::Integer),
    ("deploy.restart_policy.max_attempts", Cast::Integer),
    ("deploy.rollback_config.max_failure_ratio", Cast::Number),
    ("deploy.rollback_config.parallelism", Cast::Integer),
    ("deploy.update_config.max_failure_ratio", Cast::Number),
    ("deploy.update_config.parallelism", Cast::Integer),
    ("scale", Cast::Integer),
];

/// The other top-level blocks.
const TOP: &[(&str, Cast)] = &[
    ("configs.*.external", Cast::Boolean),
    ("networks.*.attachable", Cast::Boolean),
    ("networks.*.enable_ipv4", Cast::Boolean),
    ("networks.*.enable_ipv6", Cast::Boolean),
    ("networks.*.external", Cast::Boolean),
    ("networks.*.internal", Cast::Boolean),
    ("secrets.*.external", Cast::Boolean),
    ("volumes.*.external", Cast::Boolean),
];

/// A block, how many segments lead to its fields, and the fields.
type Group = (&'static str, usize, &'static [(&'static str, Cast)]);

const GROUPS: [Group; 6] = [
    ("services.*", 2, CONTAINER),
    ("services.*", 2, WORKLOAD),
    ("services.*", 2, SERVICE),
    ("services.*.pre_start.*", 4, CONTAINER),
    ("jobs.*", 2, CONTAINER),
    ("jobs.*", 2, WORKLOAD),
];

impl Cast {
    /// What a text at `path` must become, if anything.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let of = |casts: &[(&str, Self)], skip: usize| {
            let found = casts
                .iter()
                .find(|(pattern, _)| path.matches_after(skip, pattern));
            found.map(|(_, cast)| *cast)
        };
        let groups = GROUPS.iter().filter(|(block, ..)| path.begins_with(block));
        groups
            .map(|(_, skip, casts)| of(casts, *skip))
            .find(Option::is_some)
            .flatten()
            .or_else(|| of(TOP, 0))
    }

    /// What the text is in this kind; `None` when it is not of it.
    pub(crate) fn apply(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer => text.parse().ok().map(Value::Int),
            Self::Number => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Value::Float),
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "y" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "n" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Mode => match text.strip_prefix("0o").or_else(|| text.strip_prefix('0')) {
                Some("") => Some(0),
                Some(octal) => u32::from_str_radix(octal, 8).ok(),
                None => text.parse().ok(),
            }
            .map(|mode| Value::Int(i64::from(mode))),
        }
    }

    /// The kind in words, for a message.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Mode => "a file mode",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> Path {
        keys.iter().fold(Path::root(), |path, key| path.key(key))
    }

    #[test]
    fn casts_are_found_by_path() {
        for (keys, want) in [
            (
                &["services", "web", "deploy", "replicas"][..],
                Some(Cast::Integer),
            ),
            (&["services", "web", "read_only"], Some(Cast::Boolean)),
            (&["jobs", "once", "tty"], Some(Cast::Boolean)),
            (&["jobs", "once", "scale"], None),
            (&["volumes", "data", "external"], Some(Cast::Boolean)),
            (&["services", "web", "image"], None),
        ] {
            assert_eq!(Cast::at(&path(keys)), want, "{keys:?}");
        }
    }

    #[test]
    fn texts_become_values_or_nothing() {
        assert_eq!(Cast::Integer.apply("3"), Some(Value::Int(3)));
        assert_eq!(Cast::Integer.apply(""), None);
        assert_eq!(Cast::Number.apply("0.5"), Some(Value::Float(0.5)));
        assert_eq!(Cast::Number.apply("NaN"), None);
        assert_eq!(Cast::Boolean.apply("Yes"), Some(Value::Bool(true)));
        assert_eq!(Cast::Boolean.apply("1"), None);
        assert_eq!(Cast::Mode.apply("077"), Some(Value::Int(63)));
        assert_eq!(Cast::Mode.apply("9x"), None);
    }
}
