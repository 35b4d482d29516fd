//! Paths: normalised by their text alone, and moved where a file of another folder wrote them (Compose Specification, "include" and "extends": paths are relative to the file that names them).

use crate::node::{Node, Value};
use crate::path::Path as TreePath;
use std::path::{Component, Path, PathBuf};

/// Fields that hold a path relative to the file's project directory.
const FIELDS: [&str; 9] = [
    "services.*.build.context",
    "services.*.build.additional_contexts.*",
    "services.*.develop.watch.*.path",
    "services.*.env_file.*.path",
    "services.*.label_file.*",
    "jobs.*.build.context",
    "jobs.*.env_file.*.path",
    "configs.*.file",
    "secrets.*.file",
];

const MOUNTS: [&str; 2] = ["services.*.volumes.*", "jobs.*.volumes.*"];

/// Removes `.` and resolves `..` without looking at the disk.
pub(crate) fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

/// Is it an address of something elsewhere, which Docker Compose would fetch: a repository, an OCI artifact?
pub(crate) fn is_remote(written: &str) -> bool {
    written.contains("://") || written.starts_with("git@")
}

/// Rewrites the relative paths of a tree that was written in `from` so that they mean the same in `to`; both are absolute.
pub(crate) fn rebase(tree: &mut Node, from: &Path, to: &Path) {
    if from == to {
        return;
    }
    let prefix = relative(from, to);
    walk(tree, &|node| prepend(node, &prefix), &mut TreePath::root());
}

/// Rewrites the relative paths of a tree below `directory`, which is absolute, and those that begin with `~` below `home`.
pub(crate) fn make_absolute(tree: &mut Node, directory: &Path, home: Option<&Path>) {
    let rewrite = |node: &mut Node| {
        let below_home = node.as_str().and_then(|text| text.strip_prefix("~/"));
        match (below_home, home) {
            (Some(below), Some(home)) => {
                node.value = Value::String(home.join(below).display().to_string());
            }
            _ => prepend(node, directory),
        }
    };
    walk(tree, &rewrite, &mut TreePath::root());
}

/// The way from `to` to `from`. It stays relative where they share a folder, so that moving the project changes no definition.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    if shared < 2 {
        return from.to_path_buf();
    }
    let up = to.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(from.components().skip(shared)).collect()
}

fn walk(node: &mut Node, rewrite: &dyn Fn(&mut Node), path: &mut TreePath) {
    if FIELDS.iter().any(|field| path.matches(field)) {
        return rewrite(node);
    }
    if MOUNTS.iter().any(|field| path.matches(field)) {
        return mount(node, rewrite);
    }
    match &mut node.value {
        Value::Mapping(mapping) => {
            for (key, entry) in mapping.iter_mut() {
                path.push_key(key);
                walk(&mut entry.value, rewrite, path);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_index(index);
                walk(item, rewrite, path);
                path.pop();
            }
        }
        _ => {}
    }
}

fn mount(node: &mut Node, rewrite: &dyn Fn(&mut Node)) {
    let is_bind = node.get("type").and_then(Node::as_str) == Some("bind");
    if let (true, Some(mapping)) = (is_bind, node.as_mapping_mut())
        && let Some(source) = mapping.get_mut("source")
    {
        rewrite(source);
    }
}

fn prepend(node: &mut Node, prefix: &Path) {
    let Some(text) = node.as_str() else { return };
    if let Some(moved) = moved(text, prefix) {
        // Joined as text: what is written may hold a variable that names a folder above.
        node.raw = node
            .raw
            .as_ref()
            .map(|raw| format!("{}/{raw}", prefix.display()).into());
        node.value = Value::String(moved);
    }
}

fn moved(text: &str, prefix: &Path) -> Option<String> {
    // Build contexts and additional contexts may be addresses: `https://…`, `service:base`, `docker-image://…`.
    let is_address = is_remote(text) || text.starts_with("service:");
    if text.is_empty() || text.starts_with(['/', '~']) || is_address {
        return None;
    }
    let joined = normalise(&prefix.join(text));
    if joined.as_os_str().is_empty() {
        return Some(".".to_owned());
    }
    let shown = joined.display().to_string();
    Some(if joined.is_absolute() || shown.starts_with("..") {
        shown
    } else {
        format!("./{shown}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_by_text() {
        for (path, want) in [
            ("/a/./b/../c", "/a/c"),
            ("a/../../b", "../b"),
            ("/..", "/"),
            ("./a", "a"),
        ] {
            assert_eq!(normalise(Path::new(path)), Path::new(want), "{path}");
        }
    }

    #[test]
    fn the_way_between_folders_is_relative_where_they_share_one() {
        for (from, to, want) in [
            ("/p/sub", "/p", "sub"),
            ("/p", "/p/sub", ".."),
            ("/p/a", "/p/b", "../a"),
            ("/else", "/p", "/else"),
        ] {
            assert_eq!(
                relative(Path::new(from), Path::new(to)),
                Path::new(want),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn paths_move_with_their_file() {
        for (text, prefix, want) in [
            ("./a", "./sub", Some("./sub/a")),
            ("../a", "./sub", Some("./a")),
            ("a", "/else", Some("/else/a")),
            (".", "./sub", Some("./sub")),
            ("./a", "..", Some("../a")),
            ("..", "./sub", Some(".")),
            ("/a", "./sub", None),
            ("https://example.com/a.git", "./sub", None),
        ] {
            assert_eq!(moved(text, Path::new(prefix)).as_deref(), want, "{text}");
        }
    }
}
