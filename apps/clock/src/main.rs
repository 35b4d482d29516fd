//! The example service `clock`: a fixed text and the server's time, cached for 10 seconds.

use axum::routing::get;
use common::{Answer, Service};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    common::run(service())
}

fn service() -> Service {
    Service::new("clock", Duration::from_secs(10))
        .route(
            "/clock",
            "a fixed text",
            get(async || Answer::text("clock tells the server's time.")),
        )
        .route(
            "/clock/time",
            "the server's time",
            get(async |headers: HeaderMap| time(&headers, Timestamp::now())),
        )
}

fn time(request: &HeaderMap, now: Timestamp) -> Answer {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let sentence = now
        .strftime("The server's clock shows %H:%M:%S UTC.")
        .to_string();
    let json = json!({ "service": "clock", "time": time });
    Answer::text_or_json(request, &format!("{time}\n{sentence}"), &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_utc_with_seconds() {
        let now: Timestamp = "2026-11-22T06:05:04.999Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        let text = time(&headers, now);
        assert_eq!(
            text.body(),
            "2026-11-22T06:05:04Z\nThe server's clock shows 06:05:04 UTC.\n"
        );
        headers.insert("accept", "application/json".parse().unwrap());
        let json = time(&headers, now);
        assert_eq!(
            json.body(),
            "{\"service\":\"clock\",\"time\":\"2026-11-22T06:05:04Z\"}\n"
        );
    }
}
