//! Follows one request from its head to the end of its answer and leaves a [`RequestRecord`]; a bounded
//! buffer per core keeps them until the control thread takes them.

use crate::protocol::RequestRecord;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Records that one core keeps; at 40,000 requests a second that is the time between two batches.
const KEPT_PER_CORE: usize = 16_384;
/// The status of a request whose client left before there was one.
const CLIENT_LEFT: u16 = 499;

/// A core's finished requests.
#[derive(Debug, Default)]
pub(crate) struct Records {
    finished: RefCell<VecDeque<RequestRecord>>,
    dropped: Cell<u64>,
    pub(crate) some: Notify,
}

impl Records {
    pub(crate) fn push(&self, record: RequestRecord) {
        let mut finished = self.finished.borrow_mut();
        if finished.len() >= KEPT_PER_CORE {
            finished.pop_front();
            self.dropped.set(self.dropped.get() + 1);
        }
        finished.push_back(record);
        if finished.len() == 1 {
            self.some.notify_one();
        }
    }

    /// All of them, oldest first, and how many were dropped since the last time.
    pub(crate) fn take(&self) -> (VecDeque<RequestRecord>, u64) {
        (self.finished.take(), self.dropped.take())
    }
}

/// A request on its way. Dropping it is its end.
#[derive(Debug)]
pub(crate) struct Trace {
    records: Rc<Records>,
    record: RequestRecord,
    started: Instant,
    /// How it ended is known; otherwise the client is gone.
    whole: bool,
}

impl Trace {
    /// Begins with the request's head.
    pub(crate) fn begin(records: &Rc<Records>, method: &str, path: &str) -> Self {
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            records: Rc::clone(records),
            record: RequestRecord {
                at_ms: at.as_millis() as u64,
                service: None,
                task: None,
                revision: None,
                method: method.to_owned(),
                path: path.to_owned(),
                status: CLIENT_LEFT,
                detail: None,
                duration_us: 0,
                upstream_us: None,
                bytes_out: 0,
                retries: 0,
            },
            started: Instant::now(),
            whole: false,
        }
    }

    pub(crate) fn service(&mut self, service: &str) {
        if self.record.service.as_deref() != Some(service) {
            self.record.service = Some(service.to_owned());
        }
    }

    /// This task answered.
    pub(crate) fn answered_by(&mut self, task: u64, revision: u32, upstream: std::time::Duration) {
        self.record.task = Some(task);
        self.record.revision = Some(revision);
        self.record.upstream_us = Some(upstream.as_micros() as u64);
    }

    /// The head that goes to the client.
    pub(crate) fn status(&mut self, status: u16) {
        self.record.status = status;
    }

    /// Why the answer is not an ordinary one; the first reason stays, later ones are joined.
    pub(crate) fn detail(&mut self, detail: impl AsRef<str>) {
        match &mut self.record.detail {
            Some(before) if before.contains(detail.as_ref()) => {}
            Some(before) => {
                before.push_str("; ");
                before.push_str(detail.as_ref());
            }
            none => *none = Some(detail.as_ref().to_owned()),
        }
    }

    pub(crate) fn retried(&mut self) {
        self.record.retries += 1;
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        self.record.bytes_out += bytes;
    }

    /// The answer is over, as far as the gateway can see.
    pub(crate) fn end(&mut self) {
        self.whole = true;
    }

    /// The answer ended too early, and not by the client's doing.
    pub(crate) fn broke(&mut self, detail: impl AsRef<str>) {
        self.detail(detail);
        self.whole = true;
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if !self.whole {
            self.record.status = CLIENT_LEFT;
            self.detail("the client left before the end of the answer");
        }
        self.record.duration_us = self.started.elapsed().as_micros() as u64;
        self.records.push(std::mem::take(&mut self.record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: impl FnOnce(Trace), status: u16, detail: Option<&str>) {
        let records = Rc::<Records>::default();
        request(Trace::begin(&records, "GET", "/"));
        let (taken, _) = records.take();
        assert_eq!(
            (taken[0].status, taken[0].detail.as_deref()),
            (status, detail)
        );
    }

    #[test]
    fn a_record_says_how_the_request_ended() {
        const LEFT: &str = "the client left before the end of the answer";
        check(drop, 499, Some(LEFT));
        check(|mut trace| trace.status(200), 499, Some(LEFT));
        check(
            |mut trace| {
                trace.status(200);
                trace.end();
            },
            200,
            None,
        );
        check(
            |mut trace| {
                trace.detail("task 1: connect failed");
                trace.status(200);
            },
            499,
            Some("task 1: connect failed; the client left before the end of the answer"),
        );
        check(
            |mut trace| {
                trace.status(200);
                trace.broke("the task closed");
            },
            200,
            Some("the task closed"),
        );
    }

    #[test]
    fn the_oldest_records_give_way_and_are_counted() {
        let records = Rc::<Records>::default();
        for path in 0..KEPT_PER_CORE + 3 {
            Trace::begin(&records, "GET", &path.to_string()).end();
        }
        let (taken, dropped) = records.take();
        assert_eq!(
            (taken.len(), dropped, taken[0].path.as_str()),
            (KEPT_PER_CORE, 3, "3")
        );
        assert_eq!(records.take(), (VecDeque::new(), 0));
    }
}
