//! Runs a program and hands over what it prints, line by line, both streams in the order of their lines.

use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

/// Runs to the end. The program is killed where the caller gives up.
pub(super) async fn lines(
    mut command: Command,
    each: &mut dyn FnMut(&str),
) -> std::io::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut out = child.stdout.take().map(Lines::new);
    let mut err = child.stderr.take().map(Lines::new);
    while out.is_some() || err.is_some() {
        tokio::select! {
            line = next(&mut out) => match line {
                Some(line) => each(&line),
                None => out = None,
            },
            line = next(&mut err) => match line {
                Some(line) => each(&line),
                None => err = None,
            },
        }
    }
    child.wait().await
}

struct Lines<R> {
    reader: BufReader<R>,
    /// A line that was begun: a wait that is given up loses none of it.
    begun: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: R) -> Self {
        Self {
            reader: BufReader::new(stream),
            begun: Vec::new(),
        }
    }
}

/// The next line; `None` at the end. Waits for ever where there is no stream.
async fn next<R: AsyncRead + Unpin>(lines: &mut Option<Lines<R>>) -> Option<String> {
    let Some(lines) = lines else {
        return std::future::pending().await;
    };
    match lines.reader.read_until(b'\n', &mut lines.begun).await {
        Ok(0) | Err(_) if lines.begun.is_empty() => None,
        _ => {
            let line = std::mem::take(&mut lines.begun);
            let text = String::from_utf8_lossy(&line);
            // A progress bar redraws its line: its last state is the line.
            let text = text.trim_end_matches(['\n', '\r']);
            Some(text.rsplit('\r').next().unwrap_or(text).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_streams_are_heard_to_their_ends() {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "echo a; echo b >&2; printf 'c\\rd\\n'; printf e; exit 3",
        ]);
        let mut heard = Vec::new();
        let status = lines(command, &mut |line| heard.push(line.to_owned()))
            .await
            .unwrap();
        heard.sort();
        assert_eq!(
            (status.code(), heard.as_slice()),
            (Some(3), ["a", "b", "d", "e"].map(str::to_owned).as_slice())
        );
    }
}
