//! Texts in a picture: how wide they are, and how they are shortened. Estimates, because the reader's font is not known.

/// About how many pixels a text takes at a font size, in the fonts of the systems.
pub(super) fn width(text: &str, size: i32) -> i32 {
    let thousandths: i32 = text.chars().map(advance).sum();
    thousandths * size / 1000
}

/// The advance of a character in thousandths of the font's size: wide ones are counted wide, so that nothing overflows.
fn advance(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | '·' => 290,
        'f' | 't' | 'r' | '/' | '(' | ')' | ' ' | '-' | 'I' => 370,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 880,
        'A'..='Z' => 680,
        c if c.is_ascii() => 610,
        _ => 1000,
    }
}

/// The text, or as much of it as has room, and an ellipsis.
pub(super) fn fit(text: &str, room: i32, size: i32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size) + size > room {
            kept.pop();
            break;
        }
    }
    kept.trim_end().to_owned() + "…"
}

/// A text as XML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_shortened() {
        assert_eq!(fit("clock", 200, 12), "clock");
        let short = fit(&"a name that goes on ".repeat(9), 100, 12);
        assert!(short.ends_with('…') && width(&short, 12) <= 100, "{short}");
        assert_eq!(escape("<a & \"b\">\u{7}"), "&lt;a &amp; &quot;b&quot;&gt; ");
    }
}
