//! A cache that layers share: its store, what it does while the store is away, its flights and its
//! counts. Finds and keeps responses; whether they may be used is asked of `policy`.

use crate::clock::Clock;
use crate::entry::{Entry, Record, Variants};
use crate::flight::Flights;
use crate::health::CacheHealth;
use crate::key;
use crate::policy::{self, Reuse, Terms};
use crate::stats::{Counters, Stats};
use crate::store::{Put, Store, StoreError, Written};
use http::request;
use std::sync::Arc;

/// What happens to requests while the store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They are computed, uncached, and say so.
    #[default]
    BestEffort,
    /// They are answered with 503.
    Required,
}

/// A response cache. Clones share everything.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    mode: Mode,
    clock: Clock,
    health: CacheHealth,
    flights: Arc<Flights>,
    counters: Counters,
}

/// What the store has for a request.
#[derive(Debug)]
pub(crate) enum Found {
    /// A response that may be used.
    Fresh {
        entry: Arc<Entry>,
        age_s: u64,
        ttl_s: u64,
    },
    /// None.
    Nothing(Place),
    /// One, but not for this request's terms.
    Unsuitable(Place, Reuse),
}

/// Where a response to this request belongs, by what the lookup saw.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Key that was looked at last: one flight.
    pub(crate) key: String,
    /// Key of the target.
    pub(crate) target: String,
    /// What the target's responses vary by, where that is known.
    pub(crate) variants: Option<Variants>,
}

/// What became of a response that was to be stored.
#[derive(Debug)]
pub(crate) enum Kept {
    Ours(Arc<str>),
    /// Another replica's stands there, with this key.
    Theirs(Arc<Entry>, Arc<str>),
}

impl Cache {
    /// A cache over `store`, by the system's clock.
    #[must_use]
    pub fn new(store: Store, mode: Mode) -> Self {
        Self::with_clock(store, mode, Clock::system())
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(store: Store, mode: Mode, clock: Clock) -> Self {
        let health = store.health();
        let (flights, counters) = (Arc::default(), Counters::default());
        Self(Arc::new(Inner {
            store,
            mode,
            clock,
            health,
            flights,
            counters,
        }))
    }

    /// Whether the store can be reached.
    #[must_use]
    pub fn health(&self) -> CacheHealth {
        self.0.health.clone()
    }

    /// What happens while it cannot.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Totals since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.read()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn flights(&self) -> &Arc<Flights> {
        &self.0.flights
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    /// Must requests be refused now?
    pub(crate) fn refuses(&self) -> bool {
        self.0.mode == Mode::Required && !self.0.health.is_reachable()
    }

    /// Looks for a response to `request`, whose target has the key `target`.
    pub(crate) async fn find(
        &self,
        target: &str,
        request: &request::Parts,
        terms: Terms,
    ) -> Result<Found, StoreError> {
        let mut place = Place {
            key: target.to_owned(),
            target: target.to_owned(),
            variants: None,
        };
        let mut record = self.get(target).await?;
        if let Some(Record::Variants(variants)) = record.as_deref() {
            place.key = key::variant(target, &variants.vary, request);
            place.variants = Some(variants.clone());
            record = self.get(&place.key).await?;
        }
        let Some(Record::Entry(entry)) = record.as_deref() else {
            return Ok(Found::Nothing(place));
        };
        Ok(match policy::on_reuse(terms, entry, self.now_ms()) {
            Reuse::Fresh { age_s, ttl_s } => Found::Fresh {
                entry: Arc::new(entry.clone()),
                age_s,
                ttl_s,
            },
            Reuse::Stale => Found::Nothing(place),
            reason @ (Reuse::Request | Reuse::Authorization) => Found::Unsuitable(place, reason),
        })
    }

    /// Stores a response where `place` says. With [`Put::IfAbsent`] the first replica wins.
    pub(crate) async fn keep(
        &self,
        place: &Place,
        request: &request::Parts,
        entry: &Arc<Entry>,
        how: Put,
    ) -> Result<Kept, StoreError> {
        if entry.vary.is_empty() {
            let key: Arc<str> = place.target.as_str().into();
            return self.write(key, entry, how).await;
        }
        let key: Arc<str> = key::variant(&place.target, &entry.vary, request).into();
        // A variant that the lookup did not see may be left over from a list that was removed since:
        // it is overwritten, unless another replica has begun a new list in between.
        let began_list = self.keep_variants(place, entry).await?;
        let how = if began_list { Put::Overwrite } else { how };
        self.write(key, entry, how).await
    }

    /// Forgets what is stored for a target (RFC 9111 §4.4). Variants stay until they end, but nothing
    /// leads to them.
    pub(crate) async fn forget(&self, target: &str) -> Result<(), StoreError> {
        self.counted(self.0.store.remove(target).await)
    }

    async fn write(&self, key: Arc<str>, entry: &Arc<Entry>, how: Put) -> Result<Kept, StoreError> {
        let record = Arc::new(Record::Entry(Entry::clone(entry)));
        match self.put(&key, Arc::clone(&record), how).await? {
            Written::Ours => Ok(Kept::Ours(key)),
            Written::Theirs(theirs) => match theirs.as_ref() {
                Record::Entry(theirs) => Ok(Kept::Theirs(Arc::new(theirs.clone()), key)),
                // The target varied until now, and does not any more.
                Record::Variants(_) => {
                    self.put(&key, record, Put::Overwrite).await?;
                    Ok(Kept::Ours(key))
                }
            },
        }
    }

    /// Makes the target's key lead to variants, for at least as long as this one lives. True when the
    /// list is new.
    async fn keep_variants(&self, place: &Place, entry: &Entry) -> Result<bool, StoreError> {
        // Twice the lifetime, so that the list is not written again with every variant.
        let lifetime_ms = entry.expires_ms.saturating_sub(entry.generated_ms);
        let list = Variants {
            expires_ms: entry.expires_ms.saturating_add(lifetime_ms),
            vary: entry.vary.clone(),
        };
        let leads =
            |known: &Variants| known.vary == entry.vary && known.expires_ms >= entry.expires_ms;
        if place.variants.as_ref().is_some_and(leads) {
            return Ok(false);
        }
        let record = Arc::new(Record::Variants(list));
        if place.variants.is_some() {
            self.put(&place.target, record, Put::Overwrite).await?;
            return Ok(false);
        }
        match self
            .put(&place.target, Arc::clone(&record), Put::IfAbsent)
            .await?
        {
            Written::Ours => Ok(true),
            Written::Theirs(theirs) => {
                if !matches!(theirs.as_ref(), Record::Variants(known) if leads(known)) {
                    self.put(&place.target, record, Put::Overwrite).await?;
                }
                Ok(false)
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Arc<Record>>, StoreError> {
        self.counted(self.0.store.get(key, self.now_ms()).await)
    }

    async fn put(&self, key: &str, record: Arc<Record>, how: Put) -> Result<Written, StoreError> {
        self.counted(self.0.store.put(key, record, how, self.now_ms()).await)
    }

    fn counted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.0.counters.store_errors.add();
        }
        result
    }
}
