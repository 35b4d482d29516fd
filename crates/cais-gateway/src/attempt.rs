//! One try to get an answer from one target, and what its failure means: whose fault it is, whether the
//! request may go to another target (any method when no byte of the request was sent, safe ones when no byte of an answer came), and what the client is told if not.

use crate::answer::Refused;
use crate::core::Core;
use crate::pool::Connection;
use crate::table::Timeouts;
use crate::target::Lease;
use crate::upload::{Go, Upload, UploadBody, UploadError};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// It says how long its body is.
    pub(crate) has_length: bool,
    /// It asks to leave HTTP.
    pub(crate) upgrade: bool,
    /// It waits for a 100 before its body.
    pub(crate) expects: bool,
}

/// A target that was chosen and counted.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) lease: Lease,
    pub(crate) address: SocketAddr,
    pub(crate) revision: u32,
    pub(crate) timeouts: Timeouts,
    pub(crate) service: Arc<str>,
}

/// A target's answer, as far as its head.
pub(crate) struct Exchange {
    pub(crate) response: Response<Incoming>,
    pub(crate) connection: Connection,
    /// From sending to the head.
    pub(crate) waited: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection was established.
    Connect(io::Error),
    /// The connection ended before a byte of the request was written.
    Unsent,
    /// The connection ended after some of the request, before a byte of the answer.
    NoAnswer { reused: bool },
    /// The connection ended within the answer's head, or that head is not HTTP.
    BadAnswer(String),
    /// No head came in time.
    TimedOut,
    /// The client's body failed.
    Upload(UploadError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "connect failed: {error}"),
            Self::Unsent => f.write_str("connection closed before the request"),
            Self::NoAnswer { .. } => f.write_str("connection closed before the answer"),
            Self::BadAnswer(why) => write!(f, "the answer is not valid: {why}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Upload(error) => error.fmt(f),
        }
    }
}

impl Failure {
    /// Any method when nothing was sent; a safe one when no byte of the answer came. Never once the
    /// request's body has been read from: it is not kept.
    pub(crate) fn may_retry(&self, method: &Method, upload: &Upload) -> bool {
        !upload.begun()
            && match self {
                Self::Connect(_) | Self::Unsent => true,
                Self::NoAnswer { .. } => is_safe(method),
                Self::BadAnswer(_) | Self::TimedOut | Self::Upload(_) => false,
            }
    }

    /// Counts against the target.
    pub(crate) fn is_the_targets(&self) -> bool {
        match self {
            Self::Connect(_) | Self::BadAnswer(_) => true,
            // An old connection that was closed says nothing about the task.
            Self::NoAnswer { reused } => !reused,
            Self::Unsent | Self::TimedOut | Self::Upload(_) => false,
        }
    }

    pub(crate) fn on_reused_connection(&self) -> bool {
        matches!(self, Self::Unsent | Self::NoAnswer { reused: true })
    }

    /// What the client is told.
    pub(crate) fn refused(&self, service: &str) -> Refused {
        let (status, sentence) = match self {
            Self::Connect(_) => (
                StatusCode::BAD_GATEWAY,
                format!("The task of {service} could not be reached."),
            ),
            Self::Unsent | Self::NoAnswer { .. } => (
                StatusCode::BAD_GATEWAY,
                format!("The task of {service} closed the connection before it answered."),
            ),
            Self::BadAnswer(_) => (
                StatusCode::BAD_GATEWAY,
                format!("The task of {service} gave an answer that is not valid HTTP."),
            ),
            Self::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                format!("The task of {service} did not answer in time."),
            ),
            Self::Upload(UploadError::TimedOut) => (
                StatusCode::REQUEST_TIMEOUT,
                "The request's body did not arrive in time.".to_owned(),
            ),
            Self::Upload(UploadError::Broken) => (
                StatusCode::BAD_REQUEST,
                "The request's body is not valid or broke off.".to_owned(),
            ),
        };
        let refused = Refused::new(status, sentence, self.to_string());
        if matches!(self, Self::Upload(_)) {
            refused.closing()
        } else {
            refused
        }
    }
}

/// RFC 9110 section 9.2.1, without TRACE.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Sends the request to the target and waits for the head of its answer. On a failure that allows another
/// attempt, `outgoing` is whole again.
pub(crate) async fn attempt(
    core: &Core,
    picked: &Picked,
    outgoing: &mut Outgoing,
    upload: &Rc<Upload>,
    fresh: bool,
) -> Result<Exchange, Failure> {
    let fresh = fresh || outgoing.upgrade;
    let mut connection = connect(core, picked, fresh).await?;
    let request = outgoing.request(upload, picked.timeouts.idle);
    let before = connection.reading();
    let started = Instant::now();
    let sending = connection.sender.try_send_request(request);
    let Some(result) = in_time(sending, upload, picked.timeouts.answer).await else {
        return Err(Failure::TimedOut);
    };
    let mut error = match result {
        Ok(response) => {
            check(&response, outgoing)?;
            return Ok(Exchange {
                response,
                connection,
                waited: started.elapsed(),
            });
        }
        Err(error) => error,
    };
    if let Some(unsent) = error.take_message() {
        outgoing.headers = unsent.into_parts().0.headers;
    }
    let after = connection.reading();
    Err(match upload.failed() {
        Some(error) => Failure::Upload(error),
        None if after.read > before.read => Failure::BadAnswer(error.into_error().to_string()),
        None if after.written > before.written => Failure::NoAnswer {
            reused: connection.reused,
        },
        None => Failure::Unsent,
    })
}

async fn connect(core: &Core, picked: &Picked, fresh: bool) -> Result<Connection, Failure> {
    let target = picked.lease.target().id;
    if !fresh && let Some(connection) = core.pools.take(target, picked.address).await {
        return Ok(connection);
    }
    Connection::open(target, picked.address, picked.timeouts.connect)
        .await
        .map_err(Failure::Connect)
}

/// `None` when the head has not come within `limit` after the request's last byte.
async fn in_time<F: Future>(sending: F, upload: &Upload, limit: Duration) -> Option<F::Output> {
    let mut sending = pin!(sending);
    let mut timer = pin!(sleep(limit));
    poll_fn(|cx| {
        if let Poll::Ready(output) = sending.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            // While the body is still on its way its own timer watches it.
            let due = upload
                .finished()
                .map_or(now + limit, |finished| finished + limit);
            if due <= now {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    })
    .await
}

/// What hyper lets through and a gateway must not (RFC 9112 section 6.3).
fn check(response: &Response<Incoming>, outgoing: &Outgoing) -> Result<(), Failure> {
    let headers = response.headers();
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !outgoing.upgrade {
        return Err(Failure::BadAnswer(
            "an upgrade that nobody asked for".to_owned(),
        ));
    }
    if headers.contains_key(header::TRANSFER_ENCODING)
        && headers.contains_key(header::CONTENT_LENGTH)
    {
        return Err(Failure::BadAnswer(
            "Content-Length and Transfer-Encoding stand together".to_owned(),
        ));
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(Failure::BadAnswer("Content-Length is repeated".to_owned()));
    }
    Ok(())
}

impl Outgoing {
    fn request(&mut self, upload: &Rc<Upload>, idle: Duration) -> Request<UploadBody> {
        // Only a request that may be needed again after it was written is copied.
        let mut headers = if is_safe(&self.method) {
            self.headers.clone()
        } else {
            std::mem::take(&mut self.headers)
        };
        if !upload.is_empty() && !self.has_length {
            // hyper takes a GET or HEAD to have no body unless it is told.
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
        }
        let go = (self.expects && !upload.is_empty()).then(Arc::<Go>::default);
        let mut request = Request::new(upload.body(idle, go.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        if let Some(go) = go {
            hyper::ext::on_informational(&mut request, move |informational| {
                if informational.status() == StatusCode::CONTINUE {
                    go.say();
                }
            });
        }
        request
    }
}
