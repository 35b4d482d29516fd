//! Compose's variable substitution in one text: `$V`, `${V}`, `:-`, `-`, `:+`, `+`, `:?`, `?`, nested, `$$`. Which texts it applies to is [`variables`](crate::variables)' matter.

use crate::uses::VariableUse;
use std::fmt;

/// Defaults may nest so deep; a bound on recursion for hostile input.
const MAX_DEPTH: usize = 50;

/// Why a text cannot be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InterpolationError {
    /// `${` that does not follow the grammar.
    #[error("`{0}` is not a variable")]
    Malformed(String),
    /// `${` without its `}`.
    #[error("`{0}` has no closing `}}`")]
    Unclosed(String),
    /// `${V:?message}` or `${V?message}` without a value.
    #[error("required variable `{name}` is {}{}", if *.empty_counts { "unset or empty" } else { "unset" }, Suffix(message))]
    Required {
        /// The variable.
        name: String,
        /// What the file's author says about it; may be empty.
        message: String,
        /// Was it `:?`, which refuses an empty value too?
        empty_counts: bool,
    },
    /// Defaults nested deeper than any person writes them.
    #[error("variables are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

struct Suffix<'a>(&'a str);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.0)
        }
    }
}

/// Where values come from. `None` is unset.
pub(crate) trait Lookup {
    /// The value of a variable.
    fn value(&mut self, name: &str) -> Option<String>;
    /// A variable without a value or a default was replaced by nothing.
    fn missing(&mut self, name: &str);
}

/// Fills in the variables of a text.
///
/// # Errors
/// A malformed `${…}`, or a required variable without a value.
pub(crate) fn interpolate(
    text: &str,
    lookup: &mut dyn Lookup,
) -> Result<String, InterpolationError> {
    expand(text, lookup, 0)
}

/// Does the text contain anything to fill in, an escaped `$$` included?
pub(crate) fn has_variables(text: &str) -> bool {
    text.contains('$')
}

/// Calls `found` for every variable that a text names, those of defaults and alternatives included; a malformed rest is left out.
pub(crate) fn references(text: &str, found: &mut dyn FnMut(&str, VariableUse)) {
    name_all(text, found, 0);
}

fn name_all(text: &str, found: &mut dyn FnMut(&str, VariableUse), depth: usize) {
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let after = &rest[dollar + 1..];
        rest = if let Some(tail) = after.strip_prefix('$') {
            tail
        } else if let Some(inside) = after.strip_prefix('{') {
            let Ok((reference, tail)) = Reference::read(inside) else {
                return;
            };
            let argument = || Some(reference.argument.to_owned());
            let said = match reference.operator {
                None => VariableUse::default(),
                Some(Operator::Required) => VariableUse {
                    required: true,
                    ..VariableUse::default()
                },
                Some(Operator::Default) => VariableUse {
                    default: argument(),
                    ..VariableUse::default()
                },
                Some(Operator::Alternative) => VariableUse {
                    alternative: argument(),
                    ..VariableUse::default()
                },
            };
            found(reference.name, said);
            if depth < MAX_DEPTH {
                name_all(reference.argument, found, depth + 1);
            }
            tail
        } else {
            let (name, tail) = split_name(after);
            if !name.is_empty() {
                found(name, VariableUse::default());
            }
            tail
        };
    }
}

fn expand(text: &str, lookup: &mut dyn Lookup, depth: usize) -> Result<String, InterpolationError> {
    if depth > MAX_DEPTH {
        return Err(InterpolationError::TooDeep);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            tail
        } else if let Some(inside) = after.strip_prefix('{') {
            let (reference, tail) = Reference::read(inside)?;
            out.push_str(&reference.value(lookup, depth)?);
            tail
        } else {
            let (name, tail) = split_name(after);
            if name.is_empty() {
                // `$5` and a lone `$` stay as they are.
                out.push('$');
            } else {
                out.push_str(&value_or_nothing(name, lookup));
            }
            tail
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn value_or_nothing(name: &str, lookup: &mut dyn Lookup) -> String {
    lookup.value(name).unwrap_or_else(|| {
        lookup.missing(name);
        String::new()
    })
}

/// What stands between `${` and its `}`.
struct Reference<'a> {
    name: &'a str,
    operator: Option<Operator>,
    /// Does an empty value count as none (the operator had a colon)?
    empty_counts: bool,
    argument: &'a str,
}

#[derive(Clone, Copy)]
enum Operator {
    Default,
    Alternative,
    Required,
}

impl<'a> Reference<'a> {
    /// Reads `V:-x}tail`; the text after the closing brace comes back too.
    fn read(inside: &'a str) -> Result<(Self, &'a str), InterpolationError> {
        let Some(end) = closing_brace(inside) else {
            return Err(InterpolationError::Unclosed(format!(
                "${{{}",
                excerpt(inside)
            )));
        };
        let (body, tail) = (&inside[..end], &inside[end + 1..]);
        let malformed = || InterpolationError::Malformed(format!("${{{}}}", excerpt(body)));
        let (name, rest) = split_name(body);
        if name.is_empty() {
            return Err(malformed());
        }
        let (empty_counts, rest) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let operator = match rest.chars().next() {
            None if empty_counts => return Err(malformed()),
            None => None,
            Some('-') => Some(Operator::Default),
            Some('+') => Some(Operator::Alternative),
            Some('?') => Some(Operator::Required),
            Some(_) => return Err(malformed()),
        };
        let argument = rest.get(1..).unwrap_or_default();
        Ok((
            Self {
                name,
                operator,
                empty_counts,
                argument,
            },
            tail,
        ))
    }

    fn value(&self, lookup: &mut dyn Lookup, depth: usize) -> Result<String, InterpolationError> {
        let Some(operator) = self.operator else {
            return Ok(value_or_nothing(self.name, lookup));
        };
        let value = lookup
            .value(self.name)
            .filter(|value| !(self.empty_counts && value.is_empty()));
        match (operator, value) {
            (Operator::Default | Operator::Required, Some(value)) => Ok(value),
            (Operator::Default, None) | (Operator::Alternative, Some(_)) => {
                expand(self.argument, lookup, depth + 1)
            }
            (Operator::Alternative, None) => Ok(String::new()),
            (Operator::Required, None) => Err(InterpolationError::Required {
                name: self.name.to_owned(),
                message: expand(self.argument, lookup, depth + 1)?,
                empty_counts: self.empty_counts,
            }),
        }
    }
}

/// Index of the `}` that closes the reference, past those of nested ones.
fn closing_brace(inside: &str) -> Option<usize> {
    let bytes = inside.as_bytes();
    let mut open = 1;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes[index - 1] == b'$' => open += 1,
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text
        .char_indices()
        .find(|&(index, c)| {
            !(c == '_' || c.is_ascii_alphabetic() || (index > 0 && c.is_ascii_digit()))
        })
        .map_or(text.len(), |(index, _)| index);
    text.split_at(end)
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(40).collect();
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Default)]
    struct Variables {
        missing: BTreeSet<String>,
    }

    impl Lookup for Variables {
        fn value(&mut self, name: &str) -> Option<String> {
            match name {
                "A" => Some("a".into()),
                "_b2" => Some("b".into()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }

        fn missing(&mut self, name: &str) {
            self.missing.insert(name.into());
        }
    }

    fn check(text: &str, want: &str) {
        assert_eq!(
            interpolate(text, &mut Variables::default()).as_deref(),
            Ok(want),
            "{text}"
        );
    }

    #[test]
    fn every_form_is_filled_in() {
        for (text, want) in [
            ("plain", "plain"),
            ("$A", "a"),
            ("${A}", "a"),
            ("x${A}y$A.z", "xaya.z"),
            ("$_b2", "b"),
            ("${A:-d}", "a"),
            ("${N:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${N-d}", "d"),
            ("${A:+alt}", "alt"),
            ("${EMPTY:+alt}", ""),
            ("${EMPTY+alt}", "alt"),
            ("${N:+alt}", ""),
            ("${N+alt}", ""),
            ("${A:?m}", "a"),
            ("${EMPTY?m}", ""),
            ("${N}", ""),
            ("$N", ""),
            ("${N:-}", ""),
            ("${N:-${M:-${A}}}", "a"),
            ("${N:-a{b}c}", "a{bc}"),
            ("${N:-$$x}", "$x"),
            ("${N:-a:-b}", "a:-b"),
        ] {
            check(text, want);
        }
    }

    #[test]
    fn dollars_that_name_nothing_stay() {
        for (text, want) in [
            ("$$A", "$A"),
            ("$$$$", "$$"),
            ("$5", "$5"),
            ("$", "$"),
            ("a$ b", "a$ b"),
            ("$$${A}", "$a"),
            ("$-x", "$-x"),
        ] {
            check(text, want);
        }
    }

    #[test]
    fn malformed_references_are_errors() {
        for text in [
            "${",
            "${A",
            "${}",
            "${5}",
            "${A B}",
            "${A:}",
            "${A:x}",
            "${A!x}",
            "${é}",
            "${N:-${}}",
        ] {
            assert!(
                interpolate(text, &mut Variables::default()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_required_variable_says_its_message() {
        let message = |text| {
            interpolate(text, &mut Variables::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message("${N:?set $A}"),
            "required variable `N` is unset or empty: set a"
        );
        assert_eq!(message("${N?}"), "required variable `N` is unset");
        assert_eq!(
            message("${EMPTY:?}"),
            "required variable `EMPTY` is unset or empty"
        );
    }

    #[test]
    fn only_variables_without_a_default_are_missed() {
        let mut variables = Variables::default();
        interpolate("$N ${M} ${D:-x} ${E-} ${F:+x} ${A}", &mut variables).unwrap();
        assert_eq!(
            variables.missing.into_iter().collect::<Vec<_>>(),
            ["M", "N"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = interpolate(&text, &mut Variables::default());
        }

        #[test]
        fn reference_like_text_is_answered(text in "[${}A:?+-]{0,60}") {
            let _ = interpolate(&text, &mut Variables::default());
        }

        #[test]
        fn text_without_a_dollar_stays(text in "[^$]*") {
            let same = interpolate(&text, &mut Variables::default());
            prop_assert_eq!(same, Ok(text));
        }
    }
}
