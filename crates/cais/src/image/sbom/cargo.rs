//! The packages that are linked into a Rust program, as Cargo tells them.

use super::super::platform::Platform;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_root: std::path::PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

/// The packages whose code is in a program: what it needs when it runs, not what built it.
pub(super) struct Packages {
    root: String,
    known: BTreeMap<String, Package>,
    needs: BTreeMap<String, Vec<String>>,
    /// Checksums of `Cargo.lock`, by name and version.
    checksums: BTreeMap<(String, String), String>,
}

/// Asks Cargo about the program of this name; `None` where it is not one of Cargo's.
pub(super) fn packages(program: &str, folder: &Path, platform: &Platform) -> Option<Packages> {
    let machine = match platform.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        _ => return None,
    };
    let target = format!("{machine}-unknown-linux-gnu");
    let cargo = |words: &[&str]| {
        let output = Command::new("cargo")
            .args(words)
            .args(["--locked", "--offline"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    };
    let metadata = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        &target,
    ])?;
    let metadata: Metadata = serde_json::from_slice(&metadata).ok()?;
    let lock = std::fs::read_to_string(metadata.workspace_root.join("Cargo.lock")).ok()?;
    let root = root(program, &metadata)?;
    // `metadata` turns on the features that any package of the workspace wants; the tree is of this one alone.
    let package = format!("{}@{}", root.name, root.version);
    let tree = cargo(&[
        "tree",
        "--package",
        &package,
        "--edges",
        "normal,no-proc-macro",
        "--target",
        &target,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ])?;
    let tree = String::from_utf8(tree).ok()?;
    Packages::of(program, metadata, &lock, &linked(&tree))
}

/// Names and versions in what `cargo tree` prints.
fn linked(tree: &str) -> BTreeSet<(String, String)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((
            words.next()?.to_owned(),
            words.next()?.strip_prefix('v')?.to_owned(),
        ))
    };
    tree.lines().filter_map(line).collect()
}

/// The package that a program is of.
fn root<'m>(program: &str, metadata: &'m Metadata) -> Option<&'m Package> {
    let is_program =
        |target: &Target| target.name == program && target.kind.iter().any(|kind| kind == "bin");
    metadata
        .packages
        .iter()
        .find(|package| package.targets.iter().any(is_program))
}

impl Packages {
    fn of(
        program: &str,
        metadata: Metadata,
        lock: &str,
        linked: &BTreeSet<(String, String)>,
    ) -> Option<Self> {
        let root = root(program, &metadata)?.id.clone();
        let known: BTreeMap<String, Package> = metadata
            .packages
            .into_iter()
            .map(|package| (package.id.clone(), package))
            .collect();
        let nodes: BTreeMap<String, Node> = metadata
            .resolve
            .nodes
            .into_iter()
            .map(|node| (node.id.clone(), node))
            .collect();
        let is_linked = |id: &str| {
            let package = known.get(id);
            package.is_some_and(|it| linked.contains(&(it.name.clone(), it.version.clone())))
        };
        let mut needs = BTreeMap::new();
        let mut open = vec![root.clone()];
        while let Some(id) = open.pop() {
            if needs.contains_key(&id) {
                continue;
            }
            let deps = nodes.get(&id).map_or(&[][..], |node| &node.deps);
            let runs = |dep: &&Dependency| {
                dep.dep_kinds.iter().any(|it| it.kind.is_none()) && is_linked(&dep.pkg)
            };
            let below: BTreeSet<String> = deps
                .iter()
                .filter(runs)
                .map(|dep| dep.pkg.clone())
                .collect();
            open.extend(below.iter().cloned());
            needs.insert(id, below.into_iter().collect());
        }
        Some(Self {
            root,
            known,
            needs,
            checksums: checksums(lock),
        })
    }

    pub(super) fn root_version(&self) -> Option<&str> {
        self.known
            .get(&self.root)
            .map(|package| package.version.as_str())
    }

    /// All but the program itself, by name and version.
    pub(super) fn components(&self) -> Vec<Value> {
        let packages = self
            .needs
            .keys()
            .filter(|id| **id != self.root)
            .filter_map(|id| self.known.get(id));
        let mut packages: Vec<&Package> = packages.collect();
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        packages
            .into_iter()
            .map(|package| self.component(package))
            .collect()
    }

    fn component(&self, package: &Package) -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": purl(package),
            "name": package.name,
            "version": package.version,
        });
        if package.source.is_some() {
            component["purl"] = json!(purl(package));
        }
        if let Some(license) = &package.license {
            // Cargo's older way to write OR.
            component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
        }
        if let Some(checksum) = self
            .checksums
            .get(&(package.name.clone(), package.version.clone()))
        {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        component
    }

    pub(super) fn dependencies(&self) -> Vec<Value> {
        let reference = |id: &String| match self.known.get(id) {
            _ if *id == self.root => "program".to_owned(),
            Some(package) => purl(package),
            None => id.clone(),
        };
        let edges: BTreeMap<String, BTreeSet<String>> = self
            .needs
            .iter()
            .map(|(id, below)| (reference(id), below.iter().map(reference).collect()))
            .collect();
        edges
            .into_iter()
            .map(|(from, to)| json!({ "ref": from, "dependsOn": to }))
            .collect()
    }
}

fn purl(package: &Package) -> String {
    format!(
        "pkg:cargo/{}@{}",
        package.name,
        package.version.replace('+', "%2B")
    )
}

/// `checksum` of each package in a `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |block: &str, name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            Some((
                (field(block, "name")?, field(block, "version")?),
                field(block, "checksum")?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let package = |name: &str, kind: &str| {
            json!({ "id": format!("{name} 1"), "name": name, "version": "1.0.0+a", "license": "MIT/Apache-2.0",
                "source": "registry+https://github.com/rust-lang/crates.io-index",
                "targets": [{ "name": name, "kind": [kind] }] })
        };
        let dep = |name: &str, kind: Value| json!({ "pkg": format!("{name} 1"), "dep_kinds": [{ "kind": kind }] });
        serde_json::from_value(json!({
            "workspace_root": "/w",
            "packages": [package("app", "bin"), package("lib", "lib"), package("derive", "proc-macro"),
                package("syn", "lib"), package("cc", "lib"), package("mock", "lib")],
            "resolve": { "nodes": [
                { "id": "app 1", "deps": [dep("lib", Value::Null), dep("derive", Value::Null), dep("cc", json!("build")), dep("mock", json!("dev"))] },
                { "id": "derive 1", "deps": [dep("syn", Value::Null)] },
                { "id": "lib 1", "deps": [] },
            ]},
        }))
        .unwrap()
    }

    #[test]
    fn what_built_the_program_is_not_in_it() {
        let lock = "version = 4\n\n[[package]]\nname = \"lib\"\nversion = \"1.0.0+a\"\nchecksum = \"abc\"\n";
        let linked = linked("app v1.0.0+a (/w)\nlib v1.0.0+a\n");
        let packages = Packages::of("app", metadata(), lock, &linked).unwrap();
        let components = packages.components();
        assert_eq!(
            components,
            [json!({
                "type": "library",
                "bom-ref": "pkg:cargo/lib@1.0.0%2Ba",
                "name": "lib",
                "version": "1.0.0+a",
                "purl": "pkg:cargo/lib@1.0.0%2Ba",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "hashes": [{ "alg": "SHA-256", "content": "abc" }],
            })]
        );
        assert_eq!(
            packages.dependencies(),
            [
                json!({ "ref": "pkg:cargo/lib@1.0.0%2Ba", "dependsOn": [] }),
                json!({ "ref": "program", "dependsOn": ["pkg:cargo/lib@1.0.0%2Ba"] }),
            ]
        );
        assert!(Packages::of("other", metadata(), "", &linked).is_none());
    }
}
