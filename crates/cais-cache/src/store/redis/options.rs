//! How to reach a Redis: its address, who asks, what keys begin with and how long anything may take.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use std::path::PathBuf;
use std::time::Duration;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    pub(super) info: ConnectionInfo,
    pub(super) address: String,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca_pem: Option<Vec<u8>>,
    pub(super) prefix: String,
    pub(super) operation_limit: Duration,
    pub(super) connect_limit: Duration,
    pub(super) ping_interval: Duration,
    pub(super) longest_pause: Duration,
}

/// Why an address is no address of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{shown}` is not the address of a Redis: {reason}; write redis://host:6379 or rediss://host:6379"
)]
pub struct AddressError {
    /// The address without user name and password.
    shown: String,
    /// What is wrong with it.
    reason: String,
}

impl RedisOptions {
    /// Reads `redis://host:port/db` or, with TLS, `rediss://…`. A user name and password in it are
    /// honoured; [`RedisOptions::username`] and [`RedisOptions::password_file`] go before them.
    ///
    /// # Errors
    /// When it is not such an address. The error does not repeat a password.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let refuse = |reason: String| AddressError {
            shown: without_credentials(url),
            reason,
        };
        if !(url.starts_with("redis://") || url.starts_with("rediss://")) {
            return Err(refuse("unknown scheme".to_owned()));
        }
        let info = url
            .into_connection_info()
            .map_err(|error| refuse(error.to_string()))?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(refuse(
                "TLS without checking the certificate is not offered".to_owned(),
            ));
        }
        Ok(Self {
            address: info.addr().to_string(),
            info,
            password_file: None,
            ca_pem: None,
            prefix: "cais:".to_owned(),
            operation_limit: Duration::from_millis(250),
            connect_limit: Duration::from_secs(1),
            ping_interval: Duration::from_secs(1),
            longest_pause: Duration::from_secs(3),
        })
    }

    /// ACL user; Redis's `default` user otherwise.
    #[must_use]
    pub fn username(mut self, username: &str) -> Self {
        let settings = self.info.redis_settings().clone().set_username(username);
        self.info = self.info.set_redis_settings(settings);
        self
    }

    /// File whose first line is the password. Read anew at every connection, so that it may appear late
    /// and may change.
    #[must_use]
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.password_file = Some(path.into());
        self
    }

    /// PEM certificates to trust for `rediss://` in place of the built-in public ones.
    #[must_use]
    pub fn ca_pem(mut self, pem: Vec<u8>) -> Self {
        self.ca_pem = Some(pem);
        self
    }

    /// Goes before every key. Default `cais:`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// Limit of one operation. Default 250 ms.
    #[must_use]
    pub fn operation_limit(mut self, limit: Duration) -> Self {
        self.operation_limit = limit;
        self
    }

    /// Pause between checks of a connection that works. Default 1 s.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Longest pause between attempts to connect. Default 3 s.
    #[must_use]
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }
}

fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (None, Some((_, rest))) => rest.to_owned(),
        (_, None) => url.to_owned(),
    }
}
