//! What a YAML syntax error is likely to come from: the parser's finding in words that say what to change. Finding it is the parser's part.

use crate::diagnostic::{Diagnostic, Position};
use std::path::PathBuf;
use std::sync::Arc;

/// How a conflict begins and ends that git left in the file.
const CONFLICT_MARKS: [&str; 3] = ["<<<<<<<", "=======", ">>>>>>>"];

/// A text that could not be read, and what the parser says about it.
pub(crate) struct SyntaxError<'t> {
    /// The whole text.
    pub(crate) text: &'t str,
    /// The parser's own words.
    pub(crate) message: &'t str,
    /// 1-based.
    pub(crate) line: u32,
    /// 1-based.
    pub(crate) column: u32,
}

/// A cause: where it is, what it is, and what to change.
struct Cause {
    line: u32,
    column: u32,
    message: String,
    help: String,
}

impl SyntaxError<'_> {
    /// The diagnostic for it; where no usual cause is found, the parser's words stand alone.
    pub(crate) fn explain(&self, file: &Arc<PathBuf>) -> Diagnostic {
        let at = |line, column| Position {
            file: Arc::clone(file),
            line,
            column,
        };
        match self.cause() {
            Some(cause) => Diagnostic::error(&at(cause.line, cause.column), cause.message)
                .with_help(cause.help),
            None => Diagnostic::error(&at(self.line, self.column), self.message),
        }
    }

    fn cause(&self) -> Option<Cause> {
        self.conflict()
            .or_else(|| self.tab())
            .or_else(|| self.open_quote())
            .or_else(|| self.bracket())
            .or_else(|| self.refused_character())
            .or_else(|| self.anchor())
            .or_else(|| self.second_colon())
            .or_else(|| self.key_without_colon())
            .or_else(|| self.indentation())
    }

    /// The text of a line; empty past the end.
    fn line_text(&self, line: u32) -> &str {
        let index = line.saturating_sub(1) as usize;
        self.text.lines().nth(index).unwrap_or_default()
    }

    /// The lines from this one upwards that say something, with their numbers.
    fn upwards(&self, from: u32) -> impl Iterator<Item = (u32, &str)> {
        let numbered = self.text.lines().take(from as usize).zip(1..);
        let mut lines: Vec<(u32, &str)> = numbered.map(|(line, number)| (number, line)).collect();
        lines.reverse();
        lines.into_iter().filter(|(_, line)| !is_blank(line))
    }

    fn here(&self, message: impl Into<String>, help: impl Into<String>) -> Option<Cause> {
        Some(Cause {
            line: self.line,
            column: self.column,
            message: message.into(),
            help: help.into(),
        })
    }

    fn conflict(&self) -> Option<Cause> {
        let is_mark = |line: &str| CONFLICT_MARKS.iter().any(|mark| line.starts_with(mark));
        let (line, _) = self.text.lines().zip(1..).find_map(|(line, number)| {
            (is_mark(line) && number <= self.line + 1).then_some((number, line))
        })?;
        Some(Cause {
            line,
            column: 1,
            message: "git left a merge conflict here".to_owned(),
            help: "keep one side and delete the lines of `<<<<<<<`, `=======` and `>>>>>>>`"
                .to_owned(),
        })
    }

    fn tab(&self) -> Option<Cause> {
        let lines = [self.line, self.line.saturating_sub(1)];
        let (line, column) = lines.into_iter().find_map(|line| {
            let text = self.line_text(line);
            let indentation = &text[..text.len() - text.trim_start().len()];
            let tab = indentation.chars().position(|c| c == '\t')?;
            Some((line, u32::try_from(tab).ok()? + 1))
        })?;
        Some(Cause {
            line,
            column,
            message: "the line is indented with a tab".to_owned(),
            help: "indent with spaces: YAML allows no tabs there".to_owned(),
        })
    }

    /// A quote that closes on a later line, where another text begins, or never.
    fn open_quote(&self) -> Option<Cause> {
        if self.message.contains("trailing content after") {
            let quote = if self.message.contains("single") {
                '\''
            } else {
                '"'
            };
            let doubled = if quote == '\'' { "''" } else { "\\\"" };
            return self.here(
                format!("the text goes on after its closing quote {quote}"),
                format!("a {quote} inside the quotes is written {doubled}"),
            );
        }
        let is_about_quotes = self.message.contains("quote") || self.message.contains("escape");
        if self.message.contains("unknown escape") {
            return self.here(
                "a backslash in double quotes begins an escape, and YAML does not know this one",
                "write `\\\\` for a backslash, or put the text in single quotes",
            );
        }
        if !is_about_quotes {
            return None;
        }
        let (line, column) = self
            .upwards(self.line)
            .find_map(|(line, text)| Some((line, unclosed_quote(text)?)))?;
        Some(Cause {
            line,
            column,
            message: "the quote that begins here is not closed on its line".to_owned(),
            help: "write the same quote at the end of the text".to_owned(),
        })
    }

    fn bracket(&self) -> Option<Cause> {
        let open = if self.message.contains("placement of ':'") {
            // A key where a list goes on: its bracket is open.
            '['
        } else if self.message.contains("unclosed bracket") {
            self.message.chars().find(|c| matches!(c, '[' | '{'))?
        } else if self.message.contains("flow mapping") {
            '{'
        } else if self.message.contains("flow sequence") {
            '['
        } else if self.message.contains("misplaced bracket") {
            return self.here(
                "this bracket closes nothing",
                "delete it, or write the bracket that opens",
            );
        } else {
            return None;
        };
        let close = if open == '[' { ']' } else { '}' };
        let (line, column) = self.upwards(self.line).find_map(|(line, text)| {
            let opened = text.matches(open).count() > text.matches(close).count();
            let column = text.chars().position(|c| c == open)?;
            opened.then_some((line, u32::try_from(column).ok()? + 1))
        })?;
        Some(Cause {
            line,
            column,
            message: format!("`{open}` is not closed"),
            help: format!("write `{close}` after its last entry, and a comma between entries"),
        })
    }

    fn refused_character(&self) -> Option<Cause> {
        let refused = self
            .message
            .strip_prefix("unexpected character: `")?
            .chars()
            .next()?;
        self.here(
            format!("a text cannot begin with `{refused}`"),
            "put the whole text in quotes",
        )
    }

    fn anchor(&self) -> Option<Cause> {
        if !self.message.contains("unknown anchor") {
            return None;
        }
        let column = self.column.saturating_sub(1) as usize;
        let rest: String = self.line_text(self.line).chars().skip(column).collect();
        let name: String = rest
            .trim_start_matches('*')
            .chars()
            .take_while(|c| !c.is_whitespace() && !",]}".contains(*c))
            .collect();
        self.here(
            format!("`*{name}` stands for a value marked `&{name}`, and none is above"),
            "mark the value, or put the text in quotes if the `*` belongs to it",
        )
    }

    /// `command: echo a: b`.
    fn second_colon(&self) -> Option<Cause> {
        if !self.message.contains("mapping values are not allowed") {
            return None;
        }
        let text = self.line_text(self.line);
        let before: String = text.chars().take(self.column as usize - 1).collect();
        let key_end = before.find(": ")?;
        let key = before[..key_end].trim_start().trim_start_matches("- ");
        self.here(
            format!("the value of `{key}` has a colon and a space in it, which begin another key"),
            "put the value in quotes",
        )
    }

    /// The line above is a key without its colon.
    fn key_without_colon(&self) -> Option<Cause> {
        let is_structural = [
            "mapping values are not allowed",
            "simple key",
            "expected ':'",
        ]
        .iter()
        .any(|words| self.message.contains(words));
        if !is_structural {
            return None;
        }
        let (line, text) = self.upwards(self.line.saturating_sub(1)).next()?;
        let words = text.trim().trim_start_matches("- ");
        let is_key_alone = !words.contains(": ") && !words.ends_with(':') && !words.contains('"');
        if !is_key_alone || text.trim_start().starts_with("- ") {
            return None;
        }
        let first = words.split_whitespace().next()?;
        Some(Cause {
            line,
            column: indentation(text) + 1,
            message: format!("`{first}` has no colon after it"),
            help: match words.split_once(' ') {
                Some((key, value)) => format!("write `{key}: {}`", value.trim()),
                None => format!("write `{first}:`"),
            },
        })
    }

    /// The line fits none of the levels above it.
    fn indentation(&self) -> Option<Cause> {
        let is_structural = [
            "mapping values are not allowed",
            "did not find expected key",
            "did not find expected '-'",
            "indent",
            "simple key",
        ]
        .iter()
        .any(|words| self.message.contains(words));
        if !is_structural {
            return None;
        }
        let own = indentation(self.line_text(self.line));
        let mut levels: Vec<(u32, u32)> = Vec::new();
        for (line, text) in self.upwards(self.line.saturating_sub(1)) {
            let level = indentation(text);
            if levels.last().is_none_or(|(_, least)| level < *least) {
                levels.push((line, level));
            }
        }
        let (above, deepest) = *levels.first()?;
        if levels.iter().any(|(_, level)| *level == own) {
            return None;
        }
        let message = format!(
            "the line is indented by {}, and no line above it is",
            spaces(own)
        );
        let help = if own > deepest {
            format!(
                "line {above} is indented by {}, and its value is complete: begin both at one column",
                spaces(deepest)
            )
        } else {
            let known: Vec<String> = levels.iter().map(|(_, level)| level.to_string()).collect();
            format!(
                "begin it where a line above begins: after {} spaces",
                known.join(" or ")
            )
        };
        Some(Cause {
            line: self.line,
            column: own + 1,
            message,
            help,
        })
    }
}

fn spaces(count: u32) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "1 space".to_owned(),
        many => format!("{many} spaces"),
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn indentation(line: &str) -> u32 {
    u32::try_from(line.len() - line.trim_start_matches(' ').len()).unwrap_or(0)
}

/// Column of a quote that opens a text on this line and is not closed on it.
fn unclosed_quote(line: &str) -> Option<u32> {
    let mut open: Option<(u32, char)> = None;
    let mut before = ' ';
    for (c, column) in line.chars().zip(1..) {
        match open {
            Some((_, quote)) if c == quote && before != '\\' => open = None,
            None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => {
                open = Some((column, c));
            }
            None if c == '#' && before == ' ' => break,
            _ => {}
        }
        before = c;
    }
    open.map(|(column, _)| column)
}

#[cfg(test)]
mod tests {
    use crate::yaml;
    use std::path::PathBuf;
    use std::sync::Arc;

    #[test]
    fn the_usual_mistakes_are_answered_with_what_to_change() {
        for (text, want) in [
            (
                "services:\n\tweb:\n\t  image: x\n",
                "2:1: error: the line is indented with a tab (indent with spaces: YAML allows no tabs there)",
            ),
            (
                "services:\n  web:\n    image x\n    command: y\n",
                "3:5: error: `image` has no colon after it (write `image: x`)",
            ),
            (
                "services\n  web:\n    image: x\n",
                "1:1: error: `services` has no colon after it (write `services:`)",
            ),
            (
                "services:\n  web:\n    image: \"x\n    command: y\n",
                "3:12: error: the quote that begins here is not closed on its line (write the same quote at the end of the text)",
            ),
            (
                "services:\n  web:\n    image: x\n     command: y\n",
                "4:6: error: the line is indented by 5 spaces, and no line above it is (line 3 is indented by 4 spaces, and its value is complete: begin both at one column)",
            ),
            (
                "services:\n  web:\n    image: x\n   command: y\n",
                "4:4: error: the line is indented by 3 spaces, and no line above it is (begin it where a line above begins: after 4 or 2 or 0 spaces)",
            ),
            (
                "services:\n  web:\n    command: [a, b\n",
                "3:14: error: `[` is not closed (write `]` after its last entry, and a comma between entries)",
            ),
            (
                "services:\n  web:\n    environment: {A: b, C: d\n  db:\n    image: y\n",
                "3:18: error: `{` is not closed (write `}` after its last entry, and a comma between entries)",
            ),
            (
                "services:\n  web:\n    command: echo foo: bar\n",
                "3:22: error: the value of `command` has a colon and a space in it, which begin another key (put the value in quotes)",
            ),
            (
                "services:\n  web:\n    image: @foo\n",
                "3:12: error: a text cannot begin with `@` (put the whole text in quotes)",
            ),
            (
                "services:\n  web:\n    image: 'it's'\n",
                "3:16: error: the text goes on after its closing quote ' (a ' inside the quotes is written '')",
            ),
            (
                "services:\n  web:\n    image: *foo\n",
                "3:12: error: `*foo` stands for a value marked `&foo`, and none is above (mark the value, or put the text in quotes if the `*` belongs to it)",
            ),
            (
                "services:\n  web:\n    command: [sleep, \"1\"\n    image: x\n",
                "3:14: error: `[` is not closed (write `]` after its last entry, and a comma between entries)",
            ),
            (
                "services:\n  web:\n    command: [a]]\n",
                "3:17: error: this bracket closes nothing (delete it, or write the bracket that opens)",
            ),
            (
                "services:\n<<<<<<< HEAD\n  web: {}\n=======\n  db: {}\n>>>>>>> x\n",
                "2:1: error: git left a merge conflict here (keep one side and delete the lines of `<<<<<<<`, `=======` and `>>>>>>>`)",
            ),
            (
                "services:\n  web:\n    command: \"a\\d\"\n",
                "3:14: error: a backslash in double quotes begins an escape, and YAML does not know this one (write `\\\\` for a backslash, or put the text in single quotes)",
            ),
        ] {
            let file = Arc::new(PathBuf::from("c"));
            let error = yaml::parse(&file, text).unwrap_err().to_string();
            assert_eq!(error.strip_prefix("c:").unwrap(), want, "{text}");
        }
    }
}
