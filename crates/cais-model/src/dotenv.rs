//! Compose's env files: `export`, comments, quotes, escapes, values over several lines, interpolation (Compose Specification, "Env file format"). Which file wins is the caller's matter.

use crate::interpolate::{self, Lookup};
use std::collections::BTreeMap;

/// So many bytes of other variables' values go into the values of one file: twice what Linux gives a process as its whole
/// environment. Lines that repeat `A=$A$A` double a value each, and would fill the memory.
const MOST_FILLED_IN: usize = 4 << 20;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DotenvError {
    /// 1-based.
    pub line: usize,
    /// Lowercase fragment.
    pub reason: String,
}

/// Names with their values in the file's order; `None` is a name alone, which takes the caller's value.
pub type Variables = Vec<(String, Option<String>)>;

/// Reads an env file. `lookup` is asked before the file's own earlier lines, as the shell's variables come first.
///
/// # Errors
/// The first line that does not follow the format.
pub fn parse(
    text: &str,
    lookup: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Variables, DotenvError> {
    let mut parser = Parser {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
    };
    let mut values = Values {
        lookup,
        known: BTreeMap::new(),
        filled_in: 0,
    };
    let mut variables = Vec::new();
    while parser.skip_to_statement() {
        let (name, has_value) = parser.name()?;
        if !has_value {
            variables.push((name, None));
            continue;
        }
        let value = parser.value(&mut values)?;
        values.known.insert(name.clone(), value.clone());
        variables.push((name, Some(value)));
    }
    Ok(variables)
}

/// Reads `format: raw`: everything after the first `=` is the value, as it stands.
pub fn parse_raw(text: &str) -> Variables {
    let lines = text
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| match line.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.to_owned())),
        None => (line.trim().to_owned(), None),
    };
    lines.map(pair).collect()
}

struct Values<'l> {
    lookup: &'l mut dyn FnMut(&str) -> Option<String>,
    known: BTreeMap<String, String>,
    /// Bytes of values that were given out.
    filled_in: usize,
}

impl Values<'_> {
    fn is_too_much(&self) -> bool {
        self.filled_in > MOST_FILLED_IN
    }
}

impl Lookup for Values<'_> {
    fn value(&mut self, name: &str) -> Option<String> {
        // Nothing more is given out; the line that asked for it is refused.
        if self.is_too_much() {
            return Some(String::new());
        }
        let value = (self.lookup)(name).or_else(|| self.known.get(name).cloned());
        self.filled_in += value.as_ref().map_or(0, String::len);
        value
    }

    fn missing(&mut self, _: &str) {}
}

struct Parser<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Parser<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn line_length(&self) -> usize {
        self.rest.find('\n').unwrap_or(self.rest.len())
    }

    /// Skips blank lines and comments; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.take(blank);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            let comment = self.line_length();
            self.take(comment);
        }
    }

    /// Reads `NAME=`, `NAME:` or `NAME` alone on its line; says whether a value follows.
    fn name(&mut self) -> Result<(String, bool), DotenvError> {
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with([' ', '\t'])
        {
            let export = self.rest.len() - after.trim_start_matches([' ', '\t']).len();
            self.take(export);
        }
        let line = &self.rest[..self.line_length()];
        let end = line.find(['=', ':']).unwrap_or(line.len());
        let name = line[..end].trim().to_owned();
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
        if name.is_empty() {
            return Err(self.error("a variable's name is missing before `=`"));
        }
        if let Some(refused) = name.chars().find(|c| !allowed(*c)) {
            return Err(self.error(format!(
                "`{refused}` cannot stand in the variable name `{name}`"
            )));
        }
        let has_value = end < line.len();
        self.take(end + usize::from(has_value));
        Ok((name, has_value))
    }

    fn value(&mut self, values: &mut Values<'_>) -> Result<String, DotenvError> {
        let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
        self.take(blank);
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote, values),
            _ => self.plain(values),
        }
    }

    /// To the end of the line, a comment after a space left out.
    fn plain(&mut self, values: &mut Values<'_>) -> Result<String, DotenvError> {
        let length = self.line_length();
        let text = &self.rest[..length];
        let text = if text.starts_with('#') { "" } else { text };
        let text = text.split(" #").next().unwrap_or_default().trim_end();
        let value = self.fill(text, values)?;
        self.take(length);
        Ok(value)
    }

    /// To the closing quote, over several lines if need be; what follows it on its line is left out.
    fn quoted(&mut self, quote: char, values: &mut Values<'_>) -> Result<String, DotenvError> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|&(_, c)| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        let Some((end, _)) = end else {
            return Err(self.error(format!("the quote {quote} is not closed")));
        };
        let inside = &self.rest[1..end];
        let value = if quote == '"' {
            self.fill(&unescape(inside), values)?
        } else {
            inside.replace(r"\'", "'")
        };
        self.take(end + 1);
        let tail = self.rest[..self.line_length()].trim();
        if tail.is_empty() || tail.starts_with('#') {
            let length = self.line_length();
            self.take(length);
        }
        Ok(value)
    }

    fn fill(&self, text: &str, values: &mut Values<'_>) -> Result<String, DotenvError> {
        let filled = interpolate::interpolate(text, values)
            .map_err(|error| self.error(error.to_string()))?;
        if values.is_too_much() {
            let most = MOST_FILLED_IN >> 20;
            return Err(self.error(format!(
                "what variables come to is more than {most} MiB in one file: does one double itself, as in `A=$A$A`?"
            )));
        }
        Ok(filled)
    }

    fn error(&self, reason: impl Into<String>) -> DotenvError {
        DotenvError {
            line: self.line,
            reason: reason.into(),
        }
    }
}

/// The escapes of double quotes; an unknown one stays as written.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some(same @ ('"' | '\\')) => out.push(same),
            // `$$` is what interpolation turns into one dollar.
            Some('$') => out.push_str("$$"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let mut lookup = |name: &str| (name == "HOST").then(|| "h".to_owned());
        match parse(text, &mut lookup) {
            Ok(variables) => {
                let one = |(name, value): &(String, Option<String>)| match value {
                    Some(value) => format!("{name}={value}"),
                    None => name.clone(),
                };
                variables.iter().map(one).collect::<Vec<_>>().join("|")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn every_form_is_read() {
        for (text, want) in [
            ("A=1\nB=2\n", "A=1|B=2"),
            ("# c\n\n  A=1 # note\n", "A=1"),
            ("A=a#b", "A=a#b"),
            ("A= #c", "A="),
            ("export A=1", "A=1"),
            ("exported=1", "exported=1"),
            ("A: yaml", "A=yaml"),
            ("A = spaced  ", "A=spaced"),
            ("A=\nB=2", "A=|B=2"),
            ("A\nB=1", "A|B=1"),
            ("A='$HOST \\n'", "A=$HOST \\n"),
            ("A='it\\'s'", "A=it's"),
            (r#"A="x\ty\"z" # c"#, "A=x\ty\"z"),
            ("A=\"two\nlines\"\nB=1", "A=two\nlines|B=1"),
            ("A=$HOST-${N:-d}", "A=h-d"),
            ("A=1\nB=${A}2", "A=1|B=12"),
            (r#"A="\$HOST""#, "A=$HOST"),
            ("A=$$HOST", "A=$HOST"),
            ("\u{feff}A=1\r\nB=2\r\n", "A=1|B=2"),
            ("A=a=b=c", "A=a=b=c"),
        ] {
            assert_eq!(shown(text), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, want) in [
            (
                "A=1\nB C=2",
                "error: line 2: ` ` cannot stand in the variable name `B C`",
            ),
            ("A=1\n\nB='x", "error: line 3: the quote ' is not closed"),
            (
                "=x",
                "error: line 1: a variable's name is missing before `=`",
            ),
            ("A=${", "error: line 1: `${` has no closing `}`"),
        ] {
            assert_eq!(shown(text), want, "{text:?}");
        }
    }

    #[test]
    fn variables_that_double_themselves_are_refused() {
        let doubled = format!("A=12345678\n{}", "A=$A$A\n".repeat(64));
        let wide = format!("A={}\nB={}\n", "x".repeat(100_000), "$A".repeat(100_000));
        for (text, line) in [(doubled, 20), (wide, 2)] {
            let want = format!("error: line {line}: what variables come to is more than 4 MiB");
            let shown = shown(&text);
            assert!(shown.starts_with(&want), "{shown:.200}");
        }
    }

    #[test]
    fn raw_values_stay_as_they_stand() {
        let want = vec![
            ("A".to_owned(), Some("\"$X\" # c".to_owned())),
            ("B".to_owned(), None),
        ];
        assert_eq!(parse_raw("# c\nA=\"$X\" # c\nB\n"), want);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(.|\n)*") {
            let _ = parse(&text, &mut |_| None);
            let _ = parse_raw(&text);
        }

        #[test]
        fn env_like_text_is_answered(text in "[A='\"\\\\$ {}#\n:-]{0,40}") {
            let _ = parse(&text, &mut |_| None);
        }
    }
}
