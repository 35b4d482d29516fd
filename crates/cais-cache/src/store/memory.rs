//! The store in this process: bounded in bytes, the least useful records leave first.

use super::{Put, Written};
use crate::entry::Record;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

/// Records in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    records: Cache<String, Arc<Record>, ByBytes>,
    /// Makes "look, then write" of one writer whole; readers never take it.
    writing: Mutex<()>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Arc<Record>> for ByBytes {
    fn weight(&self, key: &String, record: &Arc<Record>) -> u64 {
        key.len() as u64 + record.weight_bytes()
    }
}

/// What an entry is guessed to weigh, to size the table: a small page.
const TYPICAL_ENTRY_BYTES: u64 = 4096;

impl MemoryStore {
    /// Holds at most about `capacity_bytes` of keys, fields and bodies.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        let entries = usize::try_from(capacity_bytes / TYPICAL_ENTRY_BYTES).unwrap_or(usize::MAX);
        let records = Cache::with_weighter(entries.clamp(16, 1 << 20), capacity_bytes, ByBytes);
        Self(Arc::new(Inner {
            records,
            writing: Mutex::new(()),
        }))
    }

    /// Bytes held now, by the same count as the capacity.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.0.records.weight()
    }

    pub(crate) fn get(&self, key: &str, now_ms: u64) -> Option<Arc<Record>> {
        let record = self.0.records.get(key)?;
        if now_ms < record.expires_ms() {
            return Some(record);
        }
        self.0
            .records
            .remove_if(key, |standing| now_ms >= standing.expires_ms());
        None
    }

    pub(crate) fn put(&self, key: &str, record: Arc<Record>, how: Put, now_ms: u64) -> Written {
        let _writing = self
            .0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if how == Put::IfAbsent
            && let Some(theirs) = self.get(key, now_ms)
        {
            return Written::Theirs(theirs);
        }
        self.0.records.insert(key.to_owned(), record);
        Written::Ours
    }

    pub(crate) fn remove(&self, key: &str) {
        let _writing = self
            .0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.0.records.remove(key);
    }
}
