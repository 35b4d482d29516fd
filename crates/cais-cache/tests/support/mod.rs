//! What the tests of this crate share: a service that counts its computations, a clock that the test
//! moves, and a Redis of its own where one is installed.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helper fails by panicking and says what it skips"
)]

use bytes::Bytes;
use cais_cache::{Cache, CacheLayer, Clock, Mode, Store};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

pub const START_MS: u64 = 1_700_000_000_000;

/// A request without a body.
pub type Ask = Request<Full<Bytes>>;
/// What a client sees.
pub type Told = Response<Bytes>;

/// A cache before a service, and the hand on its clock.
pub struct Bench {
    pub now_ms: Arc<AtomicU64>,
    pub computed: Arc<AtomicU64>,
    pub cache: Cache,
    service: BoxCloneSyncService<Ask, Response<cais_cache::ResponseBody>, Infallible>,
}

impl Bench {
    /// The service answers its count of computations, with the fields that `fields` gives for a request.
    pub fn new(
        store: Store,
        mode: Mode,
        fields: impl Fn(&Ask) -> Vec<(&'static str, String)> + Clone + Send + Sync + 'static,
    ) -> Self {
        let computed = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&computed);
        let inner = service_fn(move |request: Ask| {
            let count = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let fields = fields(&request);
            async move {
                // Others get a turn, so that whoever can ask at the same time does.
                tokio::task::yield_now().await;
                let mut response = Response::builder();
                for (name, value) in fields {
                    response = response.header(name, value);
                }
                Ok::<_, Infallible>(
                    response
                        .body(Full::new(Bytes::from(count.to_string())))
                        .unwrap(),
                )
            }
        });
        Self::over(store, mode, computed, inner)
    }

    /// The same over any service.
    pub fn over<S, D>(store: Store, mode: Mode, computed: Arc<AtomicU64>, inner: S) -> Self
    where
        S: Service<Ask, Response = Response<D>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
        D: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        D::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let now_ms = Arc::new(AtomicU64::new(START_MS));
        let cache = Cache::with_clock(store, mode, Clock::manual(Arc::clone(&now_ms)));
        let layer = CacheLayer::new(cache.clone(), "test")
            .default_ttl(Duration::from_secs(10))
            .max_body_bytes(1000);
        Self {
            now_ms,
            computed,
            cache,
            service: BoxCloneSyncService::new(layer.layer(inner)),
        }
    }

    pub async fn ask(&self, request: Ask) -> Told {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    pub async fn get(&self, path: &str) -> Told {
        self.ask(request("GET", path, &[])).await
    }

    /// The response as it comes, body unread.
    pub async fn raw(&self, request: Ask) -> Response<cais_cache::ResponseBody> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    pub fn pass_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::SeqCst)
    }
}

pub fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Ask {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

pub fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// Body, `Cache-Status` and `Age` of a response, in a line.
pub fn line(told: &Told) -> String {
    let age = told
        .headers()
        .get("age")
        .map_or("-", |age| age.to_str().unwrap());
    let body = String::from_utf8_lossy(told.body()).into_owned();
    format!("{body} age={age} {}", field(told.headers(), "cache-status"))
}

/// A redis-server on a port of its own, with a password; killed when dropped.
pub struct Redis {
    pub port: u16,
    pub folder: tempfile::TempDir,
    extra: String,
    process: Child,
}

pub const PASSWORD: &str = "correct horse";

impl Redis {
    /// `None` where redis-server is not installed, which is said.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, "")
    }

    /// The same with more lines of configuration.
    pub fn start_with(test: &str, extra: &str) -> Option<Self> {
        let found = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if found.is_err() {
            skipped(&format!(
                "SKIPPED redis: redis-server is not installed ({test})"
            ));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        // Bound and left again: nothing else asks the system for this very port in between.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = spawn(port, extra);
        Some(Self {
            port,
            folder,
            extra: extra.to_owned(),
            process,
        })
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = spawn(self.port, &self.extra);
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks by redis-cli, another client than the one under test.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .env("REDISCLI_AUTH", PASSWORD)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(port: u16, extra: &str) -> Child {
    let mut process = Command::new("redis-server")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let configuration = format!(
        "bind 127.0.0.1\nport {port}\nsave \"\"\ndaemonize no\nrequirepass \"{PASSWORD}\"\n{extra}\n"
    );
    process
        .stdin
        .take()
        .unwrap()
        .write_all(configuration.as_bytes())
        .unwrap();
    process
}

pub fn skipped(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("CAIS_SKIPPED") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }
}
