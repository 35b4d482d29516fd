//! What the schema cannot say: entries that contradict themselves, and entries that contradict each other.

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::stack::Stack;
use std::collections::BTreeSet;

mod dependencies;
mod entries;
mod references;
mod sharing;

/// Checks each entry by itself.
pub(crate) fn check_entries(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    entries::check(tree, diagnostics);
}

/// Checks what Compose calls consistency: fields that exclude each other, and entries against each other. `disabled` are the services that no enabled profile has.
pub(crate) fn check_relations(
    tree: &Node,
    stack: &Stack,
    disabled: &BTreeSet<String>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    entries::exclusions(tree, diagnostics);
    references::check(tree, disabled, diagnostics);
    dependencies::check(tree, diagnostics);
    sharing::check(tree, stack, diagnostics);
}
