//! Turns responses into entries and entries into responses: which fields are kept, which are added,
//! how much of a body is taken in. Whether any of it may happen was decided before.

use crate::entry::Entry;
use crate::layer::ResponseBody;
use crate::policy::Lifetime;
use crate::status::CacheStatus;
use bytes::{Bytes, BytesMut};
use http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::collections::VecDeque;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

type BoxError = Box<dyn Error + Send + Sync>;

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Fields of one connection (RFC 9111 §3.1, RFC 9110 §7.6.1), and those that this cache writes anew.
const NOT_KEPT: [HeaderName; 10] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    AGE,
    CACHE_STATUS,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A body that was taken in up to a limit.
pub(crate) enum Collected<D> {
    /// All of it.
    Whole(Bytes),
    /// Too long, broken off or ended by trailers: what was taken, and the rest, in order.
    Rest(Resumed<D>),
}

/// Takes a body in, unless it is longer than `limit` bytes.
pub(crate) async fn collect<D>(headers: &HeaderMap, mut body: D, limit: usize) -> Collected<D>
where
    D: Body<Data = Bytes> + Unpin,
    D::Error: Into<BoxError>,
{
    let mut taken = VecDeque::new();
    let mut length = 0;
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Collected::Rest(Resumed { taken, rest: body });
    }
    while let Some(frame) = body.frame().await {
        let data = frame
            .as_ref()
            .ok()
            .and_then(Frame::data_ref)
            .map(Bytes::len);
        length += data.unwrap_or(0);
        taken.push_back(frame.map_err(Into::into));
        if data.is_none() || length > limit {
            return Collected::Rest(Resumed { taken, rest: body });
        }
    }
    // §3.3: a response shorter than it says is incomplete.
    let stated = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|stated| stated != length) {
        return Collected::Rest(Resumed { taken, rest: body });
    }
    let mut pieces = taken
        .into_iter()
        .filter_map(|frame| frame.ok()?.into_data().ok());
    let first = pieces.next().unwrap_or_default();
    if first.len() == length {
        return Collected::Whole(first);
    }
    let mut whole = BytesMut::with_capacity(length);
    whole.extend_from_slice(&first);
    pieces.for_each(|piece| whole.extend_from_slice(&piece));
    Collected::Whole(whole.freeze())
}

/// A body of which the beginning was taken already.
pub(crate) struct Resumed<D> {
    taken: VecDeque<Result<Frame<Bytes>, BoxError>>,
    rest: D,
}

impl<D> Body for Resumed<D>
where
    D: Body<Data = Bytes> + Unpin,
    D::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.taken.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest)
                .poll_frame(context)
                .map(|frame| frame.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken.is_empty() && self.rest.is_end_stream()
    }
}

/// Adds what a response that is going to be stored must say: its date, and the lifetime where the layer
/// gave it one.
pub(crate) fn complete(headers: &mut HeaderMap, lifetime: &Lifetime) {
    if !headers.contains_key(DATE) {
        let date =
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(lifetime.generated_ms));
        if let Ok(date) = HeaderValue::from_str(&date) {
            headers.insert(DATE, date);
        }
    }
    let seconds = (lifetime.expires_ms - lifetime.generated_ms) / 1000;
    if lifetime.by_default
        && seconds > 0
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={seconds}"))
    {
        headers.append(CACHE_CONTROL, value);
    }
}

/// The entry of a response.
pub(crate) fn entry(parts: &response::Parts, body: Bytes, lifetime: Lifetime) -> Entry {
    let mut headers = parts.headers.clone();
    for line in parts.headers.get_all(CONNECTION) {
        for name in line.to_str().unwrap_or_default().split(',') {
            headers.remove(name.trim());
        }
    }
    for name in NOT_KEPT {
        headers.remove(name);
    }
    Entry {
        generated_ms: lifetime.generated_ms,
        expires_ms: lifetime.expires_ms,
        status: parts.status,
        headers,
        body,
        vary: lifetime.vary,
    }
}

/// The response that an entry stands for.
pub(crate) fn from_entry(
    entry: &Entry,
    head: bool,
    age_s: u64,
    status: CacheStatus,
) -> Response<ResponseBody> {
    let body = if head {
        Bytes::new()
    } else {
        entry.body.clone()
    };
    let mut response = Response::new(boxed(Full::new(body)));
    *response.status_mut() = entry.status;
    *response.headers_mut() = entry.headers.clone();
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(age_s));
    // RFC 9110 §8.6: a 204 has no Content-Length.
    if entry.status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(entry.body.len()));
    }
    headers.insert(CACHE_STATUS, status.value());
    response
}

/// A response of the service, on its way.
pub(crate) fn passed<D>(
    parts: response::Parts,
    body: D,
    status: CacheStatus,
) -> Response<ResponseBody>
where
    D: Body<Data = Bytes> + Send + 'static,
    D::Error: Into<BoxError>,
{
    let mut response = Response::from_parts(parts, boxed(body));
    // RFC 9211 §2: a cache adds itself after those behind it.
    response.headers_mut().append(CACHE_STATUS, status.value());
    response
}

/// 503: the store is required and cannot be reached.
pub(crate) fn refused(reason: Option<String>) -> Response<ResponseBody> {
    let reason = reason.unwrap_or_else(|| "the cache cannot be reached".to_owned());
    let mut response = sentence(
        StatusCode::SERVICE_UNAVAILABLE,
        &reason,
        CacheStatus::Refused,
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// 504: the request wanted a stored response and there is none (RFC 9111 §5.2.1.7).
pub(crate) fn only_if_cached() -> Response<ResponseBody> {
    let text = "nothing is stored for this request, and it asks for nothing else";
    sentence(StatusCode::GATEWAY_TIMEOUT, text, CacheStatus::OnlyIfCached)
}

fn sentence(code: StatusCode, text: &str, status: CacheStatus) -> Response<ResponseBody> {
    let mut response = Response::new(boxed(Full::new(Bytes::from(format!("{text}\n")))));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CACHE_STATUS, status.value());
    response
}

fn boxed<D>(body: D) -> ResponseBody
where
    D: Body<Data = Bytes> + Send + 'static,
    D::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}
