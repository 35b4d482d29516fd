//! An answer in the form that the client asks for: text for people, JSON for programs.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// What a handler says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    content_type: &'static str,
    body: String,
    varies: bool,
}

impl Answer {
    /// Lines of text, whatever the client asks for.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8",
            body: format!("{text}\n"),
            varies: false,
        }
    }

    /// `json` where the request's `Accept` names `application/json`, `text` otherwise; says `Vary: Accept`.
    #[must_use]
    pub fn text_or_json(request: &HeaderMap, text: &str, json: &Value) -> Self {
        if prefers_json(request) {
            return Self {
                content_type: "application/json",
                body: format!("{json}\n"),
                varies: true,
            };
        }
        Self {
            varies: true,
            ..Self::text(text)
        }
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = ([(CONTENT_TYPE, self.content_type)], self.body).into_response();
        if self.varies {
            response
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("Accept"));
        }
        response
    }
}

fn prefers_json(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let json = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
        // RFC 9110 §12.4.2: a weight of 0 means "not acceptable".
        json && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_given_to_those_who_name_it() {
        let cases = [
            (None, false),
            (Some("*/*"), false),
            (Some("text/plain"), false),
            (Some("application/json"), true),
            (Some("text/html, Application/JSON;q=0.5"), true),
            (Some("application/json;q=0, text/plain"), false),
            (Some("application/jsonp"), false),
        ];
        for (accept, json) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            let answer = Answer::text_or_json(&headers, "text", &Value::Null);
            assert_eq!(
                answer.body(),
                if json { "null\n" } else { "text\n" },
                "{accept:?}"
            );
            assert_eq!(answer.into_response().headers()[VARY], "Accept");
        }
    }
}
