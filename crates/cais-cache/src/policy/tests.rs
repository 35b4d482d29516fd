//! The policy as tables: what a message says, and what the cache may do.

use super::*;
use bytes::Bytes;
use http::{Request, Response};

/// Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example.
const NOW_MS: u64 = 784_111_777_000;
const TTL: Option<Duration> = Some(Duration::from_secs(10));

fn request(method: &str, uri: &str, fields: &str) -> request::Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in split(fields) {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn response(status: u16, fields: &str) -> response::Parts {
    let mut response = Response::builder().status(status);
    for (name, value) in split(fields) {
        response = response.header(name, value);
    }
    response.body(()).unwrap().into_parts().0
}

/// `name: value; name: value`.
fn split(fields: &str) -> impl Iterator<Item = (&str, &str)> {
    fields
        .split("; ")
        .filter_map(|field| field.split_once(": "))
}

fn terms(fields: &str) -> Terms {
    match on_request(&request("GET", "/", fields)) {
        Lookup::Ask(terms) => terms,
        forward @ Lookup::Forward(_) => panic!("{forward:?}"),
    }
}

#[test]
fn requests_go_past_the_cache_only_for_a_reason() {
    let long = format!("/{}", "x".repeat(MAX_TARGET_BYTES));
    let cases = [
        ("GET", "/", "", None),
        ("HEAD", "/", "", None),
        ("GET", "/", "cache-control: no-cache", None),
        ("GET", "/", "authorization: Bearer x", None),
        ("POST", "/", "", Some(Forward::Method)),
        ("DELETE", "/", "", Some(Forward::Method)),
        ("OPTIONS", "/", "", Some(Forward::Method)),
        (
            "GET",
            "/",
            "cache-control: no-store",
            Some(Forward::NoStore),
        ),
        ("GET", "/", "range: bytes=0-1", Some(Forward::Range)),
        ("GET", &long, "", Some(Forward::LongTarget)),
    ];
    for (method, uri, fields, expected) in cases {
        let forward = match on_request(&request(method, uri, fields)) {
            Lookup::Ask(_) => None,
            Lookup::Forward(reason) => Some(reason),
        };
        assert_eq!(forward, expected, "{method} {fields}");
    }
}

#[test]
fn terms_are_what_the_request_says() {
    assert_eq!(terms(""), Terms::default());
    assert!(terms("cache-control: no-cache").reload);
    assert!(terms("cache-control: only-if-cached").only_if_cached);
    assert_eq!(
        terms("cache-control: max-age=5, min-fresh=2").max_age_s,
        Some(5)
    );
    assert_eq!(
        terms("cache-control: max-age=5, min-fresh=2").min_fresh_s,
        Some(2)
    );
    assert!(terms("authorization: Basic eA==").authorized);
}

#[test]
fn what_is_not_stored_has_its_reason() {
    let cases = [
        (200, "", Refusal::NoLifetime, None),
        (200, "cache-control: no-store", Refusal::NoStore, TTL),
        (
            200,
            "cache-control: private, max-age=9",
            Refusal::Private,
            TTL,
        ),
        (200, "cache-control: no-cache", Refusal::NoCache, TTL),
        (
            200,
            "cache-control: no-cache=\"set-cookie\"",
            Refusal::NoCache,
            TTL,
        ),
        (200, "set-cookie: a=b", Refusal::SetCookie, TTL),
        (200, "vary: *", Refusal::VaryAll, TTL),
        (200, "vary: accept, *", Refusal::VaryAll, TTL),
        (200, "vary: a b", Refusal::VaryAll, TTL),
        (200, "content-range: bytes 0-1/2", Refusal::Partial, TTL),
        (
            200,
            "content-type: text/event-stream",
            Refusal::EventStream,
            TTL,
        ),
        (200, "cache-control: max-age=0", Refusal::Expired, TTL),
        (200, "cache-control: max-age=abc", Refusal::Expired, TTL),
        (
            200,
            "cache-control: max-age=9, s-maxage=0",
            Refusal::Expired,
            TTL,
        ),
        (200, "expires: 0", Refusal::Expired, TTL),
        (
            200,
            "expires: Sun, 06 Nov 1994 08:49:37 GMT",
            Refusal::Expired,
            TTL,
        ),
        (
            200,
            "cache-control: max-age=5; age: 5",
            Refusal::Expired,
            TTL,
        ),
        (200, "age: 10", Refusal::Expired, TTL),
        (
            200,
            "date: Sun, 06 Nov 1994 08:49:27 GMT",
            Refusal::Expired,
            TTL,
        ),
        (201, "", Refusal::Status, TTL),
        (206, "", Refusal::Status, TTL),
        (302, "cache-control: max-age=9", Refusal::Status, TTL),
        (304, "", Refusal::Status, TTL),
        (403, "", Refusal::Status, TTL),
        (500, "cache-control: max-age=9", Refusal::Status, TTL),
        (503, "", Refusal::Status, TTL),
    ];
    for (status, fields, refusal, default_ttl) in cases {
        let decision = on_response(
            Terms::default(),
            &response(status, fields),
            default_ttl,
            NOW_MS,
        );
        assert_eq!(decision, Storing::No(refusal), "{status} {fields}");
    }
}

#[test]
fn what_is_stored_lives_as_long_as_it_says_or_the_default() {
    // Milliseconds from now: when it was generated, when it ends.
    let cases = [
        (200, "", (0, 10_000)),
        (404, "", (0, 10_000)),
        (301, "", (0, 10_000)),
        (200, "cache-control: public", (0, 10_000)),
        (200, "cache-control: max-age=60", (0, 60_000)),
        (200, "cache-control: max-age=60, s-maxage=5", (0, 5_000)),
        (200, "cache-control: max-age=60; age: 50", (-50_000, 10_000)),
        (200, "age: 4", (-4_000, 6_000)),
        (200, "age: four", (0, 10_000)),
        (200, "expires: Sun, 06 Nov 1994 08:49:57 GMT", (0, 20_000)),
        (200, "cache-control: max-age=60; expires: 0", (0, 60_000)),
        (
            200,
            "date: Sun, 06 Nov 1994 08:49:27 GMT; expires: Sun, 06 Nov 1994 08:49:57 GMT",
            (-10_000, 20_000),
        ),
        (200, "date: Sun, 06 Nov 1994 08:49:37 GMT", (0, 10_000)),
        (200, "date: Sun, 06 Nov 1994 09:49:37 GMT", (0, 10_000)),
    ];
    for (status, fields, expected) in cases {
        let decision = on_response(Terms::default(), &response(status, fields), TTL, NOW_MS);
        let Storing::Store(lifetime) = decision else {
            panic!("{fields}: {decision:?}")
        };
        let from_now = |ms: u64| i64::try_from(ms).unwrap() - i64::try_from(NOW_MS).unwrap();
        assert_eq!(
            (
                from_now(lifetime.generated_ms),
                from_now(lifetime.expires_ms)
            ),
            expected,
            "{fields}"
        );
        let own = fields.contains("max-age") || fields.contains("expires");
        assert_eq!(lifetime.by_default, !own, "{fields}");
    }
}

#[test]
fn vary_names_are_sorted_and_stand_once() {
    let parts = response(200, "vary: Cookie, accept; vary: ACCEPT");
    let Storing::Store(lifetime) = on_response(Terms::default(), &parts, TTL, NOW_MS) else {
        panic!()
    };
    assert_eq!(lifetime.vary, ["accept", "cookie"]);
}

#[test]
fn an_answer_to_an_authorized_request_is_stored_only_with_leave() {
    let cases = [
        ("", false),
        ("cache-control: max-age=9", false),
        ("cache-control: public", true),
        ("cache-control: s-maxage=9", true),
        ("cache-control: must-revalidate", true),
    ];
    for (fields, stored) in cases {
        let decision = on_response(
            terms("authorization: x"),
            &response(200, fields),
            TTL,
            NOW_MS,
        );
        assert_eq!(matches!(decision, Storing::Store(_)), stored, "{fields}");
    }
}

#[test]
fn a_head_is_never_stored() {
    let Lookup::Ask(head) = on_request(&request("HEAD", "/", "")) else {
        panic!()
    };
    assert_eq!(
        on_response(head, &response(200, ""), TTL, NOW_MS),
        Storing::No(Refusal::Head)
    );
}

#[test]
fn a_stored_response_is_reused_on_the_requests_terms() {
    // Seven of its ten seconds are over.
    let entry = |fields: &str| Entry {
        generated_ms: NOW_MS - 7_000,
        expires_ms: NOW_MS + 3_000,
        status: StatusCode::OK,
        headers: response(200, fields).headers,
        body: Bytes::new(),
        vary: Vec::new(),
    };
    let fresh = Reuse::Fresh { age_s: 7, ttl_s: 3 };
    let cases = [
        ("", "", 0, fresh),
        ("", "", 2_999, Reuse::Fresh { age_s: 9, ttl_s: 0 }),
        ("", "", 3_000, Reuse::Stale),
        ("cache-control: no-cache", "", 0, Reuse::Request),
        ("cache-control: max-age=7", "", 0, fresh),
        ("cache-control: max-age=6", "", 0, Reuse::Request),
        ("cache-control: max-age=0", "", 0, Reuse::Request),
        ("cache-control: min-fresh=3", "", 0, fresh),
        ("cache-control: min-fresh=4", "", 0, Reuse::Request),
        ("cache-control: max-stale=60", "", 3_000, Reuse::Stale),
        ("authorization: x", "", 0, Reuse::Authorization),
        ("authorization: x", "cache-control: public", 0, fresh),
    ];
    for (asked, stored, later_ms, expected) in cases {
        let reuse = on_reuse(terms(asked), &entry(stored), NOW_MS + later_ms);
        assert_eq!(reuse, expected, "{asked} / {stored} / {later_ms}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_field_holds_a_decision_comes_out(
        name in proptest::sample::select(vec![
            "cache-control", "age", "expires", "date", "vary", "content-type", "authorization",
        ]),
        bytes in proptest::collection::vec(32..=255_u8, 0..60),
        now_ms: u64,
    ) {
        // DEL is the one byte of these that no field may hold.
        let bytes: Vec<u8> = bytes.into_iter().filter(|&byte| byte != 127).collect();
        let value = http::HeaderValue::from_bytes(&bytes).unwrap();
        let (mut asked, mut told) = (request("GET", "/", ""), response(200, ""));
        asked.headers.insert(name, value.clone());
        told.headers.insert(name, value);
        if let Lookup::Ask(terms) = on_request(&asked)
            && let Storing::Store(lifetime) = on_response(terms, &told, TTL, now_ms)
        {
            proptest::prop_assert!(lifetime.generated_ms <= now_ms && now_ms < lifetime.expires_ms);
        }
    }
}
