//! What happens to header fields between client and task: hop-by-hop ones end here, those that tell the task
//! about the client are written anew (RFC 9110 section 7.6.1; nobody in front of this gateway is trusted).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The request's id, ours unless the client sent one.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a client's request id that are passed on; a longer one is replaced.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Removes what is meant for this hop alone. The fields that Connection lists go too, except those that
/// would change what the message is if they could be struck out by a client.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for value in headers
        .get_all(header::CONNECTION)
        .iter()
        .cloned()
        .collect::<Vec<_>>()
    {
        for option in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if let Ok(name) = HeaderName::from_bytes(option.as_bytes())
                && !matches!(
                    name,
                    header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING
                )
            {
                headers.remove(&name);
            }
        }
    }
    for name in [
        header::CONNECTION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ] {
        headers.remove(name);
    }
}

/// The protocol that the client wants to change to, when it may. `h2c` is not passed on: behind it requests
/// would reach the task unseen.
pub(crate) fn upgrade_wanted(headers: &HeaderMap) -> Option<HeaderValue> {
    let listed = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(header::UPGRADE)?;
    let name = protocol.to_str().ok()?.trim();
    (listed && !name.is_empty() && !name.to_ascii_lowercase().starts_with("h2"))
        .then(|| protocol.clone())
}

/// The client accepts trailers (RFC 9110 section 10.1.4).
pub(crate) fn accepts_trailers(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(header::TE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Tells the task who asks, by what scheme, for which host, under which id; returns the id.
pub(crate) fn describe_client(
    headers: &mut HeaderMap,
    client: &HeaderValue,
    host: &HeaderValue,
) -> HeaderValue {
    headers.remove(header::FORWARDED);
    headers.insert(X_FORWARDED_FOR, client.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.insert(X_FORWARDED_HOST, host.clone());
    if let Some(id) = headers.get(X_REQUEST_ID)
        && (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
        && id.as_bytes().iter().all(u8::is_ascii_graphic)
    {
        return id.clone();
    }
    let id = new_request_id();
    headers.insert(X_REQUEST_ID, id.clone());
    id
}

/// 128 random bits; names a request in logs, guards nothing.
pub(crate) fn new_request_id() -> HeaderValue {
    let id = format!("{:032x}", fastrand::u128(..));
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}

/// HTTP/2 may split Cookie; HTTP/1.1 must not see it split (RFC 9113 section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    fn check(before: &[(&str, &str)], after: &[(&str, &str)]) {
        let mut found = headers(before);
        strip_hop_by_hop(&mut found);
        assert_eq!(found, headers(after));
    }

    #[test]
    fn hop_by_hop_fields_and_those_listed_by_connection_end_here() {
        check(
            &[
                ("connection", "close, X-Own"),
                ("x-own", "1"),
                ("keep-alive", "5"),
                ("te", "trailers"),
                ("accept", "a"),
            ],
            &[("accept", "a")],
        );
        check(
            &[
                ("connection", "keep-alive"),
                ("connection", "x-b"),
                ("x-b", "1"),
                ("x-c", "1"),
            ],
            &[("x-c", "1")],
        );
        check(
            &[
                ("connection", "host, content-length"),
                ("host", "a"),
                ("content-length", "3"),
            ],
            &[("host", "a"), ("content-length", "3")],
        );
        check(&[("trailer", "x-sum")], &[("trailer", "x-sum")]);
    }

    #[test]
    fn what_the_client_says_about_itself_is_replaced() {
        let mut found = headers(&[
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-for", "8.8.8.8"),
            ("forwarded", "for=9.9.9.9"),
        ]);
        let host = HeaderValue::from_static("example.com");
        let id = describe_client(&mut found, &HeaderValue::from_static("127.0.0.1"), &host);
        assert_eq!(
            found.get_all("x-forwarded-for").iter().collect::<Vec<_>>(),
            ["127.0.0.1"]
        );
        assert_eq!(found["x-forwarded-host"], "example.com");
        assert_eq!(found["x-request-id"], id);
        assert!(!found.contains_key("forwarded"));
    }

    #[test]
    fn a_sensible_request_id_is_kept() {
        for (sent, kept) in [
            ("abc-1", true),
            ("with space", false),
            ("", false),
            (&"x".repeat(129), false),
        ] {
            let mut found = headers(&[("x-request-id", sent)]);
            let id = describe_client(
                &mut found,
                &HeaderValue::from_static("::1"),
                &HeaderValue::from_static("a"),
            );
            assert_eq!(id == sent, kept, "{sent}");
            assert_eq!(found["x-request-id"], id);
        }
    }

    #[test]
    fn an_upgrade_needs_both_fields_and_is_never_h2c() {
        let wanted = |fields: &[(&str, &str)]| upgrade_wanted(&headers(fields)).is_some();
        assert!(wanted(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket")
        ]));
        assert!(!wanted(&[("upgrade", "websocket")]));
        assert!(!wanted(&[("connection", "upgrade")]));
        assert!(!wanted(&[("connection", "upgrade"), ("upgrade", "h2c")]));
    }
}
