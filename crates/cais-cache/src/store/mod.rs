//! Where records are kept: this process's memory, Redis, or the one in front of the other. A store
//! keeps and forgets; what may be served is the policy's to say.

pub mod memory;
pub mod redis;

use crate::entry::Record;
use crate::health::CacheHealth;
use memory::MemoryStore;
use redis::RedisStore;

/// A store.
#[derive(Debug, Clone)]
pub enum Store {
    /// In this process.
    Memory(MemoryStore),
    /// Shared by all replicas.
    Redis(RedisStore),
    /// Memory before Redis: what this process saw lately costs no round trip. Another replica's
    /// overwriting or removal shows here when the entry ends at the latest.
    Levels {
        /// Asked first.
        front: MemoryStore,
        /// Decides.
        back: RedisStore,
    },
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No connection, or no answer in time.
    #[error("the cache at `{address}` cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system or the protocol said.
        reason: String,
    },
    /// It refused the user name or the password.
    #[error(
        "the cache at `{address}` refused the password (WRONGPASS): check the user name and the password file"
    )]
    WrongPassword {
        /// Host and port.
        address: String,
    },
    /// It asks for a password and none was given.
    #[error(
        "the cache at `{address}` asks for a password (NOAUTH) and none was given: name a password file"
    )]
    PasswordMissing {
        /// Host and port.
        address: String,
    },
    /// The password file cannot be read.
    #[error("the cache's password file `{path}` cannot be read: {reason}")]
    PasswordFile {
        /// As it was given.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// It answered with an error: no permission, no memory left, read only.
    #[error("the cache at `{address}` refuses to work: `{reason}`")]
    Refused {
        /// Host and port.
        address: String,
        /// Its words.
        reason: String,
    },
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// Over whatever is there.
    Overwrite,
    /// Only where nothing usable is there: the first of several replicas wins.
    IfAbsent,
}

/// Which record stands under the key after writing.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Ours,
    Theirs(Record),
}

impl Store {
    /// A handle on whether the store can be used.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        match self {
            Self::Memory(_) => CacheHealth::always_reachable(),
            Self::Redis(redis) | Self::Levels { back: redis, .. } => redis.health(),
        }
    }

    pub(crate) async fn get(&self, key: &str, now_ms: u64) -> Result<Option<Record>, StoreError> {
        let found = match self {
            Self::Memory(memory) => memory.get(key, now_ms),
            Self::Redis(redis) => redis.get(key).await?,
            Self::Levels { front, back } => match front.get(key, now_ms) {
                Some(record) => Some(record),
                None => {
                    let found = back.get(key).await?;
                    if let Some(record) = &found {
                        front.put(key, record.clone(), Put::Overwrite, now_ms);
                    }
                    found
                }
            },
        };
        Ok(found.filter(|record| now_ms < record.expires_ms()))
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        record: Record,
        how: Put,
        now_ms: u64,
    ) -> Result<Written, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.put(key, record, how, now_ms)),
            Self::Redis(redis) => redis.put(key, &record, how, now_ms).await,
            Self::Levels { front, back } => {
                let written = back.put(key, &record, how, now_ms).await?;
                let standing = match &written {
                    Written::Ours => record,
                    Written::Theirs(theirs) => theirs.clone(),
                };
                front.put(key, standing, Put::Overwrite, now_ms);
                Ok(written)
            }
        }
    }

    pub(crate) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.remove(key),
            Self::Redis(redis) => redis.remove(key).await?,
            Self::Levels { front, back } => {
                front.remove(key);
                back.remove(key).await?;
            }
        }
        Ok(())
    }
}
