//! A Python program: what it is started by, and where its packages come from.

use super::found::Process;
use super::place::Place;

/// Files that a program begins in, the likelier first.
const SCRIPTS: [&str; 3] = ["main.py", "app.py", "server.py"];

pub(super) fn process(place: &Place<'_>) -> Option<Process> {
    let packages = Packages::of(place);
    let django = place.has("manage.py").then_some("manage.py");
    let script = SCRIPTS.into_iter().find(|name| place.has(name));
    let found = django.or(script)?;
    let text = place.read(found).unwrap_or_default();
    let served = if django.is_some() {
        let manage = place.path("manage.py");
        Some(format!(
            "{manage} runserver --noreload \"127.0.0.1:$$PORT\""
        ))
    } else {
        by_framework(place, found, &text)
    };
    let python = &packages.python;
    let (command, tells_port) = match served {
        Some(rest) => {
            let line = format!("exec {python} {rest}");
            (format!("sh -c {}", shell_words::quote(&line)), true)
        }
        None => (format!("{python} {}", place.path(found)), false),
    };
    Some(Process {
        name: None,
        // The shell is always there, and so is a manager of packages.
        installs: packages.install.is_some() && (tells_port || !packages.makes_python),
        build: packages.install,
        command,
        found,
        tells_port,
    })
}

/// Serves the application of a framework that has a server of its own, unless the script does so at the port that it is told.
fn by_framework(place: &Place<'_>, script: &str, text: &str) -> Option<String> {
    if text.contains("PORT") {
        return None;
    }
    let application = |class: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let is_one = value.trim_start().starts_with(&format!("{class}("));
            let name = name.trim();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            (is_one && is_name).then(|| name.to_owned())
        })
    };
    let module = script.trim_end_matches(".py");
    let asgi = application("FastAPI").or_else(|| application("Starlette"));
    if let Some(name) = asgi {
        let folder = place.path("");
        return Some(format!(
            "-m uvicorn --app-dir {folder} {module}:{name} --port \"$$PORT\""
        ));
    }
    let name = application("Flask")?;
    let file = place.path(script);
    Some(format!(
        "-m flask --app {file}:{name} run --port \"$$PORT\""
    ))
}

/// Where packages come from.
struct Packages {
    install: Option<String>,
    /// What runs a script, or `-m module`.
    python: String,
    /// Is it `install` that makes the interpreter?
    makes_python: bool,
}

impl Packages {
    fn of(place: &Place<'_>) -> Self {
        let folder = place.path("");
        if place.has("uv.lock") {
            return Self::managed(
                format!("uv sync --frozen --project {folder}"),
                format!("uv run --frozen --project {folder} python"),
            );
        }
        if place.has("poetry.lock") {
            return Self::managed(
                format!("poetry --directory {folder} install"),
                format!("poetry --project {folder} run python"),
            );
        }
        let what = if place.has("requirements.txt") {
            format!("-r {}", place.path("requirements.txt"))
        } else if place.has("pyproject.toml") {
            folder
        } else {
            return Self {
                install: None,
                python: "python3".to_owned(),
                makes_python: false,
            };
        };
        let (venv, python) = (place.path(".venv"), place.path(".venv/bin/python"));
        Self {
            install: Some(format!(
                "python3 -m venv {venv} && {python} -m pip install --quiet {what}"
            )),
            python,
            makes_python: true,
        }
    }

    fn managed(install: String, python: String) -> Self {
        Self {
            install: Some(install),
            python,
            makes_python: false,
        }
    }
}
