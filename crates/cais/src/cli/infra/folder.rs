//! The folder that is rendered to: what of it is ours, writing it, and taking away what is not rendered any more.

use super::Rendered;
use crate::exit::{Exit, Failure, Outcome};
use cais_cloud::files::Files;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// How many files were written anew and taken away.
pub(super) struct Written {
    pub(super) changed: usize,
    pub(super) removed: usize,
}

/// What begins the header of everything that is rendered.
const MARK: &str = "Rendered by `cais infra ";

/// Writes what differs. A file appears whole or not at all; a file that somebody else wrote is left alone and told.
pub(super) fn write(rendered: &Rendered) -> Outcome<Written> {
    let standing = read(rendered)?;
    let foreign: Vec<&String> = rendered
        .files
        .iter()
        .filter(|(path, text)| {
            is_ours(text) && standing.get(*path).is_some_and(|old| !is_ours(old))
        })
        .map(|(path, _)| path)
        .collect();
    if let Some(path) = foreign.first() {
        return Err(Failure::new(
            Exit::Error,
            format!(
                "`{}` was not rendered by cais, and would be overwritten; nothing was changed",
                rendered.out.join(path).display()
            ),
        )
        .help("move it away, or render to another folder: `--out DIR`"));
    }
    let mut written = Written {
        changed: 0,
        removed: 0,
    };
    for (path, text) in &rendered.files {
        if standing.get(path) != Some(text) {
            place(&rendered.out.join(path), text)?;
            written.changed += 1;
        }
    }
    for path in stale(rendered, &standing) {
        let path = rendered.out.join(path);
        std::fs::remove_file(&path).map_err(|error| failure("remove", &path, &error))?;
        written.removed += 1;
    }
    Ok(written)
}

/// What `pulumi` itself has written into the settings of stacks stays there.
pub(super) fn keep_settings(rendered: &mut Rendered) {
    for (path, text) in &mut rendered.files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !name.starts_with("Pulumi.") || name == "Pulumi.yaml" {
            continue;
        }
        if let Ok(standing) = std::fs::read_to_string(rendered.out.join(path)) {
            *text = cais_cloud::merged_settings(text, &standing);
        }
    }
}

/// The files that stand in the folder and could be ours.
pub(super) fn read(rendered: &Rendered) -> Outcome<Files> {
    let mut files = Files::new();
    below(&rendered.out, Path::new(""), &mut files)?;
    files.retain(|path, text| {
        rendered.files.contains_key(path) || (is_ours(text) && belongs(rendered, path))
    });
    Ok(files)
}

/// Ours, of what was rendered now, and not rendered any more.
fn stale<'f>(rendered: &'f Rendered, standing: &'f Files) -> impl Iterator<Item = &'f String> {
    standing
        .keys()
        .filter(|path| !rendered.files.contains_key(*path))
}

/// A file of an environment that was rendered; of what environments share, only where all were.
fn belongs(rendered: &Rendered, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    rendered.is_whole || rendered.environments.iter().any(|name| name == first)
}

fn is_ours(text: &str) -> bool {
    text.lines().take(4).any(|line| line.contains(MARK))
}

fn below(root: &Path, folder: &Path, files: &mut Files) -> Outcome {
    let here = root.join(folder);
    let entries = match std::fs::read_dir(&here) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failure("read", &here, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failure("read", &here, &error))?;
        let name = entry.file_name();
        let path = folder.join(&name);
        let kind = entry
            .file_type()
            .map_err(|error| failure("read", &path, &error))?;
        let is_tools = name == ".terraform" || name == "node_modules" || name == ".git";
        if kind.is_dir() && !is_tools {
            below(root, &path, files)?;
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            files.insert(path.to_string_lossy().replace('\\', "/"), text);
        }
    }
    Ok(())
}

fn place(path: &Path, text: &str) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    let fail = |error: &std::io::Error| failure("write", path, error);
    std::fs::create_dir_all(folder).map_err(|error| fail(&error))?;
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| fail(&error))?;
    file.write_all(text.as_bytes())
        .map_err(|error| fail(&error))?;
    file.persist(path).map_err(|error| fail(&error.error))?;
    Ok(())
}

fn failure(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Error,
        format!("cannot {verb} `{}`: {error}", path.display()),
    )
}

/// A path as it is read from here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}
