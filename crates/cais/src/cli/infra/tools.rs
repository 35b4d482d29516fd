//! The programs that check what was rendered, as far as they are installed; what is not is said.

use super::{Printer, Rendered, folder};
use crate::cli::output;
use crate::exit::{Exit, Failure, Outcome};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a check ended.
enum Ended {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs what there is; a copy is checked, so that nothing but files of ours is ever in the folder.
pub(super) fn check(printer: Printer, rendered: &Rendered) -> Outcome {
    let copy = tempfile::tempdir()
        .map_err(|error| Failure::new(Exit::Error, format!("cannot make a folder: {error}")))?;
    for (path, text) in &rendered.files {
        let path = copy.path().join(path);
        let folder = path.parent().unwrap_or(copy.path());
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("cannot write `{}`: {error}", path.display()),
                )
            })?;
    }
    let checks = match printer {
        Printer::Terraform => terraform(copy.path(), rendered),
        Printer::Pulumi => vec![("tsc".to_owned(), tsc(copy.path(), rendered))],
    };
    let mut failed = 0;
    for (name, ended) in checks {
        match ended {
            Ended::Passed => output::say(&format!("  ✔ {name}")),
            Ended::Skipped(reason) => output::say(&format!("  - {name}: skipped: {reason}")),
            Ended::Failed(text) => {
                failed += 1;
                output::say(&format!("  ✘ {name}"));
                output::say(text.trim_end());
            }
        }
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::CheckFailed, "1 check failed")),
        n => Err(Failure::new(
            Exit::CheckFailed,
            format!("{n} checks failed"),
        )),
    }
}

fn terraform(copy: &Path, rendered: &Rendered) -> Vec<(String, Ended)> {
    let mut checks = vec![(
        "terraform fmt".to_owned(),
        run(copy, "terraform", &["fmt", "-check", "-diff", "-recursive"]),
    )];
    let roots = rendered.environments.iter().flat_map(|environment| {
        ["foundation", "services"].map(|root| format!("{environment}/{root}"))
    });
    checks.extend(validate(copy, roots));
    let arguments = [
        "-d",
        ".",
        "--framework",
        "terraform",
        "--skip-download",
        "--quiet",
        "--compact",
    ];
    checks.push(("checkov".to_owned(), run(copy, "checkov", &arguments)));
    checks
}

/// Validates root after root. The provider is fetched once: the other roots take it from the first. Where it cannot be had
/// there is no schema to check against, which is no fault of the files, and no use to try again.
fn validate(copy: &Path, roots: impl Iterator<Item = String>) -> Vec<(String, Ended)> {
    let mut checks = Vec::new();
    let mut provider: Option<String> = None;
    for root in roots {
        let folder = copy.join(&root);
        let mut words = vec!["init", "-backend=false", "-input=false", "-no-color"];
        words.extend(provider.as_deref());
        match run(&folder, "terraform", &words) {
            Ended::Passed => {}
            Ended::Failed(text) => {
                let reason = format!("terraform init failed: {}", first_error(&text));
                checks.push(("terraform validate".to_owned(), Ended::Skipped(reason)));
                break;
            }
            skipped @ Ended::Skipped(_) => {
                checks.push(("terraform validate".to_owned(), skipped));
                break;
            }
        }
        let fetched = folder.join(".terraform/providers");
        if provider.is_none() && fetched.is_dir() {
            provider = Some(format!("-plugin-dir={}", fetched.display()));
        }
        let ended = run(&folder, "terraform", &["validate", "-no-color"]);
        checks.push((format!("terraform validate {root}"), ended));
    }
    checks
}

fn tsc(copy: &Path, rendered: &Rendered) -> Ended {
    let packages = rendered.out.join("node_modules");
    if !packages.is_dir() {
        return Ended::Skipped(format!(
            "its packages are not installed; npm install in {}",
            folder::shown(&rendered.out)
        ));
    }
    if let Err(error) = std::os::unix::fs::symlink(&packages, copy.join("node_modules")) {
        return Ended::Skipped(format!("its packages cannot be linked: {error}"));
    }
    run(copy, "node_modules/.bin/tsc", &["--noEmit"])
}

/// Runs a program in a folder; its output is shown when it fails.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Ended {
    let found = if program.contains('/') {
        folder.join(program)
    } else {
        program.into()
    };
    let output = Command::new(&found)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ended::Passed,
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Ended::Failed(String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Ended::Failed(format!("cannot start `{program}`: {error}"))
        }
        Err(_) => Ended::Skipped(match install(program) {
            Some(how) => format!("{program} is not installed; {how}"),
            None => format!("{program} is not installed"),
        }),
    }
}

/// How a program is got.
fn install(program: &str) -> Option<&'static str> {
    match program {
        "terraform" => Some("https://developer.hashicorp.com/terraform/install"),
        "checkov" => Some("pip install checkov"),
        _ => None,
    }
}

/// What a program's complaint comes to.
fn first_error(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']));
    let found = lines.into_iter().find(|line| line.starts_with("Error: "));
    found.unwrap_or("no reason given").to_owned()
}
