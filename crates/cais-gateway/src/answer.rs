//! Answers that the gateway gives by itself: a sentence that says what, as JSON or a small page, never cached.

use crate::headers::X_REQUEST_ID;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// One sentence for people.
    pub(crate) sentence: String,
    /// A lowercase fragment for the record.
    pub(crate) detail: String,
    /// The connection ends with this answer.
    pub(crate) close: bool,
}

impl Refused {
    pub(crate) fn new(
        status: StatusCode,
        sentence: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            sentence: sentence.into(),
            detail: detail.into(),
            close: false,
        }
    }

    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The answer in the form that the client prefers.
    pub(crate) fn response(&self, request: &HeaderMap, id: &HeaderValue) -> Response<Bytes> {
        let id_text = id.to_str().unwrap_or_default();
        let (kind, body) = match prefers_html(request) {
            true => ("text/html; charset=utf-8", self.page(id_text)),
            false => ("application/json", self.json(id_text)),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_REQUEST_ID, id.clone());
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The same as bytes, for a connection that hyper is no longer asked about.
    pub(crate) fn raw(&self, id: &HeaderValue) -> Vec<u8> {
        let body = self.json(id.to_str().unwrap_or_default());
        let reason = self.status.canonical_reason().unwrap_or_default();
        format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncache-control: no-store\r\nx-request-id: {}\r\n\
             date: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.status.as_u16(),
            id.to_str().unwrap_or_default(),
            httpdate::fmt_http_date(std::time::SystemTime::now()),
            body.len(),
        )
        .into_bytes()
    }

    fn json(&self, id: &str) -> String {
        let value = serde_json::json!({
            "status": self.status.as_u16(),
            "error": self.status.canonical_reason().unwrap_or_default(),
            "message": self.sentence,
            "request_id": id,
        });
        format!("{value}\n")
    }

    fn page(&self, id: &str) -> String {
        let title = format!(
            "{} {}",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default()
        );
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto 0;padding:0 1.5rem;\
             color:#1c2733;background:#fff}}h1{{font-size:1.4rem;margin:0 0 .5rem}}p{{margin:0 0 1rem}}\
             small{{color:#5b6875;word-break:break-all}}@media(prefers-color-scheme:dark)\
             {{body{{color:#e6ebf0;background:#11181f}}small{{color:#9aa7b4}}}}</style>\n</head>\n<body>\n\
             <h1>{title}</h1>\n<p>{}</p>\n<small>Request {}</small>\n</body>\n</html>\n",
            escape(&self.sentence),
            escape(id),
        )
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// HTML has to be asked for by name and with more weight than JSON (RFC 9110 section 12.5.1): programs that
/// send `*/*` or nothing get JSON.
fn prefers_html(request: &HeaderMap) -> bool {
    let (mut html, mut json, mut json_named) = (0.0_f32, 0.0_f32, false);
    for value in request.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let weight = weight.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
            match kind.as_str() {
                "text/html" | "application/xhtml+xml" | "text/*" => html = html.max(weight),
                "application/json" => {
                    json_named = true;
                    json = weight;
                }
                "application/*" | "*/*" if !json_named => json = json.max(weight),
                _ => {}
            }
        }
    }
    html > 0.0 && (html > json || (html == json && !json_named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_between_page_and_json() {
        for (accept, html) in [
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("text/html", true),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("text/html;q=0.5, application/json", false),
            ("text/html;q=0.5, application/json;q=0.4", true),
            ("text/html;q=0", false),
            ("application/json, text/html", false),
            ("text/html, */*", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(prefers_html(&headers), html, "{accept}");
        }
    }

    #[test]
    fn an_answer_says_what_is_never_cached_and_names_the_request() {
        let refused = Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "No task of <web> is ready.",
            "no target",
        );
        let id = HeaderValue::from_static("abc");
        let json = refused.response(&HeaderMap::new(), &id);
        assert_eq!(json.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(json.headers()[header::RETRY_AFTER], "1");
        let body: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
        assert_eq!(body["message"], "No task of <web> is ready.");
        assert_eq!(body["request_id"], "abc");

        let mut browser = HeaderMap::new();
        browser.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        let page = refused.response(&browser, &id);
        let text = std::str::from_utf8(page.body()).unwrap();
        assert!(text.contains("No task of &lt;web&gt; is ready."), "{text}");
    }
}
