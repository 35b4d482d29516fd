//! Log groups in CloudWatch: what a group holds since a time, and the last lines of one task.

use super::error::{Error, Kind};
use super::session::Session;
use crate::stream::Event;

impl Session {
    /// All events of a group from `from_ms` on (until `until_ms`), page by page.
    ///
    /// # Errors
    /// AWS's no.
    pub async fn log_events(
        &self,
        group: &str,
        from_ms: i64,
        until_ms: Option<i64>,
        pattern: Option<&str>,
    ) -> Result<Vec<Event>, Error> {
        let client = self.logs();
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let answer = client
                .filter_log_events()
                .log_group_name(group)
                .start_time(from_ms.max(0))
                .set_end_time(until_ms)
                .set_filter_pattern(pattern.map(quoted))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::of("logs:FilterLogEvents", &error))?;
            events.extend(answer.events().iter().map(|event| {
                Event {
                    id: event.event_id().unwrap_or_default().to_owned(),
                    at_ms: event.timestamp().unwrap_or_default(),
                    stream: event.log_stream_name().unwrap_or_default().to_owned(),
                    text: event
                        .message()
                        .unwrap_or_default()
                        .trim_end_matches('\n')
                        .to_owned(),
                }
            }));
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(events);
            }
        }
    }

    /// The last `lines` lines of a log stream; none where it does not exist (a task that never started wrote nothing).
    ///
    /// # Errors
    /// AWS's no.
    pub async fn last_lines(
        &self,
        group: &str,
        stream: &str,
        lines: u32,
    ) -> Result<Vec<String>, Error> {
        let answer = self
            .logs()
            .get_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .start_from_head(false)
            .limit(i32::try_from(lines).unwrap_or(10))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .events()
                .iter()
                .filter_map(|event| event.message())
                .map(|text| text.trim_end_matches('\n').to_owned())
                .collect()),
            Err(error) => {
                let error = Error::of("logs:GetLogEvents", &error);
                if error.kind == Kind::NotFound {
                    Ok(Vec::new())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Is there such a group?
    ///
    /// # Errors
    /// AWS's no.
    pub async fn log_group_exists(&self, group: &str) -> Result<bool, Error> {
        let answer = self
            .logs()
            .describe_log_groups()
            .log_group_name_prefix(group)
            .send()
            .await
            .map_err(|error| Error::of("logs:DescribeLogGroups", &error))?;
        Ok(answer
            .log_groups()
            .iter()
            .any(|found| found.log_group_name() == Some(group)))
    }
}

/// The text as a term of CloudWatch's filter language: exactly this, wherever it stands.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
