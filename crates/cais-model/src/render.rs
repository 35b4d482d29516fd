//! Prints a diagnostic with its source line, as rustc does.

use crate::diagnostic::{Diagnostic, Position, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;
use std::path::PathBuf;

/// The diagnostic as text that ends with a newline; `files` are those that [`load`](crate::load()) gave back.
pub fn render(diagnostic: &Diagnostic, files: &[(PathBuf, String)], colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    if let Some(position) = &diagnostic.position {
        group = with_place(group, position, diagnostic.width, files);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

fn with_place<'a>(
    group: Group<'a>,
    position: &Position,
    width: u32,
    files: &'a [(PathBuf, String)],
) -> Group<'a> {
    let path = position.file.display().to_string();
    let line = usize::try_from(position.line).unwrap_or(1);
    let source = files.iter().find(|(name, _)| *name == *position.file);
    match source.and_then(|(_, text)| text.lines().nth(line.saturating_sub(1))) {
        Some(source) => {
            let span = span(source, position.column, width);
            let snippet = Snippet::source(source).line_start(line).path(path);
            group.element(snippet.annotation(AnnotationKind::Primary.span(span)))
        }
        None => {
            let column = usize::try_from(position.column).unwrap_or(1);
            group.element(Origin::path(path).line(line).char_column(column))
        }
    }
}

/// Bytes of a line from a column, `width` characters long, inside the line.
fn span(line: &str, column: u32, width: u32) -> Range<usize> {
    let skip = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let take = usize::try_from(width).unwrap_or(1).max(1);
    let byte = |characters: usize| {
        line.char_indices()
            .nth(characters)
            .map_or(line.len(), |(index, _)| index)
    };
    let start = byte(skip);
    start..byte(skip.saturating_add(take)).max(start)
}
