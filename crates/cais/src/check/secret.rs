//! What looks like a secret: by the name it goes under, by how it is written, or by both. Says only that; never repeats it.

/// Names that end with one of these hold a secret. Compared as words: `DB_PASSWORD`, `githubToken`, `api-key`.
const ENDINGS: [&[&str]; 18] = [
    &["password"],
    &["passwd"],
    &["passphrase"],
    &["pass"],
    &["pwd"],
    &["secret"],
    &["token"],
    &["credential"],
    &["credentials"],
    &["apikey"],
    &["api", "key"],
    &["private", "key"],
    &["access", "key"],
    &["secret", "key"],
    &["encryption", "key"],
    &["signing", "key"],
    &["master", "key"],
    &["secret", "key", "base"],
];

/// Words before the ending that turn its meaning: `PUBLIC_TOKEN` is for everybody.
const HARMLESS: [&str; 8] = [
    "public", "allow", "random", "require", "min", "max", "show", "reset",
];

/// Does a variable of this name hold a secret?
pub(crate) fn is_secret_name(name: &str) -> bool {
    let mut words = words(name);
    while words
        .last()
        .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
    {
        words.pop();
    }
    ENDINGS.iter().any(|ending| {
        let Some(before) = words.len().checked_sub(ending.len()) else {
            return false;
        };
        words[before..].iter().eq(ending.iter())
            && !words[..before]
                .iter()
                .any(|word| HARMLESS.contains(&word.as_str()))
    })
}

/// `dbPassword`, `DB_PASSWORD` and `db.password` are two words each.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        let begins = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Can this text be the secret that its name promises, rather than a switch, a path, a reference or a gap to fill?
pub(crate) fn is_secret_value(value: &str) -> bool {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    let is_switch = matches!(
        lower.as_str(),
        "" | "0" | "1" | "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null"
    );
    let is_elsewhere = value.starts_with(['/', '<', '$', '~'])
        || ["./", "../", "arn:", "file:", "vault:", "op://", "secret://"]
            .iter()
            .any(|start| lower.starts_with(start))
        || value.contains("{{")
        || value.contains("$(")
        || value.contains("${");
    let is_masked = value
        .chars()
        .all(|letter| matches!(letter, '*' | 'x' | 'X' | '.'));
    !(is_switch || is_elsewhere || is_masked)
}

/// Beginnings that providers give to their tokens, with the least length of the whole.
const PREFIXES: [(&str, usize, &str); 22] = [
    ("AKIA", 20, "an AWS access key"),
    ("ASIA", 20, "an AWS access key"),
    ("ghp_", 40, "a GitHub token"),
    ("gho_", 40, "a GitHub token"),
    ("ghs_", 40, "a GitHub token"),
    ("github_pat_", 40, "a GitHub token"),
    ("glpat-", 26, "a GitLab token"),
    ("xoxb-", 30, "a Slack token"),
    ("xoxp-", 30, "a Slack token"),
    ("sk_live_", 28, "a Stripe key"),
    ("rk_live_", 28, "a Stripe key"),
    ("sk-ant-", 40, "an Anthropic key"),
    ("sk-proj-", 40, "an OpenAI key"),
    ("SG.", 60, "a SendGrid key"),
    ("npm_", 40, "an npm token"),
    ("pypi-", 60, "a PyPI token"),
    ("dop_v1_", 70, "a DigitalOcean token"),
    ("hf_", 34, "a Hugging Face token"),
    ("AIza", 39, "a Google API key"),
    ("dckr_pat_", 30, "a Docker Hub token"),
    ("hvs.", 60, "a Vault token"),
    ("AGE-SECRET-KEY-", 60, "an age key"),
];

/// The kind of token that a text is or holds, by how its provider writes them.
pub(crate) fn known_token(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let separators = |letter: char| {
        letter.is_whitespace() || matches!(letter, '"' | '\'' | '=' | ',' | ';' | ':' | '@' | '/')
    };
    text.split(separators).find_map(|word| {
        let (prefix, _, kind) = PREFIXES
            .iter()
            .find(|(prefix, least, _)| word.starts_with(prefix) && word.len() >= *least)?;
        let rest = &word[prefix.len()..];
        let is_token = rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let is_sample = word.contains("EXAMPLE") || entropy(rest) < 3.0;
        (is_token && !is_sample).then_some(*kind)
    })
}

/// Does it look like the output of a generator: long, one word, and hard to guess?
pub(crate) fn looks_generated(value: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte);
    let is_hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() >= 24
        && value.bytes().all(is_word)
        && digits >= 3
        && entropy(value) > if is_hex { 3.0 } else { 3.8 }
        && value != "0123456789abcdef".repeat(value.len() / 16)
}

/// Shannon's, in bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let all = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all)
        .map(|share| -share * share.log2())
        .sum()
}

/// The password of a URL, where one is written out in it.
pub(crate) fn url_password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (_, password) = user_info.split_once(':')?;
    is_secret_value(password).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_by_its_last_words() {
        for name in [
            "DB_PASSWORD",
            "POSTGRES_PASSWORD",
            "githubToken",
            "AWS_SECRET_ACCESS_KEY",
            "SECRET_KEY_BASE",
            "REDIS_PASS",
            "api-key",
            "JWT_SECRET_2",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "DB_PASSWORD_FILE",
            "TOKEN_EXPIRY",
            "ALLOW_EMPTY_PASSWORD",
            "MYSQL_RANDOM_ROOT_PASSWORD",
            "PASSWORD_MIN_LENGTH",
            "MAX_TOKEN",
            "BYPASS",
            "COMPASS",
            "STRIPE_PUBLIC_KEY",
            "CACHE_KEY",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn switches_paths_and_gaps_are_no_secrets() {
        for value in [
            "",
            "true",
            "/run/secrets/x",
            "<your token>",
            "${X}",
            "***",
            "{{ x }}",
        ] {
            assert!(!is_secret_value(value), "{value}");
        }
        assert!(is_secret_value("hunter2") && is_secret_value("changeme"));
    }

    #[test]
    fn tokens_are_known_by_their_beginning_and_samples_are_not() {
        let pad = |prefix: &str| format!("{prefix}{}", "a8Kd02mQz7Lp5Xw9Rt3Vb6Ny1Hc4Jf0Ge2S");
        assert_eq!(known_token(&pad("ghp_a")), Some("a GitHub token"));
        assert_eq!(known_token("AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(
            known_token("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            None
        );
        assert_eq!(
            known_token("-----BEGIN RSA PRIVATE KEY-----\nMII"),
            Some("a private key")
        );
        assert_eq!(known_token("sk-learn"), None);
    }

    #[test]
    fn only_long_and_hard_to_guess_looks_generated() {
        assert!(looks_generated("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"));
        assert!(!looks_generated("django-insecure-change-me-please"));
        assert!(!looks_generated("postgres"));
    }

    #[test]
    fn a_password_in_a_url_is_found() {
        assert_eq!(
            url_password("postgres://me:hunter2@db/app"),
            Some("hunter2")
        );
        assert_eq!(url_password("postgres://me:${PW}@db/app"), None);
        assert_eq!(url_password("http://example.com:80/@x:y"), None);
    }
}
