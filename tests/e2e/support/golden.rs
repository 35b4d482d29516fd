//! Golden files: what a command answered, with everything that differs from run to run replaced.
//! `CAIS_BLESS=1` writes them anew.

use super::Stack;
use super::run::Ran;
use std::path::PathBuf;

/// Compares with `tests/golden/<name>.txt`.
#[track_caller]
pub(crate) fn check(name: &str, stack: &Stack, ran: &Ran) {
    let text = redact(&whole(ran), stack);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(format!("{name}.txt"));
    if std::env::var_os("CAIS_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
        return;
    }
    let want = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `CAIS_BLESS=1` writes it", file.display()));
    assert!(
        text == want,
        "{} differs; `CAIS_BLESS=1` takes over what came\n--- want\n{want}\n--- came\n{text}\n--- as it was\n{}",
        file.display(),
        whole(ran)
    );
}

fn whole(ran: &Ran) -> String {
    let code = ran.code.unwrap_or(-1);
    let (stdout, stderr) = (&ran.stdout, &ran.stderr);
    format!(
        "$ {}\nexit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}",
        ran.command
    )
}

fn redact(text: &str, stack: &Stack) -> String {
    let mut text = text.to_owned();
    for (port, _) in stack.machine.ports.borrow().iter() {
        text = text.replace(&format!(":{port}"), ":<port>");
        text = text.replace(&format!(" {port}"), " <port>");
    }
    let root = stack.machine.root().display().to_string();
    text = text.replace(&stack.folder().display().to_string(), "<project>");
    text = text.replace(&root, "<root>");
    // Cargo puts a hash into the name of this test's program.
    if let Ok(own) = std::fs::read_to_string("/proc/self/comm") {
        text = text.replace(own.trim(), "<test>");
    }
    text = hashes(&text);
    let lines: Vec<String> = text.lines().map(redact_line).collect();
    lines.join("\n") + "\n"
}

/// A plain progress line begins with its seconds; a task's own port and process stand in sentences.
fn redact_line(line: &str) -> String {
    let trimmed = line.trim_start();
    let line = match trimmed.split_once("s ") {
        Some((seconds, rest))
            if seconds.contains('.') && seconds.chars().all(|c| c.is_ascii_digit() || c == '.') =>
        {
            format!("  <time> {rest}")
        }
        _ => line.to_owned(),
    };
    ["port ", "pid ", "next start in "]
        .iter()
        .fold(line, |line, before| number_after(&line, before))
}

/// Replaces the number that follows `before`.
fn number_after(line: &str, before: &str) -> String {
    let Some((head, tail)) = line.split_once(before) else {
        return line.to_owned();
    };
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if rest.len() == tail.len() {
        return line.to_owned();
    }
    format!("{head}{before}<number>{rest}")
}

/// State folders end with 10 hexadecimal digits, runtime folders are 12 of them.
fn hashes(text: &str) -> String {
    let is_hex = |word: &str| word.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let mut parts = Vec::new();
    for part in text.split('/') {
        let end = part
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(part.len());
        let (word, rest) = part.split_at(end);
        let word = match word.rsplit_once('-') {
            Some((name, hash)) if hash.len() == 10 && is_hex(hash) => format!("{name}-<hash>"),
            None if word.len() == 12 && is_hex(word) => "<hash>".to_owned(),
            _ => word.to_owned(),
        };
        parts.push(format!("{word}{rest}"));
    }
    parts.join("/")
}
