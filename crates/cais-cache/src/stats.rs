//! Counts what the cache did, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests answered from the store.
    pub hits: u64,
    /// Requests that the service behind computed because nothing stored would do.
    pub misses: u64,
    /// Of the misses, those that shared another request's computation.
    pub collapsed: u64,
    /// Requests that went past the cache: by their method or their terms, or because the store failed.
    pub bypasses: u64,
    /// Requests refused because the store is required and could not be reached.
    pub refused: u64,
    /// Operations on the store that failed.
    pub store_errors: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) collapsed: Counter,
    pub(crate) bypasses: Counter,
    pub(crate) refused: Counter,
    pub(crate) store_errors: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        Stats {
            hits: self.hits.get(),
            misses: self.misses.get(),
            collapsed: self.collapsed.get(),
            bypasses: self.bypasses.get(),
            refused: self.refused.get(),
            store_errors: self.store_errors.get(),
        }
    }
}
