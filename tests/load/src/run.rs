//! The open loop: sends each request at its moment, whatever became of those before it, on a thread of its own.

use crate::exchange::{Attempt, Client};
use crate::kind::{Kind, Mix, Shape};
use crate::outcome::{Fault, Reason, Sample, Who};
use crate::report::Report;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::Instant;

/// Faster is refused: this client shares its machine with what it asks.
pub const MAX_RATE: f64 = 20_000.0;
/// Longer is refused.
pub const MAX_SECONDS: u64 = 3600;

/// What to send where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Loopback, or the other end of a link of this machine (169.254.0.0/16, RFC 3927).
    pub address: SocketAddr,
    /// Before every path, `/app` for instance; empty for none.
    pub prefix: String,
    /// Requests a second over all kinds.
    pub rate: f64,
    /// In what proportion.
    pub mix: Mix,
    /// How long the long kinds take.
    pub shape: Shape,
    /// How much longer than planned a request may take.
    pub patience: Duration,
    /// The run sends for so long, unless it is stopped before.
    pub duration: Duration,
    /// Or until so many were sent.
    pub requests: Option<u64>,
    /// Requests under way at a time; one more is not sent and counts as failed.
    pub in_flight: usize,
}

impl Settings {
    /// 500 requests a second to `address`, of all kinds, for a minute.
    pub fn to(address: SocketAddr) -> Self {
        Self {
            address,
            prefix: String::new(),
            rate: 500.0,
            mix: Mix::only(Kind::Get),
            shape: Shape::default(),
            patience: Duration::from_secs(10),
            duration: Duration::from_secs(60),
            requests: None,
            in_flight: 4000,
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        let is_here = match self.address.ip() {
            IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
            IpAddr::V6(address) => address.is_loopback(),
        };
        if !is_here {
            return Err(Refusal::NotHere(self.address));
        }
        if !(self.rate > 0.0 && self.rate <= MAX_RATE) {
            return Err(Refusal::Rate(self.rate));
        }
        if self.duration > Duration::from_secs(MAX_SECONDS) {
            return Err(Refusal::Duration(self.duration.as_secs()));
        }
        let prefix = &self.prefix;
        let plain = prefix.starts_with('/')
            && !prefix.ends_with('/')
            && prefix.bytes().all(|b| b.is_ascii_graphic());
        if !prefix.is_empty() && !plain {
            return Err(Refusal::Prefix(prefix.clone()));
        }
        Ok(())
    }
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Load goes to this machine only.
    #[error("`{0}` is not a loopback or link-local address; load is sent to this machine only")]
    NotHere(SocketAddr),
    /// Too fast, or not a rate.
    #[error("`{0}` is not a rate from above 0 to {MAX_RATE} requests a second")]
    Rate(f64),
    /// Too long.
    #[error("`{0}` seconds are more than {MAX_SECONDS}")]
    Duration(u64),
    /// Not the beginning of a path.
    #[error("`{0}` is not the beginning of a path, such as `/app`")]
    Prefix(String),
    /// No thread or runtime.
    #[error("cannot start the client")]
    Start(#[source] std::io::Error),
}

/// A run under way. Dropping it stops it without a report.
#[derive(Debug)]
pub struct Running {
    ledger: Arc<Ledger>,
    thread: Option<JoinHandle<()>>,
    began: Instant,
}

/// What a run shares with whoever watches it.
#[derive(Debug, Default)]
struct Ledger {
    stop: AtomicBool,
    in_flight: AtomicUsize,
    done: tokio::sync::Notify,
    samples: Mutex<Vec<Sample>>,
    /// One value for each task that answered, however many answers.
    known: Mutex<BTreeSet<Arc<Who>>>,
}

/// Starts to send.
///
/// # Errors
/// When the settings ask for what this client does not do.
pub fn start(settings: Settings) -> Result<Running, Refusal> {
    settings.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Refusal::Start)?;
    let ledger = Arc::new(Ledger::default());
    let began = Instant::now();
    let shared = ledger.clone();
    let thread = std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || runtime.block_on(send_all(settings, shared, began)))
        .map_err(Refusal::Start)?;
    Ok(Running {
        ledger,
        thread: Some(thread),
        began,
    })
}

impl Running {
    /// What its samples' moments count from.
    pub fn began(&self) -> std::time::Instant {
        self.began.into_std()
    }

    /// Time since the run's start.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What is over so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.ledger.samples().clone()
    }

    /// Waits until everything was sent and has ended.
    pub fn finish(mut self) -> Report {
        if let Some(thread) = self.thread.take() {
            // A panic in the client would be a wrong measurement: pass it on.
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let mut samples = std::mem::take(&mut *self.ledger.samples());
        samples.sort_by_key(|sample| sample.number);
        Report::new(samples)
    }

    /// Sends no more, waits for what is under way.
    pub fn stop(self) -> Report {
        self.ledger.stop.store(true, Ordering::Relaxed);
        self.finish()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ledger.stop.store(true, Ordering::Relaxed);
    }
}

impl Ledger {
    fn samples(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intern(&self, who: Who) -> Arc<Who> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&who) {
            return same.clone();
        }
        let who = Arc::new(who);
        known.insert(who.clone());
        who
    }
}

async fn send_all(settings: Settings, ledger: Arc<Ledger>, began: Instant) {
    let client = Arc::new(Client {
        address: settings.address,
        prefix: settings.prefix,
        shape: settings.shape,
        patience: settings.patience,
        idle: Mutex::default(),
    });
    let last = settings.requests.unwrap_or(u64::MAX);
    for (number, kind) in (0..last).zip(settings.mix.order()) {
        let due = Duration::from_secs_f64(number as f64 / settings.rate);
        if due >= settings.duration {
            break;
        }
        if began.elapsed() < due {
            tokio::time::sleep_until(began + due).await;
        }
        if ledger.stop.load(Ordering::Relaxed) {
            break;
        }
        let plan = Planned {
            number,
            kind,
            due,
            began,
        };
        if ledger.in_flight.load(Ordering::Relaxed) >= settings.in_flight {
            plan.not_sent(&ledger);
            continue;
        }
        ledger.in_flight.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(plan.run(client.clone(), ledger.clone()));
    }
    // Every request is bounded in time, so this ends.
    while ledger.in_flight.load(Ordering::Relaxed) > 0 {
        ledger.done.notified().await;
    }
}

/// A request with its moment.
struct Planned {
    number: u64,
    kind: Kind,
    due: Duration,
    began: Instant,
}

impl Planned {
    async fn run(self, client: Arc<Client>, ledger: Arc<Ledger>) {
        let sent = self.began.elapsed();
        let shape = client.shape;
        let mut attempt = Attempt {
            client,
            number: self.number,
            head: None,
            who: None,
        };
        let result = attempt.run(self.kind).await;
        let end = self.began.elapsed();
        let head = attempt.head.map(|head| head.duration_since(self.began));
        let until = match self.kind {
            Kind::Get | Kind::Close => Some(end),
            Kind::Post => end.checked_sub(shape.post),
            Kind::Stream | Kind::Ws | Kind::Download => head,
        };
        let latency = until.map(|until| until.saturating_sub(self.due));
        let sample = Sample {
            number: self.number,
            kind: self.kind,
            due: self.due,
            sent,
            head,
            end,
            latency: latency.filter(|_| result.is_ok()),
            who: attempt.who.map(|who| ledger.intern(who)),
            result,
        };
        ledger.samples().push(sample);
        ledger.in_flight.fetch_sub(1, Ordering::Relaxed);
        ledger.done.notify_one();
    }

    fn not_sent(self, ledger: &Ledger) {
        let now = self.began.elapsed();
        ledger.samples().push(Sample {
            number: self.number,
            kind: self.kind,
            due: self.due,
            sent: now,
            head: None,
            end: now,
            latency: None,
            who: None,
            result: Err(Fault {
                reason: Reason::NotSent,
                answer_begun: false,
            }),
        });
    }
}
