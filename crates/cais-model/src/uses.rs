//! Which variables Compose files name, and what they say about each. Their values are `variables`' matter.

use crate::interpolate;
use crate::node::{Node, Value};
use crate::yaml;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A variable as the files speak of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct VariableUse {
    /// Is it an error when it is unset (`${V:?…}`)?
    pub required: bool,
    /// What it is when it is unset (`${V:-default}`), as written.
    pub default: Option<String>,
    /// What stands in its place when it is set (`${V:+alternative}`), as written.
    pub alternative: Option<String>,
}

/// The variables of some files, by name; the first default and the first alternative count.
pub fn variables(files: &[(PathBuf, String)]) -> BTreeMap<String, VariableUse> {
    let mut found = BTreeMap::new();
    for (path, text) in files {
        let parsed = yaml::parse(&Arc::new(path.clone()), text);
        for document in parsed.map(|it| it.documents).unwrap_or_default() {
            walk(&document, &mut found);
        }
    }
    found
}

fn walk(node: &Node, found: &mut BTreeMap<String, VariableUse>) {
    match &node.value {
        Value::String(text) => interpolate::references(text, &mut |name, said| {
            let known = found.entry(name.to_owned()).or_default();
            known.required |= said.required;
            known.default = known.default.take().or(said.default);
            known.alternative = known.alternative.take().or(said.alternative);
        }),
        Value::Sequence(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Mapping(mapping) => mapping
            .iter()
            .for_each(|(_, entry)| walk(&entry.value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_says_what_it_says() {
        let text =
            "a: [$A, '${B:-x$C}', '${D:?say}', '${E:+$$}', $$F, '${B:-later}', '${A?}']\n${G}: h\n";
        let found = variables(&[(PathBuf::from("c"), text.to_owned())]);
        let shown = |name: &str| {
            let it = &found[name];
            format!("{} {:?} {:?}", it.required, it.default, it.alternative)
        };
        assert_eq!(found.keys().collect::<Vec<_>>(), ["A", "B", "C", "D", "E"]);
        assert_eq!(shown("A"), "true None None");
        assert_eq!(shown("B"), "false Some(\"x$C\") None");
        assert_eq!(shown("C"), "false None None");
        assert_eq!(shown("D"), "true None None");
        assert_eq!(shown("E"), "false None Some(\"$$\")");
    }
}
