//! What one HTTP request gets: routed, balanced, sent, tried again where that is safe, and answered.
//! Connections, bodies and timers are kept elsewhere; this file is the order in which they are asked.

use crate::answer::Refused;
use crate::attempt::{Exchange, Outgoing, Picked, attempt};
use crate::core::Core;
use crate::download::{AnswerBody, Download, Ending};
use crate::framing::{MAX_TARGET_BYTES, Refusal};
use crate::guard::Wire;
use crate::headers;
use crate::record::Trace;
use crate::route::{self, Listener};
use crate::target::Lease;
use crate::tunnel::PendingTunnel;
use crate::upload::Upload;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Targets that one request is sent to at most.
const MAX_ATTEMPTS: u32 = 4;

/// The client's side of a connection.
pub(crate) struct Client {
    pub(crate) core: Rc<Core>,
    /// The address it connected to, as the table names it.
    pub(crate) listener: SocketAddr,
    pub(crate) address: HeaderValue,
    pub(crate) wire: Rc<Wire>,
    pub(crate) http2: bool,
}

/// Answers one request; there is always an answer. `ending` tells the connection when it is over.
pub(crate) async fn serve(
    client: Rc<Client>,
    request: Request<Incoming>,
    ending: Ending,
) -> Response<AnswerBody> {
    let (mut parts, body) = request.into_parts();
    let mut trace = Trace::begin(
        &client.core.records,
        parts.method.as_str(),
        parts.uri.path(),
    );
    let accept = parts.headers.get(header::ACCEPT).cloned();
    let authority = match authority(&client, &mut parts) {
        Ok(authority) => authority,
        Err(refused) => {
            return own_answer(
                &client,
                &refused,
                accept,
                &headers::new_request_id(),
                trace,
                ending,
            );
        }
    };
    let upgrade = if client.http2 {
        None
    } else {
        headers::upgrade_wanted(&parts.headers)
    };
    let (outgoing, id) = prepare(&client, parts, &authority, upgrade);
    let upload = Upload::new(body);
    let response = match forward(
        &client,
        outgoing,
        authority.to_str().unwrap_or_default(),
        &upload,
        &mut trace,
    )
    .await
    {
        Ok((picked, exchange)) => task_answer(&client, picked, exchange, upload, trace, ending),
        // What is left of the body would have to be read before the next request.
        Err(refused) if upload.finished().is_none() => {
            own_answer(&client, &refused.closing(), accept, &id, trace, ending)
        }
        Err(refused) => own_answer(&client, &refused, accept, &id, trace, ending),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS && !client.http2 {
        client.wire.stay_http();
    }
    response
}

/// What the guard refused, as an answer.
pub(crate) fn refused(refusal: Refusal) -> Refused {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let sentence = format!("This request cannot be served: {}.", refusal.reason());
    Refused::new(status, sentence, refusal.reason())
}

/// Whom the request is for: the target's authority before Host (RFC 9112 section 3.2.2, RFC 9113 section
/// 8.3.1). Host says the same afterwards.
fn authority(client: &Client, parts: &mut Parts) -> Result<HeaderValue, Refused> {
    check_target(parts)?;
    let from_target = parts
        .uri
        .authority()
        .map(|authority| HeaderValue::from_str(authority.as_str()));
    let authority = match (from_target, parts.headers.get(header::HOST)) {
        (Some(authority), _) => authority.ok(),
        (None, Some(host)) => return Ok(host.clone()),
        (None, None) if client.http2 => return Err(refused(Refusal::HostMissing)),
        // HTTP/1.0 may leave it out (the guard has seen to HTTP/1.1): then it is what the client connected to.
        (None, None) => HeaderValue::try_from(client.listener.to_string()).ok(),
    };
    let authority = authority.ok_or_else(|| refused(Refusal::HostInvalid).closing())?;
    parts.headers.insert(header::HOST, authority.clone());
    Ok(authority)
}

/// Refuses what is neither a path nor an absolute http URI, nor `*` of OPTIONS (RFC 9112 section 3.2).
fn check_target(parts: &Parts) -> Result<(), Refused> {
    if parts.method == Method::CONNECT {
        let sentence = "This gateway does not open tunnels with CONNECT.";
        return Err(Refused::new(
            StatusCode::NOT_IMPLEMENTED,
            sentence,
            "CONNECT is not served",
        )
        .closing());
    }
    let uri = &parts.uri;
    let known_form = match (uri.scheme_str(), uri.authority()) {
        (None, None) => {
            uri.path().starts_with('/') || (uri.path() == "*" && parts.method == Method::OPTIONS)
        }
        (Some("http" | "https"), Some(authority)) => !authority.as_str().contains('@'),
        _ => false,
    };
    // HTTP/2 has no guard that has looked at each byte.
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if known_form
        && target.len() <= MAX_TARGET_BYTES
        && target.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Ok(());
    }
    Err(refused(Refusal::Target).closing())
}

/// The request as it leaves the gateway, and its id.
fn prepare(
    client: &Client,
    parts: Parts,
    authority: &HeaderValue,
    upgrade: Option<HeaderValue>,
) -> (Outgoing, HeaderValue) {
    let Parts {
        method,
        uri,
        mut headers,
        ..
    } = parts;
    let trailers = headers::accepts_trailers(&headers);
    let has_length = headers.contains_key(header::CONTENT_LENGTH);
    headers::strip_hop_by_hop(&mut headers);
    let id = headers::describe_client(&mut headers, &client.address, authority);
    if client.http2 {
        headers::join_cookies(&mut headers);
    }
    let mut options: Vec<&str> = Vec::new();
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        options.push("te");
    }
    if let Some(protocol) = &upgrade {
        headers.insert(header::UPGRADE, protocol.clone());
        options.push("upgrade");
    }
    if !options.is_empty()
        && let Ok(options) = HeaderValue::try_from(options.join(", "))
    {
        headers.insert(header::CONNECTION, options);
    }
    let expects = headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    // In origin form, byte for byte as the client wrote it.
    let target = uri
        .path_and_query()
        .cloned()
        .unwrap_or(PathAndQuery::from_static("/"));
    let outgoing = Outgoing {
        method,
        uri: Uri::from(target),
        headers,
        has_length,
        upgrade: upgrade.is_some(),
        expects,
    };
    (outgoing, id)
}

async fn forward(
    client: &Client,
    mut outgoing: Outgoing,
    authority: &str,
    upload: &Rc<Upload>,
    trace: &mut Trace,
) -> Result<(Picked, Exchange), Refused> {
    let mut tried = Vec::new();
    let mut last: Option<Refused> = None;
    let mut again_afresh = false;
    for attempts in 1.. {
        let picked = match pick(client, authority, outgoing.uri.path(), &tried, trace) {
            Ok(picked) => picked,
            Err(_) if again_afresh => {
                // Nobody else is left, and the failure may have been an old connection's: once more, on a new one.
                again_afresh = false;
                tried.clear();
                continue;
            }
            Err(refused) => return Err(last.unwrap_or(refused)),
        };
        let failure =
            match attempt(&client.core, &picked, &mut outgoing, upload, attempts > 1).await {
                Ok(exchange) => {
                    picked.lease.target().standing.succeeded();
                    return Ok((picked, exchange));
                }
                Err(failure) => failure,
            };
        if failure.is_the_targets() {
            client.core.target_failed(picked.lease.target());
        }
        let retry = failure.may_retry(&outgoing.method, upload) && attempts < MAX_ATTEMPTS;
        if !retry {
            return Err(failure.refused(&picked.service));
        }
        trace.detail(format!("task {}: {failure}", picked.lease.target().task));
        trace.retried();
        tried.push(picked.lease.target().id);
        again_afresh |= failure.on_reused_connection();
        last = Some(failure.refused(&picked.service));
    }
    Err(last.unwrap_or_else(|| no_target("")))
}

/// Route, choice and count: one step without an await, see `core::Core::swap`.
fn pick(
    client: &Client,
    authority: &str,
    path: &str,
    tried: &[u64],
    trace: &mut Trace,
) -> Result<Picked, Refused> {
    let table = client.core.table();
    let Some(Listener::Http(routes)) = table.listener(client.listener) else {
        let sentence = "Nothing is served on this address yet.";
        return Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            sentence,
            "no table for this listener",
        ));
    };
    let Some(backend) = route::find(routes, authority, path) else {
        let sentence = format!("No service is routed at {path} on this host.");
        return Err(Refused::new(StatusCode::NOT_FOUND, sentence, "no route"));
    };
    let service = backend.service.as_str();
    trace.service(service);
    let candidate = client
        .core
        .choose(backend, tried)
        .ok_or_else(|| no_target(service))?;
    Ok(Picked {
        lease: Lease::take(&candidate.state),
        address: candidate.address,
        revision: candidate.revision,
        timeouts: backend.timeouts,
        service: Arc::from(service),
    })
}

fn no_target(service: &str) -> Refused {
    let sentence = format!("No task of {service} is ready to take this request.");
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, sentence, "no target")
}

fn own_answer(
    client: &Client,
    refused: &Refused,
    accept: Option<HeaderValue>,
    id: &HeaderValue,
    mut trace: Trace,
    ending: Ending,
) -> Response<AnswerBody> {
    let mut asked = HeaderMap::new();
    asked.extend(accept.map(|accept| (header::ACCEPT, accept)));
    let mut response = refused.response(&asked, id);
    if client.http2 {
        response.headers_mut().remove(header::CONNECTION);
    }
    trace.status(refused.status.as_u16());
    trace.detail(&refused.detail);
    response.map(|bytes: Bytes| AnswerBody::own(bytes, Some(trace), ending))
}

fn task_answer(
    client: &Client,
    picked: Picked,
    exchange: Exchange,
    upload: Rc<Upload>,
    mut trace: Trace,
    ending: Ending,
) -> Response<AnswerBody> {
    let Picked {
        mut lease,
        revision,
        timeouts,
        ..
    } = picked;
    let (mut parts, incoming) = exchange.response.into_parts();
    trace.answered_by(lease.target().task, revision, exchange.waited);
    trace.status(parts.status.as_u16());
    let protocol = parts.headers.get(header::UPGRADE).cloned();
    headers::strip_hop_by_hop(&mut parts.headers);
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        const UPGRADE: HeaderName = header::UPGRADE;
        parts
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts
            .headers
            .extend(protocol.map(|protocol| (UPGRADE, protocol)));
        lease.upgrade();
        *client.wire.tunnel.borrow_mut() = Some(PendingTunnel {
            connection: exchange.connection,
            lease,
            trace,
        });
        return Response::from_parts(parts, AnswerBody::own(Bytes::new(), None, ending));
    }
    let download = Download {
        core: Rc::clone(&client.core),
        incoming,
        connection: Some(exchange.connection),
        lease: Some(lease),
        upload,
        idle: timeouts.idle,
        timer: None,
    };
    // What hyper needs to know is in the parts; its extensions would say the upstream's reason phrase or date.
    Response::from_parts(parts, AnswerBody::task(download, trace, ending))
}
