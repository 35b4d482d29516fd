//! Reads `Cache-Control` (RFC 9111 §5.2) into the directives this cache knows; what they mean for a
//! request or a response is decided in `policy`.

use http::HeaderMap;
use http::header::CACHE_CONTROL;

/// The directives of one message. Unknown ones are passed over, as RFC 9111 §5.2.3 asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directives {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, with or without field names: the qualified form is read as the stricter plain one.
    pub no_cache: bool,
    /// `private`, with or without field names.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `only-if-cached` (requests).
    pub only_if_cached: bool,
    /// `max-age` in seconds; 0 when its value is not a number (§4.2.1: treat as stale).
    pub max_age: Option<u64>,
    /// `s-maxage` in seconds, read like `max-age`.
    pub s_maxage: Option<u64>,
    /// `min-fresh` in seconds (requests); the longest possible when its value is not a number.
    pub min_fresh: Option<u64>,
}

impl Directives {
    /// All `Cache-Control` lines of a message as one list. Where a directive stands twice, the stricter
    /// value holds (§4.2.1 lets a cache take the first one or call the response stale).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            for item in split_list(line.as_bytes()) {
                directives.add(item);
            }
        }
        directives
    }

    fn add(&mut self, item: &[u8]) {
        let (name, value) = match item.iter().position(|&byte| byte == b'=') {
            Some(at) => (item[..at].trim_ascii(), Some(&item[at + 1..])),
            None => (item, None),
        };
        match name.to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => shorten(&mut self.max_age, seconds(value).unwrap_or(0)),
            b"s-maxage" => shorten(&mut self.s_maxage, seconds(value).unwrap_or(0)),
            b"min-fresh" => {
                let wanted = seconds(value).unwrap_or(MAX_SECONDS);
                self.min_fresh = Some(self.min_fresh.map_or(wanted, |old| old.max(wanted)));
            }
            _ => {}
        }
    }
}

/// What a number of seconds that does not fit counts as: 2^31, by RFC 9111 §1.2.2.
const MAX_SECONDS: u64 = 1 << 31;

fn shorten(slot: &mut Option<u64>, value: u64) {
    *slot = Some(slot.map_or(value, |old| old.min(value)));
}

/// `delta-seconds`, quoted or not; `None` when it is no number.
fn seconds(value: Option<&[u8]>) -> Option<u64> {
    let mut digits = value?.trim_ascii();
    if let [b'"', inner @ .., b'"'] = digits {
        digits = inner;
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    Some(text.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

/// The members of a comma-separated list, trimmed; a comma inside a quoted string divides nothing.
pub(crate) fn split_list(line: &[u8]) -> Vec<&[u8]> {
    let mut members = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                members.push(line[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(line[start..].trim_ascii());
    members.retain(|member| !member.is_empty());
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(lines: &[&str], expected: Directives) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        assert_eq!(Directives::of(&headers), expected, "{lines:?}");
    }

    #[test]
    fn directives_are_read_whatever_their_case_order_and_lines() {
        let none = Directives::default();
        check(&[], none);
        check(
            &["No-Store"],
            Directives {
                no_store: true,
                ..none
            },
        );
        check(
            &["max-age=10, public"],
            Directives {
                max_age: Some(10),
                public: true,
                ..none
            },
        );
        check(
            &["max-age=10", "s-maxage=\"5\",,  must-revalidate"],
            Directives {
                max_age: Some(10),
                s_maxage: Some(5),
                must_revalidate: true,
                ..none
            },
        );
        check(
            &["private=\"set-cookie, x\""],
            Directives {
                private: true,
                ..none
            },
        );
        check(
            &["no-cache=\"a\\\", no-store\""],
            Directives {
                no_cache: true,
                ..none
            },
        );
        check(&["x-other=\"no-store\", stale-while-revalidate=9"], none);
    }

    #[test]
    fn doubtful_numbers_are_read_strictly() {
        let none = Directives::default();
        check(
            &["max-age=ten"],
            Directives {
                max_age: Some(0),
                ..none
            },
        );
        check(
            &["max-age"],
            Directives {
                max_age: Some(0),
                ..none
            },
        );
        check(
            &["max-age=-1"],
            Directives {
                max_age: Some(0),
                ..none
            },
        );
        check(
            &["max-age=20, max-age=5"],
            Directives {
                max_age: Some(5),
                ..none
            },
        );
        check(
            &["max-age=99999999999999999999"],
            Directives {
                max_age: Some(MAX_SECONDS),
                ..none
            },
        );
        check(
            &["min-fresh=x"],
            Directives {
                min_fresh: Some(MAX_SECONDS),
                ..none
            },
        );
    }
}
