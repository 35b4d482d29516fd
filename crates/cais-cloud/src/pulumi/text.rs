//! TypeScript as text: when a value stays on its line, how it is broken when it does not fit, how texts are quoted. What is
//! said is decided by the callers.

use std::fmt::Write;

/// Characters of a line.
const WIDTH: usize = 110;
/// Spaces of one level.
const STEP: usize = 2;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Code {
    /// Text that is never broken.
    Word(String),
    /// `{ key: value }`.
    Object(Vec<Field>),
    /// `[value]`.
    Array(Vec<Code>),
    /// Something around expressions that are separated by commas: `call(`, the arguments, `)`.
    Call(String, Vec<Code>, &'static str),
}

/// An entry of an object.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) value: Code,
    /// What a reader should know before it.
    pub(super) comment: Option<String>,
}

impl Field {
    /// Without a comment.
    pub(super) fn new(key: impl Into<String>, value: Code) -> Self {
        Self {
            key: key.into(),
            value,
            comment: None,
        }
    }
}

/// A word of TypeScript.
pub(super) fn word(text: impl Into<String>) -> Code {
    Code::Word(text.into())
}

impl Code {
    /// The expression in a line that is indented by `indent` and has `taken` characters before it and some after it.
    pub(super) fn print(&self, indent: usize, taken: usize) -> String {
        match self.flat() {
            Some(flat) if taken + flat.chars().count() < WIDTH => flat,
            _ => self.broken(indent),
        }
    }

    /// On one line; none where a comment forbids it.
    fn flat(&self) -> Option<String> {
        match self {
            Self::Word(text) => Some(text.clone()),
            Self::Object(fields) if fields.is_empty() => Some("{}".to_owned()),
            Self::Object(fields) => {
                let fields = fields.iter().map(|field| match field.comment {
                    Some(_) => None,
                    None => Some(field.with(&field.value.flat()?)),
                });
                Some(format!("{{ {} }}", joined(fields)?))
            }
            Self::Array(values) => Some(format!("[{}]", joined(values.iter().map(Self::flat))?)),
            Self::Call(before, arguments, after) => Some(format!(
                "{before}{}{after}",
                joined(arguments.iter().map(Self::flat))?
            )),
        }
    }

    fn broken(&self, indent: usize) -> String {
        let inner = indent + STEP;
        let pad = " ".repeat(inner);
        let end = " ".repeat(indent);
        match self {
            Self::Word(text) => text.clone(),
            Self::Object(fields) => {
                let mut out = "{\n".to_owned();
                for field in fields {
                    out.push_str(&comment(field.comment.as_deref(), inner));
                    let taken = inner + field.key.chars().count() + 3;
                    let _ = writeln!(
                        out,
                        "{pad}{},",
                        field.with(&field.value.print(inner, taken))
                    );
                }
                out + &end + "}"
            }
            Self::Array(values) => {
                let mut out = "[\n".to_owned();
                for value in values {
                    let _ = writeln!(out, "{pad}{},", value.print(inner, inner + 1));
                }
                out + &end + "]"
            }
            Self::Call(before, arguments, after) => {
                format!("{before}{}{after}", hugged(arguments, indent))
            }
        }
    }
}

/// Arguments of which the largest is broken and the others stay on the lines that it begins and ends.
fn hugged(arguments: &[Code], indent: usize) -> String {
    let size = |code: &Code| code.flat().map_or(usize::MAX, |flat| flat.len());
    let largest = (0..arguments.len()).max_by_key(|at| (size(&arguments[*at]), usize::MAX - at));
    let printed = arguments.iter().enumerate().map(|(at, argument)| {
        let is_kept = Some(at) != largest;
        match argument.flat() {
            Some(flat) if is_kept => flat,
            _ => argument.broken(indent),
        }
    });
    printed.collect::<Vec<_>>().join(", ")
}

fn joined(parts: impl Iterator<Item = Option<String>>) -> Option<String> {
    Some(parts.collect::<Option<Vec<_>>>()?.join(", "))
}

impl Field {
    /// `key: value`, or the key alone where it is the value's name.
    fn with(&self, value: &str) -> String {
        if self.key == value && is_identifier(value) {
            value.to_owned()
        } else {
            format!("{}: {value}", self.key)
        }
    }
}

/// A key of an object: bare where TypeScript takes it so.
pub(super) fn key(name: &str) -> String {
    if is_identifier(name) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

pub(super) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// A text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    escape(text, '"', &mut out);
    out.push('"');
    out
}

/// The text part of a template literal: nothing in it is interpreted.
pub(super) fn template_text(text: &str) -> String {
    let mut out = String::new();
    escape(text, '`', &mut out);
    out.replace("${", "\\${")
}

fn escape(text: &str, quote: char, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            // Line separators end a line of source; other controls would not be seen.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// `// …` lines for a comment.
pub(super) fn comment(text: Option<&str>, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let lines = wrapped(text.unwrap_or_default(), WIDTH - indent - 3);
    lines.map(|line| format!("{pad}// {line}\n")).collect()
}

/// A documentation comment.
pub(super) fn documentation(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let lines: Vec<String> = wrapped(&text.replace("*/", "* /"), WIDTH - indent - 7).collect();
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("{pad}/** {line} */\n"),
        lines => {
            let body: String = lines
                .iter()
                .map(|line| format!("{pad} * {line}\n"))
                .collect();
            format!("{pad}/**\n{body}{pad} */\n")
        }
    }
}

/// Lines of at most `width` characters, broken at spaces; none for an empty text.
fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_interpreted() {
        let cases = [
            ("a \"b\" \\ ${c}\n", r#""a \"b\" \\ ${c}\n""#),
            ("\u{1}\u{2028}", r#""\u{1}\u{2028}""#),
        ];
        for (text, want) in cases {
            assert_eq!(quoted(text), want);
        }
        assert_eq!(template_text("`a` ${b} \\"), r"\`a\` \${b} \\");
    }

    #[test]
    fn what_does_not_fit_is_broken_at_its_largest_argument() {
        let long = word(quoted(&"x".repeat(100)));
        let call = Code::Call(
            "new T(".to_owned(),
            vec![
                word("name"),
                Code::Object(vec![
                    Field::new("a", long),
                    Field::new(key("aws:b"), word("1")),
                    Field::new("c", word("c")),
                ]),
                Code::Object(vec![Field::new("parent", word("this"))]),
            ],
            ")",
        );
        let want = format!(
            "new T(name, {{\n  a: \"{}\",\n  \"aws:b\": 1,\n  c,\n}}, {{ parent: this }})",
            "x".repeat(100)
        );
        assert_eq!(call.print(0, 0), want);
    }

    #[test]
    fn a_comment_keeps_an_object_off_one_line() {
        let mut field = Field::new("a", word("1"));
        field.comment = Some("Why.".to_owned());
        let object = Code::Object(vec![field]);
        assert_eq!(object.print(0, 0), "{\n  // Why.\n  a: 1,\n}");
    }
}
