//! How HCL is laid out and spelt: what `terraform fmt` would make of it, so that a rendered folder is clean. It knows blocks,
//! attributes and expressions, and nothing of AWS.

use crate::resource::{Body, Item};
use crate::value::{Each, Reference, Value};
use std::fmt::Write as _;

/// Columns after which a list or map is broken into lines.
const WIDTH: usize = 100;

/// A file.
pub(super) struct Document {
    text: String,
}

/// A block: `resource "aws_vpc" "this" { … }`.
pub(super) struct Block {
    comment: Option<String>,
    head: String,
    entries: Vec<Entry>,
}

enum Entry {
    /// `name = expression`; the expression is laid out for the indentation that it will have.
    Attribute(String, Expression),
    /// A whole line: comments.
    Line(String),
    /// An empty line, unless one is there.
    Gap,
    Block(Block),
}

enum Expression {
    Value(Value),
    Raw(String),
    /// Words in brackets, a line each where they do not fit.
    RawList(Vec<String>),
}

impl Document {
    pub(super) fn new(header: &str) -> Self {
        Self {
            text: format!("# {header}\n"),
        }
    }

    /// A paragraph of its own.
    pub(super) fn comment(&mut self, comment: &str) {
        self.text.push('\n');
        for line in wrapped(comment, WIDTH) {
            let _ = writeln!(self.text, "# {line}");
        }
    }

    pub(super) fn push(&mut self, block: Block) {
        self.text.push('\n');
        block.print(0, &mut self.text);
    }

    pub(super) fn print(self) -> String {
        self.text
    }
}

impl Block {
    pub(super) fn new(kind: &str, labels: &[&str]) -> Self {
        let mut head = kind.to_owned();
        for label in labels {
            let _ = write!(head, " {}", quoted(label));
        }
        Self {
            comment: None,
            head,
            entries: Vec::new(),
        }
    }

    pub(super) fn with(mut self, fill: impl FnOnce(&mut Self)) -> Self {
        fill(&mut self);
        self
    }

    /// A comment before the block.
    pub(super) fn before(&mut self, comment: &str) {
        self.comment = Some(comment.to_owned());
    }

    pub(super) fn comment(&mut self, comment: &str) {
        for line in wrapped(comment, WIDTH - 4) {
            self.entries.push(Entry::Line(format!("# {line}")));
        }
    }

    /// An accepted finding, in checkov's own form; it has to stand on one line within the block.
    pub(super) fn skip(&mut self, id: &str, reason: &str) {
        self.entries
            .push(Entry::Line(format!("#checkov:skip={id}:{reason}")));
    }

    pub(super) fn attribute(&mut self, name: &str, value: impl Into<Value>) {
        self.entries.push(Entry::Attribute(
            name.to_owned(),
            Expression::Value(value.into()),
        ));
    }

    pub(super) fn raw(&mut self, name: &str, expression: String) {
        self.entries.push(Entry::Attribute(
            name.to_owned(),
            Expression::Raw(expression),
        ));
    }

    pub(super) fn raw_list(&mut self, name: &str, words: &[impl AsRef<str>]) {
        let words = words.iter().map(|word| word.as_ref().to_owned()).collect();
        self.entries.push(Entry::Attribute(
            name.to_owned(),
            Expression::RawList(words),
        ));
    }

    pub(super) fn for_each(&mut self, over: String) {
        self.raw("for_each", over);
        self.gap();
    }

    pub(super) fn gap(&mut self) {
        self.entries.push(Entry::Gap);
    }

    pub(super) fn nested(&mut self, block: Block) {
        self.gap();
        self.entries.push(Entry::Block(block));
    }

    pub(super) fn body(&mut self, body: &Body) {
        for item in &body.items {
            match item {
                Item::Attribute {
                    name,
                    value,
                    comment,
                } => {
                    if let Some(comment) = comment {
                        self.comment(comment);
                    }
                    self.attribute(name, value.clone());
                }
                Item::Block { name, body } => {
                    self.nested(Block::new(name, &[]).with(|block| block.body(body)));
                }
                Item::Blocks { name, over, body } => {
                    let content = Block::new("content", &[]).with(|block| block.body(body));
                    self.nested(Block::new("dynamic", &[name]).with(|block| {
                        block.raw("for_each", format!("var.{over}"));
                        block.nested(content);
                    }));
                }
            }
        }
    }

    fn print(&self, depth: usize, out: &mut String) {
        let margin = "  ".repeat(depth);
        for line in self.comment.iter().flat_map(|text| wrapped(text, WIDTH)) {
            let _ = writeln!(out, "{margin}# {line}");
        }
        if self.entries.is_empty() {
            let _ = writeln!(out, "{margin}{} {{}}", self.head);
            return;
        }
        let _ = writeln!(out, "{margin}{} {{", self.head);
        let mut run: Vec<(String, String)> = Vec::new();
        let mut needs_gap = false;
        let mut is_first = true;
        for entry in &self.entries {
            if let Entry::Attribute(name, expression) = entry {
                if needs_gap && !is_first {
                    flush(&mut run, &margin, out);
                    out.push('\n');
                }
                run.push((name.clone(), expression.print(depth + 1, name.len() + 3)));
            } else {
                flush(&mut run, &margin, out);
                if needs_gap && !is_first && !matches!(entry, Entry::Gap) {
                    out.push('\n');
                }
            }
            match entry {
                Entry::Gap => {
                    needs_gap = true;
                    continue;
                }
                Entry::Attribute(..) => needs_gap = false,
                Entry::Line(line) => {
                    needs_gap = false;
                    let _ = writeln!(out, "{margin}  {line}");
                }
                Entry::Block(block) => {
                    block.print(depth + 1, out);
                    needs_gap = true;
                }
            }
            is_first = false;
        }
        flush(&mut run, &margin, out);
        let _ = writeln!(out, "{margin}}}");
    }
}

impl Expression {
    /// Laid out for a line that is indented by `depth` and has `used` columns before it.
    fn print(&self, depth: usize, used: usize) -> String {
        match self {
            Self::Value(value) => expression(value, depth, used),
            Self::Raw(text) => text.clone(),
            Self::RawList(words) => {
                let one = format!("[{}]", words.join(", "));
                if depth * 2 + used + one.len() <= WIDTH {
                    return one;
                }
                let margin = "  ".repeat(depth);
                let lines: String = words
                    .iter()
                    .map(|word| format!("{margin}  {word},\n"))
                    .collect();
                format!("[\n{lines}{margin}]")
            }
        }
    }
}

/// Writes lines that follow each other, their `=` in one column; a value of several lines stands by itself.
fn flush(run: &mut Vec<(String, String)>, margin: &str, out: &mut String) {
    let lines = aligned(std::mem::take(run), " = ");
    for line in lines {
        let _ = writeln!(out, "{margin}  {line}");
    }
}

/// `key = value` lines with their `=` in one column, as far as they are neighbours of one line each.
fn aligned(entries: Vec<(String, String)>, sign: &str) -> Vec<String> {
    let mut lines = Vec::with_capacity(entries.len());
    let mut start = 0;
    while start < entries.len() {
        let is_single = |entry: &(String, String)| !entry.1.contains('\n');
        let length = entries[start..]
            .iter()
            .take_while(|entry| is_single(entry))
            .count();
        if length == 0 {
            let (key, value) = &entries[start];
            lines.push(format!("{key}{sign}{value}"));
            start += 1;
            continue;
        }
        let group = &entries[start..start + length];
        let width = group
            .iter()
            .map(|(key, _)| key.chars().count())
            .max()
            .unwrap_or_default();
        for (key, value) in group {
            let padding = " ".repeat(width - key.chars().count());
            lines.push(format!("{key}{padding}{sign}{value}"));
        }
        start += length;
    }
    lines
}

/// An expression, broken into lines where it does not fit into one.
fn expression(value: &Value, depth: usize, used: usize) -> String {
    let one = single(value);
    if depth * 2 + used + one.chars().count() <= WIDTH {
        return one;
    }
    let margin = "  ".repeat(depth);
    match value {
        Value::List(values) if !values.is_empty() => {
            let lines: String = values
                .iter()
                .map(|value| format!("{margin}  {},\n", expression(value, depth + 1, 1)))
                .collect();
            format!("[\n{lines}{margin}]")
        }
        Value::Map(entries) if !entries.is_empty() => {
            let entries = entries
                .iter()
                .map(|(key, value)| {
                    let key = object_key(key);
                    let used = key.chars().count() + 3;
                    (key, expression(value, depth + 1, used))
                })
                .collect();
            let lines: String = aligned(entries, " = ")
                .into_iter()
                .map(|line| format!("{margin}  {line}\n"))
                .collect();
            format!("{{\n{lines}{margin}}}")
        }
        Value::Json(inner) => format!("jsonencode({})", expression(inner, depth, used + 12)),
        _ => one,
    }
}

/// An expression on one line.
pub(super) fn single(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Decimal(text) => text.clone(),
        Value::Text(text) => quoted(text),
        Value::Template(parts) => {
            let mut out = String::from("\"");
            for part in parts {
                match part {
                    Value::Text(text) => escape(text, &mut out),
                    other => {
                        // A sign right before it would make the interpolation literal.
                        if let Some(sign @ ('$' | '%')) = out.chars().last() {
                            out.pop();
                            let _ = write!(out, "${{\"{sign}\"}}");
                        }
                        let _ = write!(out, "${{{}}}", single(other));
                    }
                }
            }
            out.push('"');
            out
        }
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(single).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} = {}", object_key(key), single(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Json(inner) => format!("jsonencode({})", single(inner)),
        Value::Reference(edge) => reference(edge),
        Value::All(edge) => match edge {
            Reference::Resource {
                kind,
                name,
                attribute,
                ..
            } => format!("values({kind}.{name})[*].{attribute}"),
            other => reference(other),
        },
        Value::Only(edge, None) => format!("one({})", reference(edge)),
        Value::Only(edge, Some(field)) => format!("one({}).{field}", reference(edge)),
    }
}

fn reference(edge: &Reference) -> String {
    match edge {
        Reference::Input(name) => format!("var.{name}"),
        Reference::Resource {
            kind,
            name,
            key,
            attribute,
        } => match key {
            None => format!("{kind}.{name}.{attribute}"),
            Some(key) => format!("{kind}.{name}[{}].{attribute}", each(**key)),
        },
        Reference::Data {
            kind,
            name,
            attribute,
        } => format!("data.{kind}.{name}.{attribute}"),
        Reference::Instance { instance, output } => format!("module.{instance}.{output}"),
        Reference::Foundation(output) => {
            format!("data.terraform_remote_state.foundation.outputs.{output}")
        }
        Reference::Each(place) => each(*place).to_owned(),
        Reference::Element(block, field) => format!("{block}.value.{field}"),
    }
}

fn each(place: Each) -> &'static str {
    match place {
        Each::Key => "each.key",
        Each::Value => "each.value",
    }
}

/// A key of an object: bare where HCL takes it so.
fn object_key(key: &str) -> String {
    let mut chars = key.chars();
    let is_bare = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape(text, &mut out);
    out.push('"');
    out
}

/// A text within quotes (HCL's syntax specification, "Template Expressions"): `${` and `%{` would begin a template.
fn escape(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{input, join, list, map};

    fn check(value: Value, want: &str) {
        assert_eq!(expression(&value, 0, 0), want);
    }

    #[test]
    fn nothing_in_a_text_is_interpreted() {
        check(
            "a \"b\" \\ ${c} %{d} $5\n\t".into(),
            r#""a \"b\" \\ $${c} %%{d} $5\n\t""#,
        );
        check(
            join(vec!["US$".into(), input("n")]),
            r#""US${"$"}${var.n}""#,
        );
        check(join(vec!["a".into(), "b".into()]), r#""ab""#);
    }

    #[test]
    fn what_does_not_fit_is_broken_into_lines() {
        let long = "x".repeat(60);
        let value = map([
            ("a", long.as_str().into()),
            ("longer", 1_i64.into()),
            ("aws:x", list([long.as_str().into(), long.as_str().into()])),
        ]);
        let want = format!(
            "{{\n  a      = \"{long}\"\n  longer = 1\n  \"aws:x\" = [\n    \"{long}\",\n    \"{long}\",\n  ]\n}}"
        );
        check(value, &want);
    }
}
