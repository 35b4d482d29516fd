//! The store in Redis (or Valkey): one multiplexed connection, a short limit on every operation, and a
//! background task that keeps the connection alive for ever. A dead Redis costs
//! the requests of one moment that limit, once each; all later ones are told at once.

mod options;

pub use options::{AddressError, RedisOptions};

use super::{Put, StoreError, Written};
use crate::entry::Record;
use crate::health::CacheHealth;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, RedisError, ServerErrorKind,
    TlsCertificates,
};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Records in Redis. Clones share the connection; the last one to go ends the background task.
#[derive(Debug, Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    _keeper: Arc<Keeper>,
}

#[derive(Debug)]
struct Link {
    options: RedisOptions,
    connection: Mutex<Option<MultiplexedConnection>>,
    health: CacheHealth,
    /// An operation failed: look at the connection now, not at the next ping.
    doubt: Notify,
}

#[derive(Debug)]
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RedisStore {
    /// Begins to connect in the background and returns at once. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(options: RedisOptions) -> Self {
        let link = Arc::new(Link {
            options,
            connection: Mutex::new(None),
            health: CacheHealth::starting(),
            doubt: Notify::new(),
        });
        let keeper = Keeper(tokio::spawn(keep_connected(Arc::clone(&link))));
        Self {
            link,
            _keeper: Arc::new(keeper),
        }
    }

    /// Whether Redis can be used.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        self.link.health.clone()
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let command = Cmd::new().arg("GET").arg(self.link.key(key)).to_owned();
        let value: Option<bytes::Bytes> = match self.link.run(&command).await {
            // Not ours, so nothing is here.
            Err(Failure::Foreign(_)) => None,
            other => other?,
        };
        Ok(value.and_then(Record::decode))
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        record: &Record,
        how: Put,
        now_ms: u64,
    ) -> Result<Written, StoreError> {
        // Relative, so that the server's clock need not agree with ours.
        let ttl_ms = record.expires_ms().saturating_sub(now_ms);
        let (Some(value), true) = (record.encode(), ttl_ms > 0) else {
            return Ok(Written::Ours);
        };
        let mut set = Cmd::new();
        set.arg("SET")
            .arg(self.link.key(key))
            .arg(value.as_ref())
            .arg("PX")
            .arg(ttl_ms);
        if how == Put::IfAbsent {
            let mut first = set.clone();
            first.arg("NX");
            let stored: Option<String> = self.link.run(&first).await?;
            if stored.is_some() {
                return Ok(Written::Ours);
            }
            let standing = self.get(key).await?;
            if let Some(theirs) = standing.filter(|theirs| now_ms < theirs.expires_ms()) {
                return Ok(Written::Theirs(theirs));
            }
        }
        self.link.run::<()>(&set).await?;
        Ok(Written::Ours)
    }

    pub(crate) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        let command = Cmd::new().arg("DEL").arg(self.link.key(key)).to_owned();
        Ok(self.link.run(&command).await?)
    }
}

/// An operation that failed.
enum Failure {
    /// The key holds a value of another type: another program's.
    Foreign(StoreError),
    Store(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) | Failure::Foreign(error) => error,
        }
    }
}

impl Link {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.options.prefix)
    }

    async fn run<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let standing = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(mut connection) = standing else {
            let reason = "not connected".to_owned();
            return Err(Failure::Store(self.unreachable(reason)));
        };
        command.query_async(&mut connection).await.map_err(|error| {
            if error.code() == Some("WRONGTYPE") {
                return Failure::Foreign(self.explain(&error));
            }
            self.doubt.notify_one();
            Failure::Store(self.explain(&error))
        })
    }

    /// Connects and proves that the store can be written: a replica that lost its primary's role, a
    /// full memory or a missing permission answer PING and would fail every request.
    async fn connect(&self) -> Result<MultiplexedConnection, StoreError> {
        let client = self.client().await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_limit))
            .set_response_timeout(Some(self.options.operation_limit));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| self.explain(&error))?;
        self.probe(&mut connection).await?;
        Ok(connection)
    }

    async fn client(&self) -> Result<Client, StoreError> {
        let options = &self.options;
        let mut settings = options.info.redis_settings().clone();
        if let Some(path) = &options.password_file {
            settings = settings.set_password(read_password(path).await?);
        }
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = options
            .info
            .clone()
            .set_redis_settings(settings)
            .set_tcp_settings(tcp);
        let client = if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Named here, because a program that links a second provider leaves rustls without a
            // default one. It fails only where one is installed already, which is as good.
            drop(rustls::crypto::ring::default_provider().install_default());
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: options.ca_pem.clone(),
            };
            Client::build_with_tls(info, certificates)
        } else {
            Client::open(info)
        };
        client.map_err(|error| self.explain(&error))
    }

    /// Writes and reads a key of ours, by the commands that requests use.
    async fn probe(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let (mut set, mut get) = (Cmd::new(), Cmd::new());
        get.arg("GET").arg(self.key("probe"));
        set.arg("SET")
            .arg(self.key("probe"))
            .arg("")
            .arg("PX")
            .arg(5000);
        set.query_async::<()>(connection)
            .await
            .map_err(|error| self.explain(&error))?;
        get.query_async::<()>(connection)
            .await
            .map_err(|error| self.explain(&error))
    }

    fn install(&self, connection: Option<MultiplexedConnection>) {
        *self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn unreachable(&self, reason: String) -> StoreError {
        StoreError::Unreachable {
            address: self.options.address.clone(),
            reason,
        }
    }

    fn explain(&self, error: &RedisError) -> StoreError {
        let address = self.options.address.clone();
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
                StoreError::WrongPassword { address }
            }
            (_, Some("NOAUTH")) => StoreError::PasswordMissing { address },
            (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
                self.unreachable("it is still loading its data".to_owned())
            }
            (ErrorKind::Server(_) | ErrorKind::Extension, code) => {
                // In Redis' own words, which its manual explains.
                let detail = error.detail().unwrap_or_default();
                let reason = format!("{} {detail}", code.unwrap_or("ERR"))
                    .trim_end()
                    .to_owned();
                StoreError::Refused { address, reason }
            }
            _ if error.is_timeout() => self.unreachable("no answer in time".to_owned()),
            _ => self.unreachable(error.to_string()),
        }
    }
}

/// Connects, watches, connects again, for ever.
async fn keep_connected(link: Arc<Link>) {
    let mut attempt = 0;
    loop {
        let error = match link.connect().await {
            Ok(connection) => {
                link.install(Some(connection.clone()));
                link.health.found_reachable(&link.options.address);
                // Only a connection that lasted begins the backoff anew: one that is cut as soon as
                // it stands must not be tried again without a pause.
                let (error, lasted) = watch(&link, connection).await;
                attempt = if lasted { 0 } else { attempt };
                link.install(None);
                error
            }
            Err(error) => error,
        };
        link.health.found_failing(error);
        tokio::time::sleep(pause(attempt, link.options.longest_pause)).await;
        attempt = attempt.saturating_add(1);
    }
}

/// Returns when the connection does not work any more, and whether it ever passed a check.
async fn watch(link: &Link, mut connection: MultiplexedConnection) -> (StoreError, bool) {
    let mut lasted = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(link.options.ping_interval) => {}
            () = link.doubt.notified() => {}
        }
        if let Err(error) = link.probe(&mut connection).await {
            return (error, lasted);
        }
        lasted = true;
    }
}

/// Exponential backoff with full jitter: anything up to 50 ms, 100 ms, 200 ms… and no longer than
/// `longest`, so that many replicas do not come back in step.
fn pause(attempt: u32, longest: Duration) -> Duration {
    let ceiling = Duration::from_millis(50)
        .saturating_mul(1 << attempt.min(10))
        .min(longest);
    ceiling.mul_f64(fastrand::f64())
}

async fn read_password(path: &Path) -> Result<String, StoreError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(owned)).await;
    let failed = |reason: String| StoreError::PasswordFile {
        path: path.display().to_string(),
        reason,
    };
    match read {
        Ok(Ok(text)) => Ok(text.lines().next().unwrap_or_default().to_owned()),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}
