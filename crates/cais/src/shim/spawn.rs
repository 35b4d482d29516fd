//! Turns a spec into a running process, or into a sentence that says what is missing. Watching it is left to the keeper.

use super::spec::{MARK, TaskSpec, mark};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts the task in a process group of its own, with pipes for both of its streams.
///
/// Its signal dispositions are the default ones: the shim catches signals instead of ignoring them
/// (execve(2) resets caught signals, not ignored ones), and `Command` resets SIGPIPE and the mask.
///
/// # Errors
/// A sentence: which folder or program is missing, or what the kernel said.
pub(crate) fn spawn(spec: &TaskSpec) -> Result<Child, String> {
    let (name, arguments) = spec.argv.split_first().ok_or("the command is empty")?;
    check_folder(&spec.cwd)?;
    let program = resolve(name, &spec.cwd, spec.env.get("PATH").map(String::as_str))?;
    Command::new(&program)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(&spec.env)
        .env(MARK, mark(&spec.task_dir, spec.task))
        .current_dir(&spec.cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| cannot_execute(&program, &e))
}

fn check_folder(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("not a folder: `{}`", path.display())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(format!("no such folder: `{}`", path.display()))
        }
        Err(e) => Err(format!("cannot enter `{}`: {e}", path.display())),
    }
}

/// execvp(3)'s rule, against the task's own PATH and folder: a name with a slash is a path.
fn resolve(name: &str, cwd: &Path, path: Option<&str>) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("the command is empty".to_owned());
    }
    if name.contains('/') {
        let file = cwd.join(name);
        return match fs::metadata(&file) {
            Ok(found) if executable(&found) => Ok(file),
            Ok(_) => Err(format!("not executable: `{name}`")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(format!("no such file: `{name}`")),
            Err(e) => Err(format!("cannot execute `{name}`: {e}")),
        };
    }
    let mut not_executable = None;
    for folder in std::env::split_paths(OsStr::new(path.unwrap_or("/usr/local/bin:/usr/bin:/bin")))
    {
        let file = cwd.join(folder).join(name);
        match fs::metadata(&file) {
            Ok(found) if executable(&found) => return Ok(file),
            Ok(found) if found.is_file() => not_executable = Some(file),
            _ => {}
        }
    }
    match not_executable {
        Some(file) => Err(format!("not executable: `{}`", file.display())),
        None => Err(format!("no such file: `{name}` (not in PATH)")),
    }
}

fn executable(found: &fs::Metadata) -> bool {
    found.is_file() && found.permissions().mode() & 0o111 != 0
}

/// A file that exists and still is "not found" names an interpreter that does not (execve(2), ENOENT).
fn cannot_execute(program: &Path, error: &io::Error) -> String {
    let program = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("cannot execute `{program}`: its interpreter does not exist")
        }
        _ => format!("cannot execute `{program}`: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain"), "text").unwrap();
        let here = dir.path();
        let path = Some(here.to_str().unwrap());
        let check = |name: &str, path: Option<&str>, expected: &str| {
            let got = resolve(name, here, path).unwrap_err();
            assert_eq!(got.replace(here.to_str().unwrap(), "DIR"), expected);
        };
        check("foo", path, "no such file: `foo` (not in PATH)");
        check("./foo", path, "no such file: `./foo`");
        check("plain", path, "not executable: `DIR/plain`");
        check("./plain", path, "not executable: `./plain`");
        check("", path, "the command is empty");
        assert_eq!(
            resolve("sh", here, Some("/nowhere:/bin")).unwrap(),
            Path::new("/bin/sh")
        );
        assert_eq!(
            check_folder(Path::new("/nowhere")).unwrap_err(),
            "no such folder: `/nowhere`"
        );
        assert_eq!(
            check_folder(Path::new("/proc/version")).unwrap_err(),
            "not a folder: `/proc/version`"
        );
    }
}
