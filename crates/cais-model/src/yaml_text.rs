//! Prints a tree as canonical YAML: keys sorted, two spaces a level, texts quoted where they would read as something else.

use crate::node::{Node, Value};
use crate::scalar;
use std::fmt::Write as _;

/// The tree as YAML text, ending with a newline.
pub(crate) fn print(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Mapping(mapping) if !mapping.is_empty() => block(node, 0, &mut out),
        Value::Sequence(items) if !items.is_empty() => block(node, 0, &mut out),
        _ => {
            inline(node, &mut out);
            out.push('\n');
        }
    }
    out
}

/// A mapping or list that is not empty, one entry a line.
fn block(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Mapping(mapping) => {
            let mut keys: Vec<&str> = mapping.keys().collect();
            keys.sort_unstable();
            for key in keys {
                let Some(value) = mapping.get(key) else {
                    continue;
                };
                let _ = write!(out, "{:indent$}{}:", "", quoted(key));
                after_key(value, indent, out);
            }
        }
        Value::Sequence(items) => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                item_of_list(item, indent, out);
            }
        }
        _ => inline(node, out),
    }
}

fn after_key(value: &Node, indent: usize, out: &mut String) {
    match &value.value {
        Value::Null => out.push_str(" null\n"),
        _ if is_block(value) => {
            out.push('\n');
            block(value, indent + 2, out);
        }
        _ => {
            out.push(' ');
            inline(value, out);
            out.push('\n');
        }
    }
}

/// The first line of a nested block stands beside the dash.
fn item_of_list(item: &Node, indent: usize, out: &mut String) {
    out.push(' ');
    if is_block(item) {
        let mut nested = String::new();
        block(item, indent + 2, &mut nested);
        out.push_str(nested.trim_start_matches(' '));
    } else {
        inline(item, out);
        out.push('\n');
    }
}

fn is_block(node: &Node) -> bool {
    match &node.value {
        Value::Mapping(mapping) => !mapping.is_empty(),
        Value::Sequence(items) => !items.is_empty(),
        _ => false,
    }
}

fn inline(node: &Node, out: &mut String) {
    match &node.value {
        Value::Mapping(_) => out.push_str("{}"),
        Value::Sequence(_) => out.push_str("[]"),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Float(number) => {
            // `1.0`, not `1`: it must read back as the same kind.
            let _ = write!(out, "{number:?}");
        }
        Value::Null => out.push_str("null"),
        _ => out.push_str(&node.scalar_text().unwrap_or_default()),
    }
}

/// The text plain where that reads back as the same text, else in double quotes.
fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn is_plain(text: &str) -> bool {
    // YAML 1.1 readers take these for booleans.
    const WORDS: [&str; 8] = ["yes", "no", "on", "off", "y", "n", "true", "false"];
    let is_text = matches!(scalar::resolve(text), Value::String(_));
    let first_is_safe = text.starts_with(|c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '$' | '^' | '(')
    });
    let digits_and_colons = text.bytes().all(|c| c.is_ascii_digit() || c == b':');
    is_text
        && first_is_safe
        && !digits_and_colons
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.starts_with("...")
        && text.chars().all(|c| {
            !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn tree(text: &str) -> Node {
        let file = Arc::new(PathBuf::from("t.yaml"));
        yaml::parse(&file, text).unwrap().documents.remove(0)
    }

    fn check(text: &str, want: &str) {
        let tree = tree(text);
        assert_eq!(tree.to_yaml(), want);
        assert_eq!(self::tree(want), tree, "it reads back as the same");
    }

    #[test]
    fn keys_are_sorted_and_blocks_indented() {
        check(
            "{b: [1, {z: 1, x: [a]}], a: {}, c: []}",
            "a: {}\nb:\n  - 1\n  - x:\n      - a\n    z: 1\nc: []\n",
        );
    }

    #[test]
    fn what_would_read_as_something_else_is_quoted() {
        check(
            r##"{a: "1", b: "yes", c: "", d: "x: y", e: "22:22", f: "a\nb", g: 1.0, h: null, i: "null", j: "- x", k: "#x", l: '*'}"##,
            "a: \"1\"\nb: \"yes\"\nc: \"\"\nd: \"x: y\"\ne: \"22:22\"\nf: \"a\\nb\"\ng: 1.0\nh: null\ni: \"null\"\nj: \"- x\"\nk: \"#x\"\nl: \"*\"\n",
        );
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in "(.|\n|\t){0,40}") {
            let mut node = tree("{a: b}");
            let value = Node::string_at(text, &node);
            node.as_mapping_mut().unwrap().set("a", value);
            prop_assert_eq!(tree(&node.to_yaml()), node);
        }
    }
}
