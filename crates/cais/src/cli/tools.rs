//! Finds what there is for the field's own tools to look at, starts those that are installed, side by side, and brings their answers home.

use crate::check::finding::Finding;
use crate::check::tools::{Call, Ground, Said, State, TOOLS, Tool, ToolRun};
use cais_model::stack::Stack;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A tool that takes longer is stuck: on a network that does not answer, most likely.
const PATIENCE: Duration = Duration::from_secs(180);

/// How deep lock files and Terraform are looked for.
const DEPTH: usize = 5;

/// Folders of other people's files.
const FOREIGN: [&str; 6] = [
    "node_modules",
    "target",
    "vendor",
    "dist",
    "venv",
    "cdk.out",
];

/// Asks every tool that has something to look at in `folder`.
pub(super) fn ask_all(stack: &Stack, folder: &Path) -> (Vec<ToolRun>, Vec<Finding>) {
    let ground = ground(stack, folder);
    let answers: Vec<(ToolRun, Vec<Finding>)> = std::thread::scope(|scope| {
        let asked: Vec<_> = TOOLS
            .iter()
            .filter_map(|tool| {
                let calls = (tool.calls)(&ground);
                let ground = &ground;
                (!calls.is_empty()).then(|| scope.spawn(move || ask(tool, &calls, ground, folder)))
            })
            .collect();
        asked
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let (runs, findings): (Vec<ToolRun>, Vec<Vec<Finding>>) = answers.into_iter().unzip();
    (runs, findings.into_iter().flatten().collect())
}

fn ask(tool: &Tool, calls: &[Call], ground: &Ground, folder: &Path) -> (ToolRun, Vec<Finding>) {
    let began = Instant::now();
    let mut found = Vec::new();
    let mut state = None;
    if !is_installed(tool.name) {
        state = Some(State::Missing);
    }
    for call in calls {
        if state.is_some() {
            break;
        }
        let answer = run(tool.name, call, folder).and_then(|(stdout, stderr)| {
            (tool.read)(&Said {
                stdout: &stdout,
                stderr: &stderr,
                call,
                ground,
            })
        });
        match answer {
            Ok(more) => found.extend(more),
            Err(reason) => state = Some(State::Failed { reason }),
        }
    }
    let state = state.unwrap_or(State::Ran {
        findings: found.len(),
        seconds: began.elapsed().as_secs_f32(),
    });
    let run = ToolRun {
        tool: tool.name,
        what: tool.what,
        install: tool.install,
        state,
    };
    (run, found)
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Both outputs; the exit code says for some tools that they found something, so it is left aside.
fn run(program: &str, call: &Call, folder: &Path) -> Result<(String, String), String> {
    let mut child = Command::new(program)
        .args(&call.arguments)
        .current_dir(folder.join(&call.folder))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let stdout = scope.spawn(|| collect(stdout));
        let stderr = scope.spawn(|| collect(stderr));
        wait(&mut child)?;
        let text =
            |thread: std::thread::ScopedJoinHandle<'_, String>| thread.join().unwrap_or_default();
        Ok((text(stdout), text(stderr)))
    })
}

fn collect(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came until it broke is what there is.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
            Ok(None) if began.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} s", PATIENCE.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn ground(stack: &Stack, folder: &Path) -> Ground {
    let mut ground = Ground::default();
    for service in stack.services.values() {
        let Some(build) = &service.build else {
            continue;
        };
        let name = build.dockerfile.as_deref().unwrap_or("Dockerfile");
        let path = Path::new(&build.context).join(name);
        let path = path.strip_prefix(folder).unwrap_or(&path);
        let shown = clean(path);
        if folder.join(path).is_file() && !ground.dockerfiles.contains(&shown) {
            ground.dockerfiles.push(shown);
        }
    }
    let workflows = folder.join(".github/workflows");
    for file in sorted(&workflows) {
        let name = file.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".yml") || name.ends_with(".yaml")) {
            ground.workflows.push(format!(".github/workflows/{name}"));
        }
    }
    walk(folder, Path::new(""), DEPTH, &mut ground);
    ground
}

/// `./apps/../Dockerfile` without what says nothing.
fn clean(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts.join("/")
}

fn walk(root: &Path, at: &Path, depth: usize, ground: &mut Ground) {
    for path in sorted(&root.join(at)) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let inner = at.join(name);
        let shown = clean(&inner);
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !name.starts_with('.') && !FOREIGN.contains(&name) {
                walk(root, &inner, depth - 1, ground);
            }
            continue;
        }
        match name {
            "Cargo.lock" => keep(&mut ground.cargo, shown, &path),
            "package-lock.json" => keep(&mut ground.npm, shown, &path),
            "requirements.txt" => keep(&mut ground.pip, shown, &path),
            name if name.ends_with(".tf") => {
                // The topmost folder below the project's: modules are read from where they are used.
                let top: PathBuf = inner.components().take(1).collect();
                let folder = if top == inner {
                    ".".to_owned()
                } else {
                    clean(&top)
                };
                if !ground.terraform.contains(&folder) {
                    ground.terraform.push(folder);
                }
            }
            _ => {}
        }
    }
}

fn keep(files: &mut BTreeMap<String, String>, name: String, path: &Path) {
    if let Ok(text) = std::fs::read_to_string(path) {
        files.insert(name, text);
    }
}

/// The entries of a folder, by name; none where there is no folder.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
