//! Compose's durations: `1m30s`, `500ms`, `1.5s` (Compose Specification, "Specifying durations"; the grammar is Go's `time.ParseDuration`).

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write it like `1m30s`, `10s` or `500ms`")]
pub struct DurationError(pub String);

const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

/// Reads a duration. `0` needs no unit.
///
/// # Errors
/// When the text has another form, is negative, or is longer than a thousand years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.to_owned());
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(error());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or_else(error)?;
        let number: f64 = rest[..digits].parse().map_err(|_| error())?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let factor = UNITS
            .iter()
            .find(|(unit, _)| *unit == &rest[..unit_end])
            .ok_or_else(error)?
            .1;
        seconds += number * factor;
        rest = &rest[unit_end..];
    }
    const THOUSAND_YEARS: f64 = 3.2e10;
    if seconds > THOUSAND_YEARS {
        return Err(error());
    }
    // To the nanosecond, so that 0.1 s is not 99,999,999 ns.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above, and never negative"
    )]
    let nanoseconds = (seconds.fract() * 1e9).round() as u64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above, and never negative"
    )]
    let whole = seconds.trunc() as u64;
    Ok(Duration::from_secs(whole) + Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, want) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5s", 1500),
            ("1h", 3_600_000),
            ("0", 0),
            ("0s", 0),
            ("1h5m30s20ms", 3_930_020),
            ("0.1s", 100),
            (".5s", 500),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(want)), "{text}");
        }
        assert_eq!(parse("40us"), Ok(Duration::from_micros(40)));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1 s",
            "1x",
            "1..5s",
            "ten",
            "1s2",
            "999999999999h",
        ] {
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
