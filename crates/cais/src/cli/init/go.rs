//! A Go module's programs: its main package, else those in `cmd/`.

use super::found::Process;
use super::place::{Place, entries};

pub(super) fn processes(place: &Place<'_>) -> Vec<Process> {
    let Some(module) = place.read("go.mod") else {
        return Vec::new();
    };
    if is_main(place.read("main.go").as_deref()) {
        let line = module.lines().find_map(|it| it.strip_prefix("module "));
        let name = line.and_then(|path| path.trim().rsplit('/').next());
        return vec![process(place, name.unwrap_or("app"), ".")];
    }
    let commands = entries(&place.folder().join("cmd"));
    commands
        .into_iter()
        .filter_map(|(path, _)| {
            let name = path.file_name()?.to_str()?;
            let main = std::fs::read_to_string(path.join("main.go")).ok();
            is_main(main.as_deref()).then(|| process(place, name, &format!("./cmd/{name}")))
        })
        .collect()
}

fn is_main(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.lines().any(|line| line.trim() == "package main"))
}

fn process(place: &Place<'_>, name: &str, package: &str) -> Process {
    let from = if place.is_root() {
        String::new()
    } else {
        format!("-C {} ", place.path(""))
    };
    Process {
        name: Some(name.to_owned()),
        build: Some(format!("go build {from}-o bin/{name} {package}")),
        command: place.path(&format!("bin/{name}")),
        found: "go.mod",
        installs: false,
        tells_port: false,
    }
}
