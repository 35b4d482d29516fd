//! The few regular expressions of the Compose Specification's schema, as functions: a regex engine for seven patterns is not worth its size.

/// Does the text match a pattern of the schema? A pattern that is not listed matches everything; a test keeps the list whole.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    rule(pattern).is_none_or(|rule| rule(text))
}

fn rule(pattern: &str) -> Option<fn(&str) -> bool> {
    match pattern {
        "^x-" => Some(|text| text.starts_with("x-")),
        "^[a-zA-Z0-9._-]+$" => Some(|text| !text.is_empty() && text.bytes().all(is_name_byte)),
        ".+" | "^.+$" => Some(|text| !text.is_empty()),
        "^[a-z]+$" => Some(|text| !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase())),
        // A container name. The reference implementation also takes a name of one character.
        "[a-zA-Z0-9][a-zA-Z0-9_.-]+" => {
            Some(|text| text.bytes().any(|c| c.is_ascii_alphanumeric()))
        }
        "^(always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+)$" => {
            Some(is_pull_policy)
        }
        _ => None,
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn is_pull_policy(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "always",
        "never",
        "build",
        "if_not_present",
        "missing",
        "refresh",
        "daily",
        "weekly",
    ];
    WORDS.contains(&text) || text.strip_prefix("every_").is_some_and(is_period)
}

/// `([0-9]+[wdhms])+`
fn is_period(text: &str) -> bool {
    let mut digits = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'w' | b'd' | b'h' | b'm' | b's' if digits > 0 => digits = 0,
            _ => return false,
        }
    }
    !text.is_empty() && digits == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    fn patterns(schema: &Json, found: &mut Vec<String>) {
        match schema {
            Json::Object(map) => {
                for (key, value) in map {
                    match (key.as_str(), value) {
                        ("pattern", Json::String(pattern)) => found.push(pattern.clone()),
                        ("patternProperties", Json::Object(map)) => {
                            found.extend(map.keys().cloned())
                        }
                        _ => {}
                    }
                    patterns(value, found);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| patterns(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_of_the_schema_has_its_rule() {
        let mut found = Vec::new();
        patterns(crate::schema::document(), &mut found);
        assert!(found.len() > 10);
        for pattern in found {
            assert!(rule(&pattern).is_some(), "no rule for {pattern}");
        }
    }

    #[test]
    fn pull_policies_follow_their_pattern() {
        for (text, want) in [
            ("always", true),
            ("every_12h", true),
            ("every_1d12h", true),
            ("every_", false),
            ("every_12", false),
            ("sometimes", false),
        ] {
            assert_eq!(is_pull_policy(text), want, "{text}");
        }
    }
}
