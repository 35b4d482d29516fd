//! How many tasks a service has and how they are replaced: `deploy.replicas`, `scale`, `update_config`, `rollback_config`.

use super::read::{Reader, text};
use crate::node::Node;
use crate::stack::{FailureAction, Order, UpdateConfig};
use crate::suggest;

/// `scale`, else `deploy.replicas`, else 1.
pub(super) fn replicas(service: &Node, reader: &mut Reader<'_>) -> u32 {
    let scale = service.get("scale");
    let replicas = service.at(&["deploy", "replicas"]);
    let (scaled, replicated) = (reader.whole(scale), reader.whole(replicas));
    if let (Some(scale), Some(scaled), Some(replicated)) = (scale, scaled, replicated)
        && scaled != replicated
    {
        reader.error(
            scale,
            format!("`scale` is {scaled} and `deploy.replicas` is {replicated}; give one of them"),
        );
    }
    scaled.or(replicated).unwrap_or(1)
}

/// Reads `update_config` or `rollback_config`; unset fields take Compose's defaults.
pub(super) fn update(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<UpdateConfig> {
    let node = node.filter(|node| node.as_mapping().is_some())?;
    Some(UpdateConfig {
        parallelism: reader.whole(node.get("parallelism")).unwrap_or(1),
        delay: reader.duration(node.get("delay")).unwrap_or_default(),
        order: order(node.get("order")),
        monitor: reader.duration(node.get("monitor")),
        failure_action: failure_action(node.get("failure_action"), reader),
        max_failure_ratio: ratio(node.get("max_failure_ratio"), reader),
    })
}

fn order(node: Option<&Node>) -> Order {
    // The schema allows these two words only.
    match text(node).as_deref() {
        Some("start-first") => Order::StartFirst,
        _ => Order::StopFirst,
    }
}

fn failure_action(node: Option<&Node>, reader: &mut Reader<'_>) -> FailureAction {
    let Some(node) = node else {
        return FailureAction::Pause;
    };
    match node.as_str() {
        Some("continue") => FailureAction::Continue,
        Some("rollback") => FailureAction::Rollback,
        Some("pause") => FailureAction::Pause,
        _ => {
            let written = node.scalar_text().unwrap_or_default();
            let mut diagnostic = node.error(format!(
                "`{written}` is no failure action: write `continue`, `pause` or `rollback`"
            ));
            diagnostic.help = suggest::did_you_mean(&written, ["continue", "pause", "rollback"]);
            reader.diagnostics.push(diagnostic);
            FailureAction::Pause
        }
    }
}

fn ratio(node: Option<&Node>, reader: &mut Reader<'_>) -> f64 {
    let ratio = reader.number(node).unwrap_or_default();
    if let Some(node) = node
        && !(0.0..=1.0).contains(&ratio)
    {
        reader.error(node, format!("`{ratio}` is not a share from 0 to 1"));
    }
    ratio
}
