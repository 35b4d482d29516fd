//! The Compose file's text: one service for each program, with the reasons beside what one would wonder at.

use super::found::{Process, Program};
use std::fmt::Write as _;

/// Writes the file down.
pub(super) fn compose(name: &str, programs: &[Program]) -> String {
    let mut text = String::from(
        "# Written by `cais init` for what it found here. It is yours: change what is not so.\n",
    );
    if !name.is_empty() {
        let _ = writeln!(text, "name: {}\n", quoted(name));
    }
    text.push_str("services:\n");
    for (index, program) in programs.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        service(&mut text, program, programs.len() == 1);
    }
    text
}

fn service(text: &mut String, program: &Program, is_alone: bool) {
    let _ = writeln!(text, "  {}:", quoted(&program.name));
    if let Some(dockerfile) = &program.missing_dockerfile {
        let _ = writeln!(
            text,
            "    # As a process it needs no {dockerfile}; in a container it does."
        );
    }
    let context = quoted(&program.context.replace('$', "$$"));
    match &program.dockerfile {
        Some(file) => {
            let file = quoted(&file.replace('$', "$$"));
            let _ = writeln!(
                text,
                "    build: {{ context: {context}, dockerfile: {file} }}"
            );
        }
        None => {
            let _ = writeln!(text, "    build: {context}");
        }
    }
    let port = program.port;
    if program.process.is_some() {
        text.push_str(
            "    # Where it listens in a container; as a process it is told a free port.\n",
        );
        let _ = writeln!(text, "    environment: {{ PORT: \"{port}\" }}");
    }
    let _ = writeln!(text, "    expose: [\"{port}\"]\n    x-cais:");
    if let Some(process) = &program.process {
        write_process(text, process);
    }
    if let Some(path) = program.health {
        let _ = writeln!(text, "      health: {{ path: {path} }}");
    }
    if is_alone {
        text.push_str("      route: { path: / }\n");
    } else {
        let _ = writeln!(
            text,
            "      route: {{ host: {}.localhost }}",
            program.name.replace('_', "-")
        );
    }
}

fn write_process(text: &mut String, process: &Process) {
    text.push_str("      process:\n");
    if let Some(build) = &process.build {
        let _ = writeln!(text, "        build: {}", quoted(build));
    }
    let _ = writeln!(text, "        command: {}", quoted(&process.command));
}

/// In quotes where YAML would read something else than this text.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ./_-&$()=+,".contains(c);
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || "./$".contains(c));
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    let is_flow = text.contains(',');
    if begins_plain && text.chars().all(is_plain) && !is_word && !is_flow && !text.ends_with(' ') {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
