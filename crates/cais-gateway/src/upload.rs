//! The client's request body on its way to a task: streamed, timed, and still whole for another target as
//! long as nobody has read from it.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How long a task is waited for that was asked to say 100 (RFC 9110 section 10.1.1 asks not to wait for ever).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a request body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    /// Nothing came for the idle time.
    #[error("the client sent nothing of its body for too long")]
    TimedOut,
    /// The client left, or its framing is wrong.
    #[error("the client's body broke off or is not valid")]
    Broken,
}

/// A request's body and what became of it; shared by the attempts to send it.
#[derive(Debug)]
pub(crate) struct Upload {
    body: RefCell<Option<Incoming>>,
    begun: Cell<bool>,
    finished: Cell<Option<Instant>>,
    failed: Cell<Option<UploadError>>,
    idle: Cell<Duration>,
}

impl Upload {
    pub(crate) fn new(body: Incoming) -> Rc<Self> {
        let empty = body.is_end_stream();
        Rc::new(Self {
            body: RefCell::new((!empty).then_some(body)),
            begun: Cell::new(false),
            finished: Cell::new(empty.then(Instant::now)),
            failed: Cell::new(None),
            idle: Cell::new(Duration::from_secs(60)),
        })
    }

    /// Bytes of it may have left the gateway.
    pub(crate) fn begun(&self) -> bool {
        self.begun.get()
    }

    /// When its last byte was handed on; `None` before. An empty one is finished from the start.
    pub(crate) fn finished(&self) -> Option<Instant> {
        self.finished.get()
    }

    pub(crate) fn failed(&self) -> Option<UploadError> {
        self.failed.get()
    }

    /// Its length is known or it is empty, so that no chunked coding is needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.borrow().is_none()
    }

    /// The body for one attempt.
    pub(crate) fn body(self: &Rc<Self>, idle: Duration, go: Option<Arc<Go>>) -> UploadBody {
        self.idle.set(idle);
        UploadBody {
            upload: Rc::clone(self),
            timer: None,
            go,
        }
    }

    fn finish(&self) {
        if self.finished.get().is_none() {
            self.finished.set(Some(Instant::now()));
        }
    }
}

/// The task's 100 (Continue), which lets the body go.
#[derive(Debug, Default)]
pub(crate) struct Go {
    said: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Go {
    pub(crate) fn say(&self) {
        self.said.store(true, Ordering::Release);
        if let Some(waker) = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.said.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// What hyper's client reads.
#[derive(Debug)]
pub(crate) struct UploadBody {
    upload: Rc<Upload>,
    timer: Option<Pin<Box<Sleep>>>,
    go: Option<Arc<Go>>,
}

impl UploadBody {
    fn poll_timer(&mut self, cx: &mut Context<'_>, length: Duration) -> Poll<()> {
        self.timer
            .get_or_insert_with(|| Box::pin(sleep(length)))
            .as_mut()
            .poll(cx)
    }

    /// Waits for the task's 100, for as long as it is worth.
    fn poll_go(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(go) = &self.go else {
            return Poll::Ready(());
        };
        if go.poll(cx).is_pending() && self.poll_timer(cx, CONTINUE_TIMEOUT).is_pending() {
            return Poll::Pending;
        }
        self.go = None;
        self.timer = None;
        Poll::Ready(())
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        if this.poll_go(cx).is_pending() {
            return Poll::Pending;
        }
        let upload = Rc::clone(&this.upload);
        let mut body = upload.body.borrow_mut();
        let Some(incoming) = body.as_mut() else {
            upload.finish();
            return Poll::Ready(None);
        };
        upload.begun.set(true);
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.timer = None;
                if incoming.is_end_stream() {
                    upload.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                upload.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => {
                upload.failed.set(Some(UploadError::Broken));
                Poll::Ready(Some(Err(UploadError::Broken)))
            }
            Poll::Pending if this.poll_timer(cx, upload.idle.get()).is_ready() => {
                upload.failed.set(Some(UploadError::TimedOut));
                Poll::Ready(Some(Err(UploadError::TimedOut)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload
            .body
            .borrow()
            .as_ref()
            .is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.upload
            .body
            .borrow()
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}
