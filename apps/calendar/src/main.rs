//! The example service `calendar`: a fixed text and the date and time, cached for 60 seconds.

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
    Service::new("calendar", Duration::from_secs(60))
        .route(
            "/calendar",
            "a fixed text",
            get(async || Answer::text("calendar tells the date and time.")),
        )
        .route(
            "/calendar/time",
            "the date and time",
            get(async |headers: HeaderMap| time(&headers, Timestamp::now())),
        )
}

fn time(request: &HeaderMap, now: Timestamp) -> Answer {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let sentence = now
        .strftime("It is %A, %-d %B %Y, %H:%M:%S UTC.")
        .to_string();
    let json = json!({
        "service": "calendar",
        "date": now.strftime("%Y-%m-%d").to_string(),
        "weekday": now.strftime("%A").to_string(),
        "time": time,
    });
    Answer::text_or_json(request, &format!("{time}\n{sentence}"), &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_and_time_are_told_with_the_weekday() {
        let now: Timestamp = "2026-11-02T06:05:04Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        let text = time(&headers, now);
        assert_eq!(
            text.body(),
            "2026-11-02T06:05:04Z\nIt is Monday, 2 November 2026, 06:05:04 UTC.\n"
        );
        headers.insert("accept", "application/json".parse().unwrap());
        let json = time(&headers, now);
        let expected = "{\"service\":\"calendar\",\"date\":\"2026-11-02\",\"weekday\":\"Monday\",\
                        \"time\":\"2026-11-02T06:05:04Z\"}\n";
        assert_eq!(json.body(), expected);
    }
}
