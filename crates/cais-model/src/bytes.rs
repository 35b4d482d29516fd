//! Compose's sizes in bytes: `64m`, `1gb`, `2048k`; the units are binary (Compose Specification, "Specifying byte values").

/// Why a text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write it like `10m`, `512k` or `1gb`")]
pub struct BytesError(pub String);

/// Reads a size in bytes.
///
/// # Errors
/// When the text is not a number with an optional unit, or does not fit 64 bits.
pub fn parse(text: &str) -> Result<u64, BytesError> {
    let error = || BytesError(text.to_owned());
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let number: f64 = trimmed[..digits].parse().map_err(|_| error())?;
    let unit = trimmed[digits..].trim().to_ascii_lowercase();
    let power = match unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(&unit)
    {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(error()),
    };
    let bytes = number * 1024_f64.powi(power);
    // 2^63: beyond it a float no longer says which byte.
    if bytes >= 9_223_372_036_854_775_808.0 {
        return Err(error());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above, and never negative"
    )]
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_in_binary_units() {
        for (text, want) in [
            ("0", 0),
            ("42", 42),
            ("10b", 10),
            ("2k", 2048),
            ("2kb", 2048),
            ("64m", 64 << 20),
            ("1gb", 1 << 30),
            ("1.5G", 3 << 29),
            ("1 MiB", 1 << 20),
            ("1t", 1 << 40),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "m", "-1", "1x", "1mm", "1..2k", "9999999999t"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = parse(&text);
        }
    }
}
