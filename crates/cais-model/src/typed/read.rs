//! Reads single values of the tree into their types and reports what does not fit.

use crate::diagnostic::Diagnostic;
use crate::node::{Node, Value};
use crate::{bytes, duration};
use std::time::Duration;

/// Where what is wrong is collected.
pub(crate) struct Reader<'d> {
    /// Errors and warnings so far.
    pub(crate) diagnostics: &'d mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Adds an error about a node.
    pub(crate) fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.diagnostics.push(node.error(message));
    }

    /// A duration such as `10s`.
    pub(crate) fn duration(&mut self, node: Option<&Node>) -> Option<Duration> {
        let node = node?;
        let text = node.scalar_text()?;
        match duration::parse(&text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.error(node, error.to_string());
                None
            }
        }
    }

    /// A size such as `10m`.
    pub(crate) fn bytes(&mut self, node: Option<&Node>) -> Option<u64> {
        let node = node?;
        let text = node.scalar_text()?;
        match bytes::parse(&text) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.error(node, error.to_string());
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn whole(&mut self, node: Option<&Node>) -> Option<u32> {
        let node = node?;
        let value = match &node.value {
            Value::Int(value) => u32::try_from(*value).ok(),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and in range"
            )]
            Value::Float(value)
                if value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(value) =>
            {
                Some(*value as u32)
            }
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if value.is_none()
            && let Some(text) = node.scalar_text()
        {
            self.error(
                node,
                format!("`{text}` is not a whole number from 0 to {}", u32::MAX),
            );
        }
        value
    }

    /// A whole number, negative ones included.
    pub(crate) fn integer(&mut self, node: Option<&Node>) -> Option<i64> {
        let node = node?;
        let text = node.scalar_text()?;
        let integer = text.trim().parse().ok();
        if integer.is_none() {
            self.error(node, format!("`{text}` is not a whole number"));
        }
        integer
    }

    /// A number such as `0.5`.
    pub(crate) fn number(&mut self, node: Option<&Node>) -> Option<f64> {
        let node = node?;
        let text = node.scalar_text()?;
        let number = text
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.error(node, format!("`{text}` is not a number"));
        }
        number
    }

    /// `true` or `false`, a text that says so included.
    pub(crate) fn boolean(&mut self, node: Option<&Node>) -> Option<bool> {
        let node = node?;
        let text = node.scalar_text()?;
        match crate::cast::Cast::Boolean.apply(&text) {
            Some(Value::Bool(value)) => Some(value),
            _ => {
                self.error(node, format!("`{text}` is not `true` or `false`"));
                None
            }
        }
    }
}

/// A scalar as text.
pub(crate) fn text(node: Option<&Node>) -> Option<String> {
    node.and_then(Node::scalar_text)
}

/// The scalars of a list as texts.
pub(crate) fn texts(node: Option<&Node>) -> Option<Vec<String>> {
    let items = node?.as_sequence()?;
    Some(items.iter().filter_map(Node::scalar_text).collect())
}
