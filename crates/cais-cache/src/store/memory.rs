//! The store in this process: bounded in bytes, the least useful records leave first.

use super::{Put, Written};
use crate::entry::Record;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::sync::{Arc, Mutex, PoisonError};

/// Records in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    records: Cache<String, Record, ByBytes>,
    /// Makes "look, then write" of one writer whole; readers never take it.
    writing: Mutex<()>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Record> for ByBytes {
    fn weight(&self, key: &String, record: &Record) -> u64 {
        key.len() as u64 + record.weight_bytes()
    }
}

/// What an entry is guessed to weigh, to size the table: a small page.
const TYPICAL_ENTRY_BYTES: u64 = 4096;

/// The table is divided for its locks, and no entry may be larger than its division.
const LEAST_DIVISION_BYTES: u64 = 4 << 20;

impl MemoryStore {
    /// Holds at most about `capacity_bytes` of keys, fields and bodies.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        let entries = usize::try_from(capacity_bytes / TYPICAL_ENTRY_BYTES).unwrap_or(usize::MAX);
        let divisions = (capacity_bytes / LEAST_DIVISION_BYTES).clamp(1, 64);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(divisions).unwrap_or(1))
            .estimated_items_capacity(entries.clamp(16, 1 << 20))
            .weight_capacity(capacity_bytes)
            .build()
            .expect("both capacities are given");
        let hasher = DefaultHashBuilder::default();
        let records = Cache::with_options(options, ByBytes, hasher, DefaultLifecycle::default());
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

    pub(crate) fn get(&self, key: &str, now_ms: u64) -> Option<Record> {
        let record = self.0.records.get(key)?;
        if now_ms < record.expires_ms() {
            return Some(record);
        }
        self.0
            .records
            .remove_if(key, |standing| now_ms >= standing.expires_ms());
        None
    }

    pub(crate) fn put(&self, key: &str, record: Record, how: Put, now_ms: u64) -> Written {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    fn record(expires_ms: u64, length: usize) -> Record {
        Record::Entry(Arc::new(Entry {
            generated_ms: 0,
            expires_ms,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(vec![b'x'; length]),
            vary: Vec::new(),
        }))
    }

    #[test]
    fn what_it_holds_never_weighs_more_than_its_capacity() {
        for capacity in [100_000, 40 << 20] {
            let store = MemoryStore::new(capacity);
            for count in 0..2_000_usize {
                store.put(&count.to_string(), record(10, 60_000), Put::Overwrite, 0);
                assert!(
                    store.weight_bytes() <= capacity,
                    "{} of {capacity}",
                    store.weight_bytes()
                );
            }
            assert!(store.weight_bytes() > 0);
        }
    }

    #[test]
    fn a_body_of_the_layers_limit_is_kept_however_many_cores_there_are() {
        let store = MemoryStore::new(16 << 20);
        for key in 0..8 {
            store.put(&key.to_string(), record(10, 1 << 20), Put::Overwrite, 0);
            assert!(store.get(&key.to_string(), 0).is_some(), "{key}");
        }
    }

    #[test]
    fn the_first_stays_until_it_ends() {
        let store = MemoryStore::new(1 << 20);
        let put = |expires_ms, now_ms| store.put("k", record(expires_ms, 1), Put::IfAbsent, now_ms);
        assert!(matches!(put(10, 0), Written::Ours));
        assert!(matches!(put(20, 9), Written::Theirs(theirs) if theirs.expires_ms() == 10));
        assert!(matches!(put(20, 10), Written::Ours));
        assert!(store.get("k", 20).is_none());
    }
}
