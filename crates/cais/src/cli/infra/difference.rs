//! How what is rendered differs from what stands in a folder: first by resource, then line by line.

use cais_cloud::files::Files;
use serde::Serialize;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What differs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Differences {
    schema: u32,
    /// Blocks that are new: `staging/services module.clock_service`.
    added: Vec<String>,
    /// Blocks that are other than before.
    changed: Vec<String>,
    /// Blocks that go.
    removed: Vec<String>,
    /// Files that differ, with their unified diff.
    files: BTreeMap<String, String>,
}

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files differ.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }
}

/// Compares.
pub(super) fn of(standing: &Files, rendered: &Files) -> Differences {
    let mut differences = Differences {
        schema: 1,
        ..Differences::default()
    };
    let (before, after) = (blocks(standing), blocks(rendered));
    for (address, text) in &after {
        match before.get(address) {
            None => differences.added.push(address.clone()),
            Some(old) if old != text => differences.changed.push(address.clone()),
            Some(_) => {}
        }
    }
    let gone = before
        .keys()
        .filter(|address| !after.contains_key(*address));
    differences.removed.extend(gone.cloned());
    let paths: BTreeSet<&String> = standing.keys().chain(rendered.keys()).collect();
    for path in paths {
        let (old, new) = (standing.get(path), rendered.get(path));
        if old == new {
            continue;
        }
        let name = |side: &str, file: Option<&String>| match file {
            Some(_) => format!("{side}/{path}"),
            None => "/dev/null".to_owned(),
        };
        let (from, to) = (name("a", old), name("b", new));
        let old = old.map_or("", String::as_str);
        let new = new.map_or("", String::as_str);
        let diff = TextDiff::from_lines(old, new);
        let text = diff
            .unified_diff()
            .context_radius(3)
            .header(&from, &to)
            .to_string();
        differences.files.insert(path.clone(), text);
    }
    differences
}

/// The top-level blocks of Terraform files by address; of other files, the file.
fn blocks(files: &Files) -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    for (path, text) in files {
        let Some((folder, _)) = path.rsplit_once('/').filter(|_| path.ends_with(".tf")) else {
            blocks.insert(path.clone(), text.clone());
            continue;
        };
        let mut address: Option<String> = None;
        let mut body = String::new();
        for line in text.lines() {
            let opens = line.ends_with('{') || line.ends_with("{}");
            if address.is_none() && opens && !line.starts_with([' ', '#']) {
                let words = line.trim_end_matches(['{', '}']).replace('"', "");
                let words: Vec<&str> = words.split_whitespace().collect();
                // As Terraform has it: a resource goes by its type and name alone.
                let named = match words.as_slice() {
                    ["resource", rest @ ..] => rest.join("."),
                    all => all.join("."),
                };
                address = Some(format!("{folder} {named}"));
            }
            body.push_str(line);
            body.push('\n');
            if line == "}" || line.ends_with("{}") && !line.starts_with(' ') {
                if let Some(address) = address.take() {
                    blocks.insert(address, body.trim().to_owned());
                }
                body.clear();
            }
        }
    }
    blocks
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, list) in [
            ("+", &self.added),
            ("~", &self.changed),
            ("-", &self.removed),
        ] {
            for address in list {
                writeln!(f, "{sign} {address}")?;
            }
        }
        writeln!(
            f,
            "{} to add, {} to change, {} to remove",
            self.added.len(),
            self.changed.len(),
            self.removed.len()
        )?;
        for diff in self.files.values() {
            write!(f, "\n{diff}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        Files::from([("staging/services/main.tf".to_owned(), text.to_owned())])
    }

    #[test]
    fn differences_are_told_by_resource() {
        let old = files("module \"a\" {\n  x = 1\n}\n\nmodule \"b\" {\n  x = 1\n}\n");
        let new = files("resource \"aws_vpc\" \"c\" {}\n\nmodule \"b\" {\n  x = 2\n}\n");
        let differences = of(&old, &new);
        assert_eq!(differences.added, ["staging/services aws_vpc.c"]);
        assert_eq!(differences.changed, ["staging/services module.b"]);
        assert_eq!(differences.removed, ["staging/services module.a"]);
        assert!(of(&old, &old).is_empty());
    }
}
