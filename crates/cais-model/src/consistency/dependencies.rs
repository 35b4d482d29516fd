//! Services that wait for each other in a circle.

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Node};
use crate::typed::entries;
use std::collections::BTreeMap;

/// A service on the way, and those it depends on that are still to be visited.
type Step<'s> = (&'s str, Vec<(&'s String, &'s Entry)>);

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    OnTheWay,
    Finished,
}

/// Reports each circle of `depends_on` once. Depth first, with a stack of its own: a file may have any number of services.
pub(super) fn check(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut marks: BTreeMap<&str, Mark> = BTreeMap::new();
    for (start, _) in entries(tree.get("services")) {
        if marks.contains_key(start.as_str()) {
            continue;
        }
        marks.insert(start, Mark::OnTheWay);
        let mut way: Vec<Step<'_>> = vec![(start, dependencies(tree, start))];
        while let Some((name, open)) = way.last_mut() {
            let Some((next, entry)) = open.pop() else {
                marks.insert(name, Mark::Finished);
                way.pop();
                continue;
            };
            match marks.get(next.as_str()) {
                None => {
                    marks.insert(next, Mark::OnTheWay);
                    way.push((next, dependencies(tree, next)));
                }
                Some(Mark::OnTheWay) => diagnostics.push(circle(&way, next, entry)),
                Some(Mark::Finished) => {}
            }
        }
    }
}

/// What a service depends on, the first written last, as a stack gives them back.
fn dependencies<'s>(tree: &'s Node, name: &str) -> Vec<(&'s String, &'s Entry)> {
    let mut found: Vec<_> = entries(tree.at(&["services", name, "depends_on"])).collect();
    found.reverse();
    found
}

fn circle(way: &[Step<'_>], back_to: &str, entry: &Entry) -> Diagnostic {
    let names = way
        .iter()
        .map(|(name, _)| *name)
        .skip_while(|name| *name != back_to);
    let names: Vec<&str> = names.chain([back_to]).collect();
    let width = u32::try_from(back_to.chars().count()).unwrap_or(1);
    let message = format!(
        "services depend on each other in a circle: {}",
        names.join(" → ")
    );
    Diagnostic::error(&entry.key_position, message).with_width(width)
}
