//! What the test app answers.

use super::Settings;
use crate::payload;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Between two pieces of a paced answer.
const STEP: Duration = Duration::from_millis(100);
/// More is not answered.
const MOST_SECONDS: f64 = 600.0;
const MOST_BYTES: usize = 64 << 20;

type Body = Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = Infallible> + Send>>;

/// What requests share.
#[derive(Debug)]
pub(super) struct State {
    settings: Arc<Settings>,
    probes: AtomicU32,
    pid: u32,
}

impl State {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            probes: AtomicU32::new(0),
            pid: std::process::id(),
        }
    }
}

pub(super) async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut response = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => text(
            StatusCode::OK,
            format!("n={}\n", parameter(&query, "n").unwrap_or_default()),
        ),
        (&Method::GET, "/healthz" | "/readyz") => health(&state),
        (&Method::POST, "/post") => post(request).await,
        (&Method::GET, "/stream") => streamed(&query),
        (&Method::GET, "/download") => download(&query),
        (&Method::GET, "/ws") => websocket(request),
        _ => text(StatusCode::NOT_FOUND, "no such page\n".to_owned()),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-task", state.settings.task.clone()),
        ("x-revision", state.settings.revision.clone()),
        ("x-pid", state.pid.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

fn health(state: &State) -> Response<Body> {
    if state.settings.never_healthy {
        let sentence = "the database migration has not run: table `orders` is missing\n";
        return text(StatusCode::INTERNAL_SERVER_ERROR, sentence.to_owned());
    }
    let flap = state.settings.flap;
    let probe = state.probes.fetch_add(1, Ordering::Relaxed);
    if flap > 0 && probe / flap % 2 == 1 {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a dependency comes and goes\n".to_owned(),
        );
    }
    text(StatusCode::OK, "ok\n".to_owned())
}

async fn post(request: Request<Incoming>) -> Response<Body> {
    let mut body = request.into_body();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => seen.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(_) => return text(StatusCode::BAD_REQUEST, "the body broke off\n".to_owned()),
        }
        if seen.len() > MOST_BYTES {
            return text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too long\n".to_owned(),
            );
        }
    }
    text(
        StatusCode::OK,
        format!("{} {}\n", seen.len(), payload::digest(&seen)),
    )
}

fn streamed(query: &str) -> Response<Body> {
    Response::new(paced(seconds(query), 20_000))
}

fn download(query: &str) -> Response<Body> {
    let bytes: Option<usize> = parameter(query, "bytes").and_then(|bytes| bytes.parse().ok());
    let bytes = bytes.unwrap_or(100_000).min(MOST_BYTES);
    let mut response = Response::new(paced(seconds(query), bytes));
    let length = HeaderValue::from(bytes + payload::DIGEST_CHARS);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

/// `bytes` spread over `time`, then their digest.
fn paced(time: Duration, bytes: usize) -> Body {
    let steps = usize::try_from(time.as_millis() / STEP.as_millis())
        .unwrap_or(0)
        .max(1);
    let size = bytes.div_ceil(steps).max(1);
    let began = Instant::now();
    let pieces = stream::unfold(
        (0, Some(blake3::Hasher::new())),
        move |(sent, hasher)| async move {
            let mut hasher = hasher?;
            if sent >= bytes {
                tokio::time::sleep_until(began + time).await;
                let digest = Bytes::from(hasher.finalize().to_hex().to_string());
                return Some((digest, (sent, None)));
            }
            tokio::time::sleep_until(began + STEP * u32::try_from(sent / size).unwrap_or(u32::MAX))
                .await;
            let piece = payload::piece(sent, size.min(bytes - sent));
            hasher.update(&piece);
            let sent = sent + piece.len();
            Some((piece, (sent, Some(hasher))))
        },
    );
    Box::pin(StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))))
}

fn websocket(mut request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return text(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket\n".to_owned(),
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            echo(
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await,
            )
            .await;
        }
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, String::new());
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn echo(mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Box::pin(Full::new(Bytes::from(text))) as Body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn seconds(query: &str) -> Duration {
    let seconds = parameter(query, "seconds").and_then(|seconds| seconds.parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite()).unwrap_or(1.0);
    Duration::from_secs_f64(seconds.clamp(0.0, MOST_SECONDS))
}
