//! Where a reader of CloudWatch logs stands, so that nothing is printed twice and nothing is left out.
//!
//! CloudWatch shows an event some seconds after it was written, and not always in order: an event can appear whose
//! time is before that of one already read. So each question reaches back over what was read, and what was read is
//! recognised by the event's id.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// How far back each question reaches: later than this after it was written, no event is expected to appear.
pub const REACH_BACK_MS: i64 = 60_000;

/// One event of a log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// CloudWatch's id.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: i64,
    /// The log stream: `prefix/container/task`.
    pub stream: String,
    /// Its text.
    pub text: String,
}

impl Event {
    /// The task that wrote it.
    pub fn task(&self) -> &str {
        self.stream.rsplit('/').next().unwrap_or(&self.stream)
    }

    /// When it was written.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// A reader's place in one log group.
#[derive(Debug, Clone)]
pub struct Place {
    since_ms: i64,
    newest_ms: i64,
    seen: BTreeMap<String, i64>,
}

impl Place {
    /// At a point in time; events before it are not wanted.
    pub fn at(since_ms: i64) -> Self {
        Self {
            since_ms,
            newest_ms: since_ms,
            seen: BTreeMap::new(),
        }
    }

    /// From when to ask next.
    pub fn ask_from_ms(&self) -> i64 {
        self.since_ms.max(self.newest_ms - REACH_BACK_MS)
    }

    /// Of an answer, what was not read before, oldest first. What is further back than any question will reach is
    /// forgotten.
    pub fn take(&mut self, answer: Vec<Event>) -> Vec<Event> {
        let mut new: Vec<Event> = answer
            .into_iter()
            .filter(|event| event.at_ms >= self.since_ms)
            .filter(|event| self.seen.insert(event.id.clone(), event.at_ms).is_none())
            .collect();
        new.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        if let Some(last) = new.last() {
            self.newest_ms = self.newest_ms.max(last.at_ms);
        }
        let from = self.ask_from_ms();
        self.seen.retain(|_, at_ms| *at_ms >= from);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, at_ms: i64) -> Event {
        Event {
            id: format!("{id:08}"),
            at_ms,
            stream: "clock/clock/0a1b".to_owned(),
            text: format!("line {id}"),
        }
    }

    /// A log group whose events become visible some time after they were written, in any order.
    fn play(mut random: fastrand::Rng, events: u64) {
        let mut written: Vec<(i64, Event)> = (0..events)
            .map(|id| {
                let at_ms = i64::try_from(id / 3).unwrap() * 700;
                (at_ms + random.i64(0..REACH_BACK_MS / 2), event(id, at_ms))
            })
            .collect();
        written.sort_by_key(|(visible, event)| (*visible, event.id.clone()));
        let end = written.last().unwrap().0;
        let mut place = Place::at(0);
        let mut read: Vec<String> = Vec::new();
        let mut now = 0;
        let mut last = false;
        while !last {
            last = now > end;
            let from = place.ask_from_ms();
            let answer = written
                .iter()
                .filter(|(visible, event)| *visible <= now && event.at_ms >= from)
                .map(|(_, event)| event.clone())
                .collect();
            read.extend(place.take(answer).into_iter().map(|event| event.id));
            now += random.i64(200..5_000);
        }
        let count = read.len();
        read.sort();
        read.dedup();
        assert_eq!(read.len(), count, "a line was read twice");
        assert_eq!(count as u64, events, "a line was left out");
    }

    #[test]
    fn no_line_is_left_out_or_read_twice_however_late_it_appears() {
        for seed in 0..200 {
            play(fastrand::Rng::with_seed(seed), 300);
        }
    }

    #[test]
    fn what_was_read_is_not_remembered_for_ever() {
        let mut place = Place::at(0);
        for id in 0..10_000_u64 {
            place.take(vec![event(id, i64::try_from(id).unwrap() * 1000)]);
        }
        assert!(place.seen.len() <= 62, "{}", place.seen.len());
    }

    #[test]
    fn what_was_before_the_beginning_is_not_wanted() {
        let mut place = Place::at(5_000);
        let read = place.take(vec![event(1, 4_999), event(2, 5_000)]);
        assert_eq!(read, [event(2, 5_000)]);
        assert_eq!(read[0].task(), "0a1b");
    }
}
