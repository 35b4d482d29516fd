//! Which folders of a Cargo workspace a package is built from: its own, those of the packages that it needs by path, and the workspace's own files. Read from the manifests alone, so that it works without a toolchain.

use super::changed::{Read, join};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// What every package of a workspace is built with.
const SHARED: [&str; 5] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "rust-toolchain",
    ".cargo",
];

/// Folders and files, relative to the repository; `None` where `root` is no workspace or `package` none of its packages.
pub(super) fn closure(root: &str, package: &str, read: Read<'_>) -> Option<Vec<String>> {
    let workspace = manifest(root, read)?;
    let shared = workspace.get("workspace")?.as_table()?;
    let shared = shared.get("dependencies").and_then(Value::as_table);
    manifest(package, read)?.get("package")?;
    let mut found = BTreeSet::new();
    let mut waiting = vec![package.to_owned()];
    while let Some(folder) = waiting.pop() {
        if !found.insert(folder.clone()) {
            continue;
        }
        // A path that leads nowhere is the build's matter; its folder counts all the same.
        let Some(manifest) = manifest(&folder, read) else {
            continue;
        };
        for (name, dependency) in dependencies(&manifest) {
            let is_shared = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
            let (base, dependency) = if is_shared {
                (root, shared.and_then(|shared| shared.get(name)))
            } else {
                (folder.as_str(), Some(dependency))
            };
            let path = dependency
                .and_then(|it| it.get("path"))
                .and_then(Value::as_str);
            waiting.extend(path.map(|path| join(base, path)));
        }
    }
    let shared = SHARED.iter().map(|name| join(root, name));
    Some(found.into_iter().chain(shared).collect())
}

fn manifest(folder: &str, read: Read<'_>) -> Option<Table> {
    read(&join(folder, "Cargo.toml"))?.parse().ok()
}

/// What goes into the program: not what only its tests need.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values());
    let tables = targets.filter_map(Value::as_table).chain([manifest]);
    tables
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|key| table.get(key)))
        .flatten()
        .filter_map(Value::as_table)
        .flat_map(|dependencies| dependencies.iter())
}
