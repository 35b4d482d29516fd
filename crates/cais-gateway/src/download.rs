//! The body of an answer on its way to the client: a task's, streamed and timed, or one of the gateway's own.
//! Its end ends the request: the record is written, the count falls, the connection returns to its pool.

use crate::core::Core;
use crate::guard::Wire;
use crate::pool::Connection;
use crate::record::Trace;
use crate::target::Lease;
use crate::upload::Upload;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Why an answer's body broke off; the client's connection ends with it, so that it is not taken for whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error("the task closed before the end of its answer")]
    Broken(#[source] hyper::Error),
    #[error("the task sent nothing of its answer for too long")]
    TimedOut,
}

/// Tells the connection that a request is over when it is dropped.
pub(crate) struct Ending(pub(crate) Rc<Wire>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// What hyper's server reads.
pub(crate) struct AnswerBody {
    source: Source,
    trace: Option<Trace>,
    /// Dropped last: the connection is quiet only when all else is settled.
    _ending: Ending,
}

enum Source {
    Own(Option<Bytes>),
    Task(Box<Download>),
}

/// A task's answer.
pub(crate) struct Download {
    pub(crate) core: Rc<Core>,
    pub(crate) incoming: Incoming,
    pub(crate) connection: Option<Connection>,
    pub(crate) lease: Option<Lease>,
    pub(crate) upload: Rc<Upload>,
    pub(crate) idle: Duration,
    pub(crate) timer: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    pub(crate) fn own(bytes: Bytes, trace: Option<Trace>, ending: Ending) -> Self {
        Self {
            source: Source::Own(Some(bytes)),
            trace,
            _ending: ending,
        }
        .settled()
    }

    pub(crate) fn task(download: Download, trace: Trace, ending: Ending) -> Self {
        Self {
            source: Source::Task(Box::new(download)),
            trace: Some(trace),
            _ending: ending,
        }
        .settled()
    }

    /// hyper does not read a body that says it is over.
    fn settled(mut self) -> Self {
        if self.is_end_stream() {
            self.end();
        }
        self
    }

    fn end(&mut self) {
        if let Some(mut trace) = self.trace.take() {
            trace.end();
        }
        if let Source::Task(download) = &mut self.source {
            download.end();
        }
    }

    fn fail(&mut self, error: &DownloadError) {
        if let Some(mut trace) = self.trace.take() {
            trace.broke(error.to_string());
        }
        if let Source::Task(download) = &mut self.source {
            download.connection = None;
            download.lease = None;
        }
    }
}

impl Download {
    fn end(&mut self) {
        // Before the count falls: at zero the supervisor may signal the task.
        if let Some(connection) = self.connection.take()
            && self.upload.finished().is_some()
            && self
                .lease
                .as_ref()
                .is_some_and(|lease| self.core.serves(lease.target().id))
        {
            self.core.pools.put(connection);
        }
        self.lease = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, DownloadError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.timer = None;
                Poll::Ready(frame.map(|frame| frame.map_err(DownloadError::Broken)))
            }
            Poll::Pending => {
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.idle)));
                timer
                    .as_mut()
                    .poll(cx)
                    .map(|()| Some(Err(DownloadError::TimedOut)))
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = DownloadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, DownloadError>>> {
        let this = self.get_mut();
        let polled = match &mut this.source {
            Source::Own(bytes) => Poll::Ready(
                bytes
                    .take()
                    .filter(|b| !b.is_empty())
                    .map(|b| Ok(Frame::data(b))),
            ),
            Source::Task(download) => download.poll(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(trace)) = (frame.data_ref(), &mut this.trace) {
                    trace.sent(data.len() as u64);
                }
                if this.is_end_stream() {
                    this.end();
                }
            }
            Poll::Ready(Some(Err(error))) => this.fail(error),
            Poll::Ready(None) => this.end(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Task(download) => download.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Task(download) => download.incoming.size_hint(),
        }
    }
}
