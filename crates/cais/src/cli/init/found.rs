//! What a folder has to run: Dockerfiles, and programs in Rust, JavaScript, Go and Python, here and two levels down. Each language is a file of its own.

use super::dockerfile::Dockerfile;
use super::place::{Place, Sources, entries, made_valid};
use super::{go, javascript, python, rust};
use std::path::{Path, PathBuf};

/// The port that a service is given when nothing says which it listens on.
const PORT: u16 = 8080;
/// Levels below the folder that are looked at: `web/`, `apps/web/`.
const DEPTH: usize = 2;

/// Something that can be run.
pub(super) struct Program {
    /// Its service's name.
    pub(super) name: String,
    /// What it was found by, and where.
    pub(super) found: String,
    /// The container's port.
    pub(super) port: u16,
    /// Where its image is built from, relative to the project's folder.
    pub(super) context: String,
    /// Relative to the context, where it is not `Dockerfile`.
    pub(super) dockerfile: Option<String>,
    /// Relative to the project's folder, where there is none yet.
    pub(super) missing_dockerfile: Option<String>,
    /// Runs it as a process, where it can be run so.
    pub(super) process: Option<Process>,
    /// Where it answers health checks.
    pub(super) health: Option<&'static str>,
    /// Does it listen where `PORT` says, as far as one can see?
    listens_at_port: bool,
}

/// How a program is run on this machine. Both commands are as a Compose file has them: `$$` is the shell's `$`.
pub(super) struct Process {
    /// What the program calls itself.
    pub(super) name: Option<String>,
    pub(super) build: Option<String>,
    pub(super) command: String,
    /// The file that it was found by.
    pub(super) found: &'static str,
    /// Does `build` make something else than the program that `command` begins with, so that its absence does not show?
    pub(super) installs: bool,
    /// Does the command tell the program its port?
    pub(super) tells_port: bool,
}

impl Program {
    /// What its author should look at.
    pub(super) fn remarks(&self) -> Vec<String> {
        let blind = self.process.is_some() && !self.listens_at_port;
        let port = blind.then(|| {
            format!(
                "{}: nothing in its sources reads the variable PORT; a process has to listen where it says",
                self.name
            )
        });
        port.into_iter().collect()
    }
}

/// Everything to run in a folder, in the order of its paths.
pub(super) fn programs(root: &Path) -> Vec<Program> {
    let mut places = vec![PathBuf::new()];
    below(root, Path::new(""), DEPTH, &mut places);
    let mut programs: Vec<Program> = Vec::new();
    for at in places {
        let place = Place { root, at };
        for mut program in of(&place) {
            let taken = |name: &str| programs.iter().any(|other| other.name == name);
            if taken(&program.name) {
                let parent = place.at.parent().and_then(Path::file_name);
                let parent = made_valid(&parent.unwrap_or_default().to_string_lossy());
                program.name = format!("{parent}-{}", program.name);
                program.name = made_valid(&program.name);
            }
            let mut number = 2;
            let name = program.name.clone();
            while taken(&program.name) {
                program.name = format!("{name}-{number}");
                number += 1;
            }
            programs.push(program);
        }
    }
    programs
}

fn below(root: &Path, place: &Path, depth: usize, places: &mut Vec<PathBuf>) {
    for (path, is_folder) in entries(&root.join(place)) {
        // A name that is no text cannot stand in a Compose file.
        let (true, Some(name)) = (is_folder, path.file_name().and_then(|name| name.to_str()))
        else {
            continue;
        };
        let inner = place.join(name);
        places.push(inner.clone());
        if depth > 1 {
            below(root, &inner, depth - 1, places);
        }
    }
}

/// The programs of one folder: a Go module may have several; an image has the first.
fn of(place: &Place<'_>) -> Vec<Program> {
    let mut processes: Vec<Option<Process>> = rust::process(place)
        .or_else(|| javascript::process(place))
        .map(|it| vec![it])
        .unwrap_or_else(|| go::processes(place))
        .into_iter()
        .chain(python::process(place))
        .map(Some)
        .collect();
    // A folder with two manifests is one program; the first language is its own.
    if processes.len() > 1 && go::processes(place).len() < 2 {
        processes.truncate(1);
    }
    let dockerfile = Dockerfile::of(place);
    if processes.is_empty() && dockerfile.is_some() {
        processes.push(None);
    }
    let sources = Sources::of(&place.folder());
    let mut dockerfile = dockerfile;
    processes
        .into_iter()
        .map(|process| program(place, process, dockerfile.take(), &sources))
        .collect()
}

fn program(
    place: &Place<'_>,
    process: Option<Process>,
    dockerfile: Option<Dockerfile>,
    sources: &Sources,
) -> Program {
    let found = [
        dockerfile.as_ref().map(|_| "Dockerfile"),
        process.as_ref().map(|process| process.found),
    ];
    let found: Vec<&str> = found.into_iter().flatten().collect();
    let shown = if place.is_root() {
        "this folder".to_owned()
    } else {
        place.at.display().to_string()
    };
    let own = process.as_ref().and_then(|process| process.name.as_deref());
    let name = [own.map(made_valid), Some(place.name())];
    let name = name.into_iter().flatten().find(|name| !name.is_empty());
    let missing = dockerfile.is_none();
    let dockerfile = dockerfile.unwrap_or_else(|| Dockerfile::missing(place));
    Program {
        name: name.unwrap_or_else(|| "app".to_owned()),
        found: format!("{} in {shown}", found.join(" and ")),
        port: dockerfile.port.unwrap_or(PORT),
        missing_dockerfile: missing.then(|| place.at.join("Dockerfile").display().to_string()),
        context: dockerfile.context,
        dockerfile: dockerfile.file,
        health: sources.health,
        listens_at_port: sources.read_port
            || process.as_ref().is_some_and(|process| process.tells_port),
        process,
    }
}
