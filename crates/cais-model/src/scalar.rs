//! What a plain YAML scalar is: the YAML 1.2 core rules as Compose reads them (`yes` and `no` stay text, `0440` is octal).

use crate::node::Value;

/// Resolves an unquoted scalar.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Value::String(text.to_owned());
    }
    // Underscores group digits, as in YAML 1.1; compose-go's YAML library keeps reading them.
    let digits = text.replace('_', "");
    integer(&digits)
        .map(Value::Int)
        .or_else(|| float(&digits).map(Value::Float))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        // YAML 1.1's octal, which file modes in Compose files rely on.
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(|c| (b'0'..b'8').contains(c)) => {
            (8, digits)
        }
        _ => (10, digits),
    };
    // `from_str_radix` would accept a second sign.
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

fn float(text: &str) -> Option<f64> {
    let only_number_characters = text
        .bytes()
        .all(|c| c.is_ascii_digit() || b".eE+-".contains(&c));
    if !only_number_characters || !text.bytes().any(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Value) {
        assert_eq!(resolve(text), want, "{text}");
    }

    #[test]
    fn plain_scalars_follow_the_core_rules() {
        for null in ["", "~", "null", "NULL"] {
            check(null, Value::Null);
        }
        check("true", Value::Bool(true));
        check("FALSE", Value::Bool(false));
        for text in ["yes", "no", "on", "off", "y", "n", "No", "tRue", "nUll"] {
            check(text, Value::String(text.into()));
        }
    }

    #[test]
    fn numbers_are_read_in_their_radix() {
        for (text, want) in [
            ("0", 0),
            ("12", 12),
            ("-3", -3),
            ("+3", 3),
            ("0440", 288),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b101", 5),
            ("1_000", 1000),
            ("089", 89),
        ] {
            check(text, Value::Int(want));
        }
        check("1.5", Value::Float(1.5));
        check(".5", Value::Float(0.5));
        check("1e3", Value::Float(1000.0));
        check("99999999999999999999", Value::Float(1e20));
    }

    #[test]
    fn what_only_begins_like_a_number_is_text() {
        for text in [
            "3.8.1", "10s", "8080:80", "-", "+", ".", "--3", "0x", "1-2", "22:22", ".inf",
        ] {
            check(text, Value::String(text.into()));
        }
    }
}
