//! The `x-cais` block, typed and strict: an unknown key is an error. Which of its words a runtime honours is `fields`' matter.

use crate::node::{Node, Value};
use crate::stack::{
    Artifact, Ci, HttpHealth, Percent, ProbeTiming, Process, RolloutConfig, Route, ServiceCloud,
    StackCloud, Strategy, Threshold,
};
use crate::suggest;
use crate::typed::entries;
use crate::typed::health::timing;
use crate::typed::read::{Reader, text, texts};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

mod alarms;
mod aws;
mod blocks;
mod cloud;
mod schema;
mod words;

pub use schema::schema;
use words::{Block, Form};

/// What `x-cais` of a service says, as far as it is typed.
#[derive(Default)]
pub(crate) struct ServiceExtension {
    pub(crate) process: Option<Process>,
    pub(crate) artifact: Option<Artifact>,
    pub(crate) ci: Ci,
    pub(crate) routes: Vec<Route>,
    pub(crate) health: Option<HttpHealth>,
    pub(crate) rollout: Option<RolloutConfig>,
    pub(crate) cloud: ServiceCloud,
}

/// What the top-level `x-cais` says, as far as it is typed.
pub(crate) struct TopExtension {
    pub(crate) listen: SocketAddr,
    pub(crate) cloud: StackCloud,
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const HEALTH: ProbeTiming = ProbeTiming {
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(1),
    retries: 3,
    start_period: Duration::from_secs(10),
    start_interval: Duration::from_millis(100),
};

/// Reads `x-cais` of a service.
pub(crate) fn service(node: Option<&Node>, reader: &mut Reader<'_>) -> ServiceExtension {
    let Some(node) = block(node, "x-cais", reader) else {
        return ServiceExtension::default();
    };
    keys(node, "x-cais", &words::SERVICE, reader);
    blocks::check_cache(node.get("cache"), reader);
    ServiceExtension {
        process: block(node.get("process"), "process", reader).map(|node| process(node, reader)),
        artifact: block(node.get("image"), "image", reader).and_then(|node| image(node, reader)),
        ci: block(node.get("ci"), "ci", reader)
            .map(|node| ci(node, reader))
            .unwrap_or_default(),
        routes: routes(node.get("route"), reader),
        health: block(node.get("health"), "health", reader).map(|node| health(node, reader)),
        rollout: block(node.get("rollout"), "rollout", reader).map(|node| rollout(node, reader)),
        cloud: cloud::service(node, reader),
    }
}

/// Reads the top-level `x-cais`.
pub(crate) fn top(node: Option<&Node>, reader: &mut Reader<'_>) -> TopExtension {
    let mut top = TopExtension {
        listen: LISTEN,
        cloud: StackCloud::default(),
    };
    let Some(node) = block(node, "x-cais", reader) else {
        return top;
    };
    keys(node, "x-cais", &words::TOP, reader);
    top.cloud.notify = alarms::notify(node.get("notify"), reader);
    top.cloud.aws = aws::aws(node.get("aws"), reader);
    if let Some(listen) = node.get("listen") {
        let written = listen.scalar_text().unwrap_or_default();
        match written.parse() {
            Ok(address) => top.listen = address,
            Err(_) => reader.diagnostics.push(
                listen
                    .error(format!("`{written}` is not an address"))
                    .with_help("write it like `127.0.0.1:8080`"),
            ),
        }
    }
    top
}

/// Reads `x-cais: {generate: true}` of a top-level secret or config.
pub(crate) fn generate(node: Option<&Node>, reader: &mut Reader<'_>) -> bool {
    let Some(node) = block(node, "x-cais", reader) else {
        return false;
    };
    keys(node, "x-cais", &words::FILE, reader);
    reader.boolean(node.get("generate")).unwrap_or(false)
}

/// The node, where it is a mapping; anything else but nothing is an error.
fn block<'n>(node: Option<&'n Node>, name: &str, reader: &mut Reader<'_>) -> Option<&'n Node> {
    let node = node?;
    if node.as_mapping().is_none() {
        reader.error(
            node,
            format!("`{name}` must be a mapping, and it is a {}", node.kind()),
        );
        return None;
    }
    Some(node)
}

/// Reports every key that is not known, and what has not the form of its key where no reader of values would.
fn keys(node: &Node, name: &str, block: &Block, reader: &mut Reader<'_>) {
    for (key, entry) in entries(Some(node)) {
        if let Some(known) = block.keys.iter().find(|known| known.name == key) {
            check_form(&entry.value, known, reader);
            continue;
        }
        let width = u32::try_from(key.chars().count()).unwrap_or(1);
        let message = format!("unknown key `{key}` in {name}");
        let diagnostic =
            crate::diagnostic::Diagnostic::error(&entry.key_position, message).with_width(width);
        let list = block
            .names()
            .map(|key| format!("`{key}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let help =
            suggest::did_you_mean(key, block.names()).unwrap_or_else(|| format!("it has {list}"));
        reader.diagnostics.push(diagnostic.with_help(help));
    }
}

/// A list, a mapping or nothing, where a duration, a number or a boolean should stand: their readers pass them over.
fn check_form(node: &Node, key: &words::Key, reader: &mut Reader<'_>) {
    let what = match key.form {
        Form::Duration => "a duration, such as `10s`",
        Form::Whole => "a whole number",
        Form::Boolean => "`true` or `false`",
        Form::Amount if key.name == "memory" => "a size, such as `512m`",
        _ => return,
    };
    if node.scalar_text().is_none() {
        let (name, kind) = (key.name, node.kind());
        reader.error(node, format!("`{name}` must be {what}, and it is a {kind}"));
    }
}

fn is_scalar(node: &Node) -> bool {
    node.scalar_text().is_some()
}

/// A text field; lists and mappings are errors.
fn word(node: Option<&Node>, name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let node = node?;
    let text = node.scalar_text();
    if text.is_none() {
        reader.error(node, format!("`{name}` must be a text"));
    }
    text
}

fn process(node: &Node, reader: &mut Reader<'_>) -> Process {
    keys(node, "process", &words::PROCESS, reader);
    Process {
        build: word(node.get("build"), "build", reader),
        command: command(node.get("command"), reader),
        optional: reader.boolean(node.get("optional")).unwrap_or(false),
    }
}

fn image(node: &Node, reader: &mut Reader<'_>) -> Option<Artifact> {
    keys(node, "image", &words::IMAGE, reader);
    let path = word(node.get("artifact"), "artifact", reader).filter(|path| !path.is_empty());
    if path.is_none() {
        reader.diagnostics.push(
            node.error("`image` needs an `artifact`")
                .with_help("name the program's file: `image: {artifact: target/release/clock}`"),
        );
    }
    Some(Artifact {
        build: word(node.get("build"), "build", reader),
        path: path?,
    })
}

fn ci(node: &Node, reader: &mut Reader<'_>) -> Ci {
    keys(node, "ci", &words::CI, reader);
    Ci {
        lint: word(node.get("lint"), "lint", reader),
        test: word(node.get("test"), "test", reader),
    }
}

fn command(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let node = node?;
    let words = match &node.value {
        Value::String(text) => shell_words::split(text).ok(),
        Value::Sequence(items) if items.iter().all(is_scalar) => texts(Some(node)),
        _ => None,
    };
    match words {
        Some(words) if !words.is_empty() => Some(words),
        _ => {
            reader.error(
                node,
                "`command` must be a text with closed quotes or a list of words, and not empty",
            );
            None
        }
    }
}

/// One route, or a list of them.
fn routes(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<Route> {
    let Some(node) = node else { return Vec::new() };
    let one = std::slice::from_ref(node);
    let nodes = node.as_sequence().unwrap_or(one);
    let blocks = nodes.iter().filter_map(|node| {
        let node = block(Some(node), "route", reader)?;
        Some(route(node, reader))
    });
    blocks.collect()
}

fn route(node: &Node, reader: &mut Reader<'_>) -> Route {
    keys(node, "route", &words::ROUTE, reader);
    if node.get("path").is_none() && node.get("host").is_none() {
        reader.error(node, "a route needs a `path` or a `host`");
    }
    Route {
        host: host(node.get("host"), reader),
        path: path(node.get("path"), "path", reader).unwrap_or("/".into()),
    }
}

fn host(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<String> {
    let node = node?;
    let host = word(Some(node), "host", reader)?.to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    if !host.split('.').all(is_label) {
        let help = "write the name alone, like `clock.example.com`, without scheme, port or path";
        reader.diagnostics.push(
            node.error(format!("`{host}` is not a host name"))
                .with_help(help),
        );
        return None;
    }
    Some(host)
}

/// A path from the root; a slash at its end says nothing and goes.
fn path(node: Option<&Node>, name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let node = node?;
    let path = word(Some(node), name, reader)?;
    if !path.starts_with('/') || path.contains(char::is_whitespace) || path.contains(['?', '#']) {
        let help = "it begins with `/` and has no query: `/clock`";
        reader.diagnostics.push(
            node.error(format!("`{path}` is not a path"))
                .with_help(help),
        );
        return None;
    }
    let trimmed = path.trim_end_matches('/');
    Some(if trimmed.is_empty() {
        "/".to_owned()
    } else {
        trimmed.to_owned()
    })
}

/// A request target: a path that may have a query and may end with a slash.
fn target(node: Option<&Node>, name: &str, reader: &mut Reader<'_>) -> Option<String> {
    let node = node?;
    let target = word(Some(node), name, reader)?;
    if target.starts_with('/') && !target.contains(char::is_whitespace) {
        return Some(target);
    }
    reader.diagnostics.push(
        node.error(format!("`{target}` is not a path"))
            .with_help("it begins with `/`: `/healthz`"),
    );
    None
}

fn health(node: &Node, reader: &mut Reader<'_>) -> HttpHealth {
    keys(node, "health", &words::HEALTH, reader);
    HttpHealth {
        path: target(node.get("path"), "path", reader),
        ready: target(node.get("ready"), "ready", reader),
        timing: timing(node, HEALTH, reader),
    }
}

fn rollout(node: &Node, reader: &mut Reader<'_>) -> RolloutConfig {
    keys(node, "rollout", &words::ROLLOUT, reader);
    let (breaker, reset_on_healthy) = breaker(node.get("breaker"), reader);
    RolloutConfig {
        strategy: strategy(node.get("strategy"), reader),
        minimum_healthy: percent(node.get("minimum_healthy"), 0..=100, reader)
            .unwrap_or(Percent(100)),
        maximum: percent(node.get("maximum"), 100..=1000, reader).unwrap_or(Percent(200)),
        breaker,
        reset_on_healthy,
        monitor: reader.duration(node.get("monitor")),
        deregistration_delay: reader.duration(node.get("deregistration_delay")),
        progress_deadline: reader
            .duration(node.get("progress_deadline"))
            .unwrap_or(Duration::from_secs(600)),
    }
}

fn strategy(node: Option<&Node>, reader: &mut Reader<'_>) -> Strategy {
    let Some(node) = node else {
        return Strategy::Rolling;
    };
    match text(Some(node)).as_deref() {
        Some("rolling") => Strategy::Rolling,
        Some("blue-green") => Strategy::BlueGreen,
        Some("canary") => Strategy::Canary,
        Some("linear") => Strategy::Linear,
        other => {
            let written = other.unwrap_or_default();
            let mut diagnostic = node.error(format!("`{written}` is no strategy"));
            diagnostic.help = suggest::did_you_mean(written, words::STRATEGIES)
                .or_else(|| Some("write `rolling`, `blue-green`, `canary` or `linear`".to_owned()));
            reader.diagnostics.push(diagnostic);
            Strategy::Rolling
        }
    }
}

fn percent(
    node: Option<&Node>,
    allowed: std::ops::RangeInclusive<u32>,
    reader: &mut Reader<'_>,
) -> Option<Percent> {
    let node = node?;
    let written = node.scalar_text().unwrap_or_default();
    let number = written.trim().trim_end_matches('%').trim_end().parse().ok();
    match number.filter(|number| allowed.contains(number)) {
        Some(number) => Some(Percent(number)),
        None => {
            let (least, most) = (allowed.start(), allowed.end());
            reader.error(
                node,
                format!("`{written}` is not a whole percentage from {least}% to {most}%"),
            );
            None
        }
    }
}

/// The threshold and `reset_on_healthy`.
fn breaker(node: Option<&Node>, reader: &mut Reader<'_>) -> (Threshold, bool) {
    const DEFAULT: Threshold = Threshold::BoundedPercent(50);
    let Some(node) = block(node, "breaker", reader) else {
        return (DEFAULT, true);
    };
    keys(node, "breaker", &words::BREAKER, reader);
    let mut thresholds = Vec::new();
    if let Some(count) = node.get("count") {
        match reader.whole(Some(count)) {
            Some(0) => reader.error(count, "a breaker counts at least 1 failure"),
            Some(count) => thresholds.push(Threshold::Count(count)),
            None => {}
        }
    }
    if let Some(Percent(share)) = percent(node.get("percent"), 1..=100, reader) {
        thresholds.push(Threshold::BoundedPercent(share));
    }
    if let Some(Percent(share)) = percent(node.get("unbounded_percent"), 1..=100, reader) {
        thresholds.push(Threshold::UnboundedPercent(share));
    }
    if thresholds.len() > 1 {
        reader.error(
            node,
            "a breaker has one of `count`, `percent` and `unbounded_percent`",
        );
    }
    let reset = reader.boolean(node.get("reset_on_healthy")).unwrap_or(true);
    (thresholds.first().copied().unwrap_or(DEFAULT), reset)
}
