//! Reads the service's settings from its environment. A value that is no good is named in a sentence;
//! what is absent or empty takes its default.

use cais_cache::store::memory::MemoryStore;
use cais_cache::store::redis::{AddressError, RedisStore};
use cais_cache::{Cache, Mode, RedisOptions, Store};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Bytes of responses kept where no Redis is named.
const MEMORY_BYTES: u64 = 16 << 20;

/// How a service runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// `HOST` and `PORT`; port 0 lets the system choose. Default 127.0.0.1:8080.
    pub address: SocketAddr,
    /// The `CACHE_…` variables.
    pub cache: CacheSettings,
}

/// How a service caches.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// `CACHE_URL`, `CACHE_USERNAME`, `CACHE_PASSWORD_FILE`; `None` keeps responses in this process.
    pub redis: Option<RedisOptions>,
    /// `CACHE_MODE`: `best-effort` (default) or `required`.
    pub mode: Mode,
}

/// A variable with a value that is no good.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `PORT`.
    #[error("`PORT` is `{0}`: it must be a number from 0 to 65535")]
    Port(String),
    /// `HOST`.
    #[error("`HOST` is `{0}`: it must be an IP address to listen on, such as 127.0.0.1 or 0.0.0.0")]
    Host(String),
    /// `CACHE_URL`.
    #[error("`CACHE_URL` is no good: {0}")]
    CacheUrl(AddressError),
    /// `CACHE_MODE`.
    #[error("`CACHE_MODE` is `{0}`: it must be `best-effort` or `required`")]
    CacheMode(String),
}

impl Config {
    /// Reads the settings through `variable`, which knows the environment.
    ///
    /// # Errors
    /// At the first value that is no good.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let port = match variable("PORT") {
            None => 8080,
            Some(text) => text.trim().parse().map_err(|_| ConfigError::Port(text))?,
        };
        let host = match variable("HOST") {
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(text) => text.trim().parse().map_err(|_| ConfigError::Host(text))?,
        };
        let mode = match variable("CACHE_MODE").as_deref() {
            None | Some("best-effort") => Mode::BestEffort,
            Some("required") => Mode::Required,
            Some(other) => return Err(ConfigError::CacheMode(other.to_owned())),
        };
        let redis = variable("CACHE_URL")
            .map(|url| redis(&url, &variable))
            .transpose()?;
        Ok(Self {
            address: SocketAddr::new(host, port),
            cache: CacheSettings { redis, mode },
        })
    }
}

fn redis(
    url: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<RedisOptions, ConfigError> {
    let mut options = RedisOptions::new(url.trim()).map_err(ConfigError::CacheUrl)?;
    if let Some(username) = variable("CACHE_USERNAME") {
        options = options.username(&username);
    }
    if let Some(path) = variable("CACHE_PASSWORD_FILE") {
        options = options.password_file(path);
    }
    Ok(options)
}

impl CacheSettings {
    /// Opens the cache. A Redis is connected to in the background, so this must be called within a
    /// tokio runtime.
    #[must_use]
    pub fn open(self) -> Cache {
        let store = match self.redis {
            Some(options) => Store::Redis(RedisStore::start(options)),
            None => Store::Memory(MemoryStore::new(MEMORY_BYTES)),
        };
        Cache::new(store, self.mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::read(find).map_err(|error| error.to_string())
    }

    #[test]
    fn absent_and_empty_variables_take_their_defaults() {
        for variables in [
            &[][..],
            &[
                ("PORT", ""),
                ("HOST", " "),
                ("CACHE_URL", ""),
                ("CACHE_MODE", ""),
            ],
        ] {
            let config = read(variables).unwrap();
            assert_eq!(config.address.to_string(), "127.0.0.1:8080");
            assert_eq!(config.cache.mode, Mode::BestEffort);
            assert!(config.cache.redis.is_none());
        }
    }

    #[test]
    fn given_variables_are_honoured() {
        let config = read(&[
            ("PORT", "0"),
            ("HOST", "::"),
            ("CACHE_URL", "redis://redis:6379"),
            ("CACHE_MODE", "required"),
        ])
        .unwrap();
        assert_eq!(config.address.to_string(), "[::]:0");
        assert_eq!(config.cache.mode, Mode::Required);
        assert!(config.cache.redis.is_some());
    }

    #[test]
    fn a_bad_value_is_named_in_a_sentence_and_a_password_is_not() {
        let cases = [
            ("PORT", "http", "`PORT` is `http`"),
            ("PORT", "70000", "`PORT` is `70000`"),
            ("HOST", "localhost", "`HOST` is `localhost`"),
            ("CACHE_MODE", "maybe", "`CACHE_MODE` is `maybe`"),
            (
                "CACHE_URL",
                "http://redis",
                "`http://redis` is not the address of a Redis",
            ),
            (
                "CACHE_URL",
                "redis",
                "`redis` is not the address of a Redis",
            ),
            (
                "CACHE_URL",
                "redis://u:secret@h:port",
                "`redis://h:port` is not the address",
            ),
        ];
        for (name, value, expected) in cases {
            let message = read(&[(name, value)]).unwrap_err();
            assert!(
                message.contains(expected) && message.contains(name),
                "{message}"
            );
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
