//! Services that wait for each other in a circle.

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::typed::entries;
use std::collections::BTreeSet;

/// Reports each circle of `depends_on` once.
pub(super) fn check(tree: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut search = Search {
        tree,
        finished: BTreeSet::new(),
        diagnostics,
    };
    for (name, _) in entries(tree.get("services")) {
        search.visit(name, &mut Vec::new());
    }
}

struct Search<'s> {
    tree: &'s Node,
    finished: BTreeSet<String>,
    diagnostics: &'s mut Vec<Diagnostic>,
}

impl<'s> Search<'s> {
    /// Depth first; `way` is the services from the start to here.
    fn visit(&mut self, name: &'s str, way: &mut Vec<&'s str>) {
        if self.finished.contains(name) {
            return;
        }
        way.push(name);
        for (dependency, entry) in entries(self.tree.at(&["services", name, "depends_on"])) {
            match way.iter().position(|step| step == dependency) {
                Some(start) => {
                    let circle: Vec<&str> = way[start..]
                        .iter()
                        .copied()
                        .chain([dependency.as_str()])
                        .collect();
                    let width = u32::try_from(dependency.chars().count()).unwrap_or(1);
                    self.diagnostics.push(
                        Diagnostic::error(
                            &entry.key_position,
                            format!(
                                "services depend on each other in a circle: {}",
                                circle.join(" → ")
                            ),
                        )
                        .with_width(width),
                    );
                }
                None => self.visit(dependency, way),
            }
        }
        way.pop();
        self.finished.insert(name.to_owned());
    }
}
