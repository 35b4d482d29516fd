//! A Cargo package that has a program.

use super::found::Process;
use super::place::Place;
use toml::{Table, Value};

pub(super) fn process(place: &Place<'_>) -> Option<Process> {
    let manifest: Table = place.read("Cargo.toml")?.parse().ok()?;
    let package = manifest.get("package")?;
    let name = package.get("name")?.as_str()?;
    let program = program(place, &manifest, name)?;
    let (which, target) = if place.is_root() || is_member(place) {
        (format!("--package {name}"), "target".to_owned())
    } else {
        let manifest = place.path("Cargo.toml");
        (format!("--manifest-path {manifest}"), place.path("target"))
    };
    Some(Process {
        name: Some(program.clone()),
        build: Some(format!("cargo build --release {which}")),
        command: format!("${{CARGO_TARGET_DIR:-{target}}}/release/{program}"),
        found: "Cargo.toml",
        installs: false,
        tells_port: false,
    })
}

/// The program that `cargo run` would take.
fn program(place: &Place<'_>, manifest: &Table, package: &str) -> Option<String> {
    let word = |table: &Value, key: &str| Some(table.get(key)?.as_str()?.to_owned());
    let bins = manifest.get("bin").and_then(Value::as_array);
    let bins = bins.map_or(&[][..], Vec::as_slice);
    if let Some(name) = word(manifest.get("package")?, "default-run") {
        return Some(name);
    }
    if place.has("src/main.rs") {
        let named = bins
            .iter()
            .find(|bin| word(bin, "path").as_deref() == Some("src/main.rs"));
        return named
            .and_then(|bin| word(bin, "name"))
            .or_else(|| Some(package.to_owned()));
    }
    match bins {
        [one] => word(one, "name"),
        _ => None,
    }
}

/// Is it built with the project's workspace?
fn is_member(place: &Place<'_>) -> bool {
    let text = std::fs::read_to_string(place.root.join("Cargo.toml")).unwrap_or_default();
    let manifest: Table = text.parse().unwrap_or_default();
    let Some(workspace) = manifest.get("workspace") else {
        return false;
    };
    let excluded = workspace.get("exclude").and_then(Value::as_array);
    let mut excluded = excluded.into_iter().flatten().filter_map(Value::as_str);
    !excluded.any(|folder| place.at.starts_with(folder))
}
