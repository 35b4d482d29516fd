//! `develop.watch` of a service.

use super::read::{Reader, text, texts};
use crate::node::Node;
use crate::stack::{WatchAction, WatchRule};

/// Reads the rules; the schema has said which words there are.
pub(super) fn watch(service: &Node, reader: &mut Reader<'_>) -> Vec<WatchRule> {
    let rules = service.at(&["develop", "watch"]);
    let rules = rules.and_then(Node::as_sequence).unwrap_or_default();
    rules.iter().filter_map(|node| rule(node, reader)).collect()
}

fn rule(node: &Node, reader: &mut Reader<'_>) -> Option<WatchRule> {
    let action = match text(node.get("action"))?.as_str() {
        "sync" => WatchAction::Sync,
        "sync+exec" => WatchAction::SyncExec,
        "sync+restart" => WatchAction::SyncRestart,
        "restart" => WatchAction::Restart,
        "rebuild" => WatchAction::Rebuild,
        _ => return None,
    };
    let target = text(node.get("target")).filter(|target| !target.is_empty());
    if action.copies() && target.is_none() {
        let message = format!(
            "`{}` needs a `target`: where the files go in the container",
            action.as_str()
        );
        reader.error(node, message);
    }
    let patterns = |key: &str| {
        let node = node.get(key);
        texts(node).unwrap_or_else(|| text(node).into_iter().collect())
    };
    Some(WatchRule {
        path: text(node.get("path"))?,
        action,
        target,
        ignore: patterns("ignore"),
        include: patterns("include"),
        initial_sync: reader.boolean(node.get("initial_sync")).unwrap_or(false),
        position: node.position.clone(),
    })
}
