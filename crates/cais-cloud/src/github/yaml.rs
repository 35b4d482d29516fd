//! YAML as a careful person types it: two spaces a level, quotes only where they are needed, scripts as blocks.

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    /// Text, quoted where YAML would read something else.
    Text(String),
    /// A number or a truth value.
    Bare(String),
    /// Lines, kept as they are.
    Block(String),
    /// Short lists: `[main, develop]`.
    Flow(Vec<String>),
    List(Vec<Yaml>),
    Map(Map),
    /// A mapping whose entries stand apart.
    Spaced(Map),
    /// A text with a comment behind it.
    Commented(String, String),
}

/// Keys in the order in which they are read.
pub(super) type Map = Vec<(String, Yaml)>;

/// A mapping of these.
pub(super) fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(pairs(entries))
}

/// The entries of a mapping.
pub(super) fn pairs<const N: usize>(entries: [(&str, Yaml); N]) -> Map {
    let owned = entries.map(|(key, value)| (key.to_owned(), value));
    owned.into()
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bare(value.to_string())
    }
}

impl From<u32> for Yaml {
    fn from(value: u32) -> Self {
        Self::Bare(value.to_string())
    }
}

impl Yaml {
    /// The document, ending with a newline.
    pub(super) fn print(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Map(entries) => print_map(entries, 0, &mut text, Form::Spaced),
            other => print_value(other, 0, &mut text),
        }
        text
    }
}

/// How the entries of a mapping are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One below the other.
    Plain,
    /// With an empty line between them.
    Spaced,
    /// The first behind the dash of its item.
    Item,
}

fn print_map(entries: &Map, indent: usize, text: &mut String, form: Form) {
    for (rank, (key, value)) in entries.iter().enumerate() {
        if rank > 0 && form == Form::Spaced {
            text.push('\n');
        }
        if rank > 0 || form != Form::Item {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(key);
        text.push(':');
        print_value(value, indent, text);
    }
}

/// What stands behind a key, its line break included.
fn print_value(value: &Yaml, indent: usize, text: &mut String) {
    match value {
        Yaml::Text(word) => text.push_str(&format!(" {}\n", scalar(word))),
        Yaml::Bare(word) => text.push_str(&format!(" {word}\n")),
        Yaml::Commented(word, comment) => {
            text.push_str(&format!(" {}  # {comment}\n", scalar(word)));
        }
        Yaml::Flow(words) => {
            let words: Vec<String> = words.iter().map(|word| flow_scalar(word)).collect();
            text.push_str(&format!(" [{}]\n", words.join(", ")));
        }
        Yaml::Block(lines) => {
            text.push_str(" |\n");
            for line in lines.trim_end().lines() {
                let pad = if line.is_empty() { 0 } else { indent + 2 };
                text.push_str(&format!("{}{line}\n", " ".repeat(pad)));
            }
        }
        Yaml::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        Yaml::Map(entries) => {
            text.push('\n');
            print_map(entries, indent + 2, text, Form::Plain);
        }
        Yaml::Spaced(entries) => {
            text.push('\n');
            print_map(entries, indent + 2, text, Form::Spaced);
        }
        Yaml::List(items) => {
            text.push('\n');
            for item in items {
                text.push_str(&format!("{}-", " ".repeat(indent + 2)));
                match item {
                    Yaml::Map(entries) => {
                        text.push(' ');
                        print_map(entries, indent + 4, text, Form::Item);
                    }
                    other => print_value(other, indent + 2, text),
                }
            }
        }
    }
}

/// Plain where that reads as the same text (YAML 1.1, whose words GitHub's parser still knows).
fn scalar(word: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '$' | '_');
    let is_plain = word.starts_with(begins_plain)
        && !word.contains(": ")
        && !word.contains(" #")
        && !word.contains('\n')
        && !word.ends_with(':')
        && word.parse::<f64>().is_err()
        && !WORDS.contains(&word.to_ascii_lowercase().as_str());
    if is_plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "''"))
    }
}

/// The same inside of brackets, where commas and brackets end a text.
fn flow_scalar(word: &str) -> String {
    let scalar = scalar(word);
    if scalar == word && word.contains([',', '[', ']', '{', '}']) {
        format!("'{word}'")
    } else {
        scalar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_would_read_otherwise_is_quoted() {
        assert_eq!(scalar("ubuntu-24.04"), "ubuntu-24.04");
        assert_eq!(scalar("on"), "'on'");
        assert_eq!(scalar("1.11"), "'1.11'");
        assert_eq!(scalar("a: b"), "'a: b'");
        assert_eq!(scalar("**.md"), "'**.md'");
        assert_eq!(scalar("${{ vars.A == 'b' }}"), "${{ vars.A == 'b' }}");
    }

    #[test]
    fn mappings_lists_and_blocks_nest() {
        let tree = map([
            (
                "a",
                Yaml::List(vec![map([
                    ("b", "c".into()),
                    ("run", Yaml::Block("x\ny\n".into())),
                ])]),
            ),
            ("d", Yaml::Map(Vec::new())),
        ]);
        assert_eq!(
            tree.print(),
            "a:\n  - b: c\n    run: |\n      x\n      y\n\nd: {}\n"
        );
    }
}
