//! Under which key a response stands: its target, and for a target whose responses vary the values of
//! the request fields that select one (RFC 9111 §2 and §4.1).

use crate::entry::Variants;
use http::header::HOST;
use http::{HeaderName, request};

/// Is the host part of the key?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHost {
    /// Yes: one cache serves several hosts.
    Part,
    /// No: the service answers every host alike, and a client must not fill the store by inventing some.
    Ignored,
}

/// Key of a target: `<prefix><host><path?query>`.
pub(crate) fn target(prefix: &str, host: KeyHost, request: &request::Parts) -> String {
    let path = request
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    match host {
        KeyHost::Ignored => format!("{prefix}{path}"),
        KeyHost::Part => {
            let named = request
                .uri
                .authority()
                .map(|authority| authority.as_str())
                .or_else(|| {
                    request
                        .headers
                        .get(HOST)
                        .and_then(|value| value.to_str().ok())
                });
            format!(
                "{prefix}{}{path}",
                named.unwrap_or_default().to_ascii_lowercase()
            )
        }
    }
}

/// Key of one of a target's variants.
pub(crate) fn variant(target: &str, variants: &Variants, request: &request::Parts) -> String {
    format!(
        "{target}#{:016x}#{}",
        variants.series,
        selector(&variants.vary, request)
    )
}

/// Tells the values of the selecting fields apart: by a hash, because they have any length and any
/// bytes; by a strong one, because clients choose them.
pub(crate) fn selector(vary: &[HeaderName], request: &request::Parts) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in vary {
        hasher.update(name.as_str().as_bytes());
        for value in request.headers.get_all(name) {
            hasher.update(b"\n ");
            hasher.update(value.as_bytes().trim_ascii());
        }
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http::header::{ACCEPT, ACCEPT_LANGUAGE};

    fn parts(uri: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn host_counts_only_where_it_is_asked_for() {
        let request = parts("/a?b=c", &[("host", "Example.com:80")]);
        assert_eq!(target("p:", KeyHost::Ignored, &request), "p:/a?b=c");
        assert_eq!(
            target("p:", KeyHost::Part, &request),
            "p:example.com:80/a?b=c"
        );
        assert_eq!(
            target("p:", KeyHost::Part, &parts("http://x.test/a", &[])),
            "p:x.test/a"
        );
    }

    #[test]
    fn variants_differ_by_the_selecting_fields_alone() {
        let key =
            |fields: &[(&str, &str)]| selector(&[ACCEPT, ACCEPT_LANGUAGE], &parts("/", fields));
        assert_eq!(
            key(&[("accept", "a"), ("x", "1")]),
            key(&[("accept", "a"), ("x", "2")])
        );
        assert_eq!(key(&[("accept", " a")]), key(&[("accept", "a ")]));
        assert_ne!(key(&[("accept", "a")]), key(&[("accept-language", "a")]));
        assert_ne!(
            key(&[("accept", "a, b")]),
            key(&[("accept", "a"), ("accept", "b")])
        );
        assert_ne!(key(&[("accept", "a")]), key(&[]));
        assert_eq!(
            selector(&[], &parts("/", &[("accept", "a")])),
            selector(&[], &parts("/", &[]))
        );
    }
}
