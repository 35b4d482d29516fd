//! `cais init`: writes a compose.yaml for what stands in a folder. What is found is `found.rs`'s answer, how it is written down `text.rs`'s; a file that is there stays, unless `--force`.

mod dockerfile;
mod found;
mod go;
mod javascript;
mod place;
mod python;
mod rust;
mod text;

use super::files::FILE_NAMES;
use super::{Global, output};
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use found::Program;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The name that every Compose looks for first.
const FILE: &str = "compose.yaml";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where to write it; `-` is standard output [default: compose.yaml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// Writes the file; on a terminal it is shown first, and asked about, unless `-y`.
pub(crate) fn run(global: &Global, args: &InitArgs) -> Outcome {
    if !global.files.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "`cais init` reads no Compose file, and `-f` names one",
        )
        .help("name the file to write after the verb: `cais init -o FILE`"));
    }
    let current = std::env::current_dir().map_err(|error| {
        Failure::new(Exit::Error, format!("the current folder is gone: {error}"))
    })?;
    let folder = match &global.project_directory {
        Some(folder) => current.join(folder),
        None => current.clone(),
    };
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if !args.force && !to_stdout {
        refuse_existing(&folder, args.output.as_deref(), &current)?;
    }
    let programs = found::programs(&folder);
    if programs.is_empty() {
        return Err(nothing_found(&folder));
    }
    let name = global.project_name.clone().unwrap_or_else(|| {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        place::made_valid(&folder.file_name().unwrap_or_default().to_string_lossy())
    });
    let text = text::compose(&name, &programs);
    if to_stdout {
        return output::print(text.trim_end());
    }
    let file = match &args.output {
        Some(file) => current.join(file),
        None => folder.join(FILE),
    };
    let shown = shown(&file, &current);
    if is_asked(global) {
        output::print(text.trim_end())?;
        if !confirmed(&shown)? {
            return Err(Failure::new(Exit::Error, "nothing was written"));
        }
    }
    write(&file, &text, args.force)?;
    tell(global, &shown, &programs)
}

/// The file that would be written, or another one that Compose would read in its stead.
fn refuse_existing(folder: &Path, named: Option<&Path>, current: &Path) -> Outcome {
    let existing = match named {
        Some(file) => Some(current.join(file)).filter(|file| file.exists()),
        None => {
            let mut files = FILE_NAMES.iter().map(|name| folder.join(name));
            files.find(|file| file.exists())
        }
    };
    let Some(file) = existing else { return Ok(()) };
    let what = format!("`{}` is there already", shown(&file, current));
    Err(Failure::new(Exit::Usage, what).help(
        "see what cais makes of it: `cais config`; to see what init would write: `cais init -o -`; to write it all the same: `cais init --force`",
    ))
}

fn nothing_found(folder: &Path) -> Failure {
    let what = format!("nothing to run was found in `{}`", folder.display());
    Failure::new(Exit::Usage, what).help(
        "init knows folders, here and two levels down, with a Dockerfile, a Cargo.toml with a program, a package.json with a `start` script, a go.mod with a main package, or a manage.py, main.py, app.py or server.py",
    )
}

/// As a user would type it.
fn shown(file: &Path, current: &Path) -> String {
    file.strip_prefix(current)
        .unwrap_or(file)
        .display()
        .to_string()
}

fn is_asked(global: &Global) -> bool {
    !global.yes
        && !global.json()
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
}

/// Enter is yes; the end of input is no.
fn confirmed(file: &str) -> Outcome<bool> {
    let _ = write!(std::io::stderr(), "\nwrite this to {file}? [Y/n] ");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Error, format!("no answer: {error}")))?;
    let word = answer.trim().to_ascii_lowercase();
    Ok(!answer.is_empty() && matches!(word.as_str(), "" | "y" | "yes"))
}

/// The whole file or none of it; one that appeared meanwhile stays as it is, unless it may be replaced.
fn write(path: &Path, text: &str, replace: bool) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || {
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        if replace {
            file.persist(path).map_err(|error| error.error)
        } else {
            file.persist_noclobber(path).map_err(|error| error.error)
        }
    };
    written().map(drop).map_err(|error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("`{}` cannot be written: {error}", path.display()),
        )
    })
}

/// What was found, what its author has to look at, and the next command.
fn tell(global: &Global, file: &str, programs: &[Program]) -> Outcome {
    if global.json() {
        let services = programs.iter().map(|program| {
            serde_json::json!({
                "service": program.name, "found": program.found, "port": program.port,
                "process": program.process.as_ref().map(|it| &it.command), "remarks": program.remarks(),
            })
        });
        let services: Vec<_> = services.collect();
        return output::print_json(&serde_json::json!({ "file": file, "services": services }));
    }
    for program in programs {
        output::say(&format!("{}: {}", program.name, program.found));
        for remark in program.remarks() {
            output::note(&remark);
        }
    }
    // `up` builds by itself what its command names and is not there.
    let builds_first = programs
        .iter()
        .filter_map(|program| program.process.as_ref())
        .any(|process| process.installs);
    let up = if builds_first {
        "cais up --build"
    } else {
        "cais up"
    };
    output::say(&format!("wrote {file}; start it: `{up}`"));
    Ok(())
}
