//! YAML text to trees: aliases, merge keys, tags and duplicate keys are settled here; what the keys mean is left to the others.

use crate::diagnostic::{Diagnostic, Position};
use crate::node::{Entry, Mapping, Node, Tag, Value};
use crate::scalar;
use crate::syntax::SyntaxError;
use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Nodes a file may have once its aliases are expanded: far above any real file, far below what an alias bomb needs.
const MAX_NODES: usize = 100_000;
/// Levels of nesting; a file's deepest real use is about ten.
const MAX_DEPTH: usize = 100;

/// The documents of a file, and the errors that did not stop the reading.
#[derive(Debug)]
pub(crate) struct Documents {
    /// One tree for each document.
    pub(crate) documents: Vec<Node>,
    /// Duplicate keys, keys that are not text, merge keys without a mapping.
    pub(crate) errors: Vec<Diagnostic>,
}

/// Reads all documents of a text.
///
/// # Errors
/// The first syntax error, or a file that is nested too deep or grows too large.
pub(crate) fn parse(file: &Arc<PathBuf>, text: &str) -> Result<Documents, Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text,
        file: Arc::clone(file),
        anchors: HashMap::new(),
        nodes: 0,
        errors: Vec::new(),
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
            (event, span) => documents.push(reader.node(event, &span, 0)?),
        }
    }
    Ok(Documents {
        documents,
        errors: reader.errors,
    })
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    text: &'input str,
    file: Arc<PathBuf>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    errors: Vec<Diagnostic>,
}

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = self.position(*error.marker());
                let error = SyntaxError {
                    text: self.text,
                    message: &error.info(),
                    line: at.line,
                    column: at.column,
                };
                Err(error.explain(&self.file))
            }
            None => Ok((Event::StreamEnd, Span::empty(Marker::default()))),
        }
    }

    fn node(
        &mut self,
        event: Event<'input>,
        span: &Span,
        depth: usize,
    ) -> Result<Node, Diagnostic> {
        let position = self.position(span.start);
        if depth > MAX_DEPTH {
            return Err(Diagnostic::error(
                &position,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let width = width(span);
        let (value, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &position),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = YamlTag::read(tag.as_ref());
                let is_text = style != ScalarStyle::Plain || tag == YamlTag::Text;
                let value = if is_text {
                    Value::String(text.into_owned())
                } else {
                    scalar::resolve(&text)
                };
                (value, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (
                Value::Sequence(self.sequence(depth)?),
                anchor,
                YamlTag::read(tag.as_ref()),
            ),
            Event::MappingStart(_, anchor, tag) => (
                Value::Mapping(self.mapping(depth)?),
                anchor,
                YamlTag::read(tag.as_ref()),
            ),
            other => {
                return Err(Diagnostic::error(
                    &position,
                    format!("unexpected {other:?}"),
                ));
            }
        };
        if let Value::String(text) = &value {
            self.grow(text.len() / 1024, &position)?;
        }
        self.grow(1, &position)?;
        let tag = match tag {
            YamlTag::Compose(tag) => Some(tag),
            YamlTag::Text | YamlTag::None => None,
        };
        let node = Node {
            value,
            position,
            width,
            tag,
            raw: None,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, position: &Position) -> Result<Node, Diagnostic> {
        // The parser gives an id to an anchor before its content: a known id without a node contains itself.
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Diagnostic::error(
                position,
                "an alias stands inside the value it names",
            ));
        };
        self.grow(node.weight(), position)?;
        Ok(node)
    }

    fn grow(&mut self, nodes: usize, position: &Position) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Diagnostic::error(
                position,
                format!("more than {MAX_NODES} values once aliases are expanded"),
            ));
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Mapping, Diagnostic> {
        let mut mapping = Mapping::default();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            match key.as_str() {
                Some("<<") if is_plain => merges.push((key, value)),
                Some(name) => self.insert(&mut mapping, name, &key, value),
                None => self.errors.push(not_a_text_key(&key)),
            }
        }
        for (key, value) in merges {
            self.merge(&mut mapping, &key, value);
        }
        Ok(mapping)
    }

    fn insert(&mut self, mapping: &mut Mapping, name: &str, key: &Node, value: Node) {
        if let Some(first) = mapping.entry(name) {
            let line = first.key_position.line;
            self.errors
                .push(key.error(format!("key `{name}` is already defined on line {line}")));
            return;
        }
        mapping.insert(
            name,
            Entry {
                key_position: key.position.clone(),
                key_raw: None,
                value,
            },
        );
    }

    /// `<<`: keys that the mapping does not have itself (YAML 1.1 merge keys, which Compose files rely on).
    fn merge(&mut self, mapping: &mut Mapping, key: &Node, value: Node) {
        let sources = match value.value {
            Value::Sequence(items) => items,
            Value::Null => return,
            _ => vec![value],
        };
        for source in sources {
            let Value::Mapping(source) = source.value else {
                let found = source.kind();
                self.errors.push(source_error(key, found));
                continue;
            };
            for (name, entry) in source {
                if mapping.get(&name).is_none() {
                    mapping.insert(name, entry);
                }
            }
        }
    }

    fn position(&self, marker: Marker) -> Position {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).max(1);
        let column = u32::try_from(marker.col())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        Position {
            file: Arc::clone(&self.file),
            line,
            column,
        }
    }
}

#[derive(PartialEq)]
enum YamlTag {
    None,
    Text,
    Compose(Tag),
}

impl YamlTag {
    fn read(tag: Option<&Cow<'_, granit_parser::Tag>>) -> Self {
        let Some(tag) = tag else { return Self::None };
        match tag.original().as_str() {
            "!reset" => Self::Compose(Tag::Reset),
            "!override" => Self::Compose(Tag::Override),
            "!!str" | "!" => Self::Text,
            _ if tag.core_suffix() == Some("str") => Self::Text,
            _ => Self::None,
        }
    }
}

fn not_a_text_key(key: &Node) -> Diagnostic {
    let found = key.kind();
    match key.scalar_text() {
        Some(text) => key
            .error(format!(
                "key `{text}` is read as {found}, and keys must be text"
            ))
            .with_help(format!("write it in quotes: \"{text}\"")),
        None => key.error(format!("a key must be text, not a {found}")),
    }
}

fn source_error(key: &Node, found: &str) -> Diagnostic {
    key.error(format!(
        "`<<` merges a mapping or a list of mappings, not a {found}"
    ))
}

fn width(span: &Span) -> u32 {
    let characters = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        1
    };
    u32::try_from(characters).unwrap_or(1).max(1)
}
