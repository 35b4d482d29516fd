//! Drives one client connection: finds out what it speaks, lets hyper serve it behind the guard, keeps its
//! deadlines, and ends it politely. What a request gets for an answer is the proxy's business.

use crate::answer::Refused;
use crate::core::Core;
use crate::download::Ending;
use crate::framing::Refusal;
use crate::guard::{Deadline, Guard, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, Wire};
use crate::headers::new_request_id;
use crate::proxy::{self, Client};
use crate::record::Trace;
use crate::route::Listener;
use crate::sniff::{Beginning, sniff};
use crate::tcp;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// hyper's buffers for one connection; a whole head has to fit.
const MAX_BUFFER_BYTES: usize = 128 * 1024;
const MAX_STREAMS: u32 = 256;
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// After a last answer, what the client still sends is read and thrown away for so long: closing at once
/// would reset the connection and take the answer away from the client (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// Serves a connection to its end.
pub(crate) async fn serve(
    core: Rc<Core>,
    stream: TcpStream,
    listener: SocketAddr,
    peer: SocketAddr,
    wire: Rc<Wire>,
) {
    let _ = stream.set_nodelay(true);
    // Boxed, so that a connection that waits for its first byte does not hold what serving needs.
    if matches!(core.table().listener(listener), Some(Listener::Tcp(_))) {
        return Box::pin(tcp::forward(core, stream, listener)).await;
    }
    let Some(Beginning { bytes, http2 }) = sniff(&stream, &wire).await else {
        return;
    };
    wire.preload(&bytes);
    let address = HeaderValue::try_from(peer.ip().to_canonical().to_string());
    let client = Rc::new(Client {
        core,
        listener,
        address: address.unwrap_or(HeaderValue::from_static("unknown")),
        wire,
        http2,
    });
    if http2 {
        Box::pin(serve_http2(stream, client)).await;
    } else {
        Box::pin(serve_http1(stream, client)).await;
    }
}

/// How the driving of an HTTP/1 connection ended.
enum End {
    /// hyper is done: closed, failed, or ready to become a tunnel.
    Served,
    /// hyper refused a head that the guard let pass, and has said so.
    RefusedByHyper,
    /// The next request was refused by the guard.
    Refused,
    /// The next request took too long to arrive.
    SlowHead,
    /// Nothing to say.
    Silent,
}

async fn serve_http1(stream: TcpStream, client: Rc<Client>) {
    let wire = Rc::clone(&client.wire);
    let service = {
        let client = Rc::clone(&client);
        service_fn(move |request: Request<Incoming>| {
            let client = Rc::clone(&client);
            let ending = Ending(Rc::clone(&client.wire));
            Box::pin(
                async move { Ok::<_, Infallible>(proxy::serve(client, request, ending).await) },
            )
        })
    };
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Guard::new(stream, Rc::clone(&wire))), service);
    let mut clock = Clock::new(&wire);
    let mut told = false;
    let end = poll_fn(|cx| {
        wire.driven_by(cx.waker());
        // Only while it serves a request: otherwise hyper would close on the spot, on a head that is arriving too.
        if wire.stopping() && !told && wire.busy() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            // Any other error is the client's leaving, or was answered and recorded where it arose.
            let refused = result.is_err_and(|error| error.is_parse());
            return Poll::Ready(if refused {
                End::RefusedByHyper
            } else {
                End::Served
            });
        }
        if wire.quiet() && wire.refused().is_some() {
            return Poll::Ready(End::Refused);
        }
        if wire.quiet() && wire.stopping() && !wire.in_head() {
            return Poll::Ready(End::Silent);
        }
        clock.poll(cx, &wire).map(|deadline| {
            if deadline == Deadline::Head {
                End::SlowHead
            } else {
                End::Silent
            }
        })
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().stream;
    if let Some(tunnel) = wire.tunnel.take() {
        let early = [&parts.read_buf[..], &wire.take_held()].concat();
        return tunnel.run(stream, &early).await;
    }
    match end {
        End::Silent => return,
        End::Served => {}
        End::RefusedByHyper => record(&client, &proxy::refused(Refusal::Target)).end(),
        End::Refused => {
            let refusal = wire.refused().unwrap_or(Refusal::LineEnding);
            say(&mut stream, &client, &proxy::refused(refusal)).await;
        }
        End::SlowHead => {
            let sentence = "The request's head did not arrive in time.";
            let answer = Refused::new(
                StatusCode::REQUEST_TIMEOUT,
                sentence,
                "the head took longer than 10 s",
            );
            say(&mut stream, &client, &answer).await;
        }
    }
    finish(
        stream,
        wire.amid_request() || matches!(end, End::RefusedByHyper),
    )
    .await;
}

/// The last answer of a connection, and its record.
async fn say(stream: &mut TcpStream, client: &Client, answer: &Refused) {
    let mut trace = record(client, answer);
    let bytes = answer.raw(&new_request_id());
    if let Ok(Ok(())) = timeout(LINGER, stream.write_all(&bytes)).await {
        trace.sent(bytes.len() as u64);
    }
    trace.end();
}

/// Of a request that is not known: its head is not whole, or not valid.
fn record(client: &Client, answer: &Refused) -> Trace {
    let mut trace = Trace::begin(&client.core.records, "-", "-");
    trace.status(answer.status.as_u16());
    trace.detail(&answer.detail);
    trace
}

async fn finish(mut stream: TcpStream, linger: bool) {
    if stream.shutdown().await.is_err() || !linger {
        return;
    }
    let discard = async {
        let mut bytes = [0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(read) = stream.read(&mut bytes).await {
            if read == 0 || read > left {
                return;
            }
            left -= read;
        }
    };
    let _ = timeout(LINGER, discard).await;
}

async fn serve_http2(stream: TcpStream, client: Rc<Client>) {
    let wire = Rc::clone(&client.wire);
    wire.pass_everything();
    let service = {
        let client = Rc::clone(&client);
        service_fn(move |request: Request<Incoming>| {
            client.wire.request_begun();
            let client = Rc::clone(&client);
            // From here on, so that a stream that is reset before its first poll ends too.
            let ending = Ending(Rc::clone(&client.wire));
            async move { Ok::<_, Infallible>(proxy::serve(client, request, ending).await) }
        })
    };
    let mut connection = pin!(
        http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST_BYTES)
            .serve_connection(TokioIo::new(Guard::new(stream, Rc::clone(&wire))), service)
    );
    let mut clock = Clock::new(&wire);
    let mut told = false;
    poll_fn(|cx| {
        wire.driven_by(cx.waker());
        if wire.stopping() && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match clock.poll(cx, &wire) {
            Poll::Ready(Deadline::Idle) if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
                // GOAWAY has to be written.
                connection.as_mut().poll(cx).map(|_| ())
            }
            Poll::Ready(Deadline::Write) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

/// A connection's one timer. It is moved only to an earlier time or when it fires, so that a request costs
/// it nothing.
struct Clock {
    sleep: Pin<Box<Sleep>>,
}

impl Clock {
    fn new(wire: &Wire) -> Self {
        let at = wire
            .deadline()
            .map_or_else(|| Instant::now() + KEEP_ALIVE_TIMEOUT, |(at, _)| at);
        Self {
            sleep: Box::pin(sleep_until(at)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, wire: &Wire) -> Poll<Deadline> {
        let deadline = wire.deadline();
        if let Some((at, _)) = deadline
            && at < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(at);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match deadline {
                Some((at, what)) if at <= now => {
                    // To be polled again if the caller goes on.
                    self.sleep.as_mut().reset(now + HEAD_TIMEOUT);
                    return Poll::Ready(what);
                }
                Some((at, _)) => self.sleep.as_mut().reset(at),
                None => self.sleep.as_mut().reset(now + HEAD_TIMEOUT),
            }
        }
        Poll::Pending
    }
}

/// Runs hyper's HTTP/2 streams on this core.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Core;
    use crate::route::Routing;
    use crate::sniff::FIRST_REQUEST_GRACE;
    use crate::table::{HttpRoute, Pool, RouteTable, Serves, Target, Timeouts};
    use crate::target::Targets;
    use cais_model::name::ServiceName;
    use std::sync::Arc;
    use tokio::net::TcpListener;
    use tokio::task::{LocalSet, spawn_local};

    /// A core without threads, on paused time, and a client connected to it.
    async fn connected(task: Option<SocketAddr>) -> (TcpStream, Rc<Wire>, Rc<Core>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let core = Core::new(Instant::now());
        let web = ServiceName::parse("web").unwrap();
        let route = HttpRoute {
            host: None,
            path: "/".into(),
            service: web.clone(),
            port: 80,
        };
        let targets = task.map(|task| Target {
            task: 1,
            revision: 1,
            addresses: [(80, task)].into(),
            draining: false,
            weight: 100,
        });
        let pool = Pool {
            targets: targets.into_iter().collect(),
            timeouts: Timeouts::default(),
        };
        let table = RouteTable {
            version: 1,
            listeners: [(
                address,
                Serves::Http {
                    routes: vec![route],
                },
            )]
            .into(),
            pools: [(web, pool)].into(),
        };
        core.swap(Arc::new(Routing::compile(
            &table,
            &mut Targets::default(),
            0,
        )));
        let client = TcpStream::connect(address).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let wire = Wire::new();
        spawn_local(serve(
            Rc::clone(&core),
            stream,
            address,
            peer,
            Rc::clone(&wire),
        ));
        (client, wire, core)
    }

    /// Sends this and nothing more; what comes until the connection ends, and after how many seconds it did.
    async fn check(sent: &str, answer: &str, seconds: u64) {
        let began = Instant::now();
        let (mut client, _wire, _core) = connected(None).await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        let heads: Vec<_> = heard
            .lines()
            .filter(|line| line.starts_with("HTTP/"))
            .collect();
        assert_eq!(heads.join(", "), answer, "{sent:?}");
        assert_eq!(began.elapsed().as_secs(), seconds, "{sent:?}");
    }

    const SLOW: &str = "HTTP/1.1 408 Request Timeout";
    const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable";

    #[tokio::test(start_paused = true)]
    async fn heads_and_idle_connections_have_deadlines() {
        let whole = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        LocalSet::new()
            .run_until(async {
                check("", "", 75).await;
                check("G", SLOW, 10).await;
                check("GET / HTTP/1.1\r\nhost: a\r\n", SLOW, 10).await;
                // The beginning of HTTP/2 and no more.
                check("PRI * HTTP/2.0\r\n", "", 10).await;
                check(whole, UNAVAILABLE, 75).await;
                check(
                    &format!("{whole}GET"),
                    &format!("{UNAVAILABLE}, {SLOW}"),
                    10,
                )
                .await;
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_given_up_after_the_idle_time() {
        LocalSet::new()
            .run_until(async {
                let task = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let (mut client, _wire, _core) = connected(Some(task.local_addr().unwrap())).await;
                let began = Instant::now();
                client
                    .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf")
                    .await
                    .unwrap();
                let (mut peer, _) = task.accept().await.unwrap();
                let mut heard = String::new();
                client.read_to_string(&mut heard).await.unwrap();
                assert!(heard.starts_with(SLOW), "{heard}");
                assert_eq!(
                    began.elapsed().as_secs(),
                    Timeouts::default().idle.as_secs()
                );
                let mut sent = String::new();
                let _ = peer.read_to_string(&mut sent).await;
                assert!(sent.ends_with("half"), "{sent}");
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_stops_is_given_up_after_the_idle_time() {
        LocalSet::new()
            .run_until(async {
                let task = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let (mut client, _wire, core) = connected(Some(task.local_addr().unwrap())).await;
                client
                    .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                    .await
                    .unwrap();
                let (mut peer, _) = task.accept().await.unwrap();
                peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                    .await
                    .unwrap();
                let mut heard = String::new();
                let _ = client.read_to_string(&mut heard).await;
                assert!(heard.ends_with("half"), "{heard}");
                let (records, _) = core.records.take();
                assert_eq!(
                    records[0].detail.as_deref(),
                    Some("the task sent nothing of its answer for too long")
                );
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_a_fresh_connection_may_still_send_its_request() {
        LocalSet::new()
            .run_until(async {
                let (mut client, wire, _core) = connected(None).await;
                tokio::task::yield_now().await;
                wire.stop();
                client
                    .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                    .await
                    .unwrap();
                let mut heard = String::new();
                client.read_to_string(&mut heard).await.unwrap();
                assert!(heard.starts_with(UNAVAILABLE), "{heard}");

                let began = Instant::now();
                let (mut client, wire, _core) = connected(None).await;
                wire.stop();
                assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
                assert_eq!(began.elapsed(), FIRST_REQUEST_GRACE);
            })
            .await;
    }
}
