//! `develop.watch`.

use super::web;
use cais_model::stack::WatchAction;

fn watch(rule: &str) -> super::Project {
    web(&format!("develop: {{watch: [{{{rule}}}]}}"))
}

#[test]
fn a_rule_has_its_words() {
    let rule = "action: sync+restart, path: ./src, target: /app, ignore: node_modules/, initial_sync: true";
    let service = watch(rule).service();
    let rule = &service.watch[0];
    assert_eq!(rule.action, WatchAction::SyncRestart);
    assert_eq!(rule.target.as_deref(), Some("/app"));
    assert_eq!(rule.ignore, ["node_modules/"]);
    assert!(rule.initial_sync && rule.include.is_empty());
    let rebuild = watch("action: rebuild, path: package.json").service();
    assert_eq!(rebuild.watch[0].action, WatchAction::Rebuild);
    assert!(!rebuild.watch[0].initial_sync);
}

#[test]
fn what_is_copied_needs_a_place() {
    for action in ["sync", "sync+restart"] {
        let errors = watch(&format!("action: {action}, path: ./src")).errors();
        assert!(
            errors[0].contains(&format!("`{action}` needs a `target`")),
            "{errors:?}"
        );
    }
}
