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
    pub(crate) variants: Option<Arc<Variants>>,
}

/// What became of a response that was to be stored.
#[derive(Debug)]
pub(crate) enum Kept {
    Ours,
    /// Another replica's stands there.
    Theirs(Arc<Entry>),
}

impl Place {
    /// For a target of which nothing is known.
    pub(crate) fn of(target: &str) -> Self {
        Self {
            key: target.to_owned(),
            target: target.to_owned(),
            variants: None,
        }
    }
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
        let mut place = Place::of(target);
        let mut record = self.get(target).await?;
        if let Some(Record::Variants(variants)) = &record {
            place.key = key::variant(target, variants, request);
            place.variants = Some(Arc::clone(variants));
            record = self.get(&place.key).await?;
        }
        let Some(Record::Entry(entry)) = record else {
            return Ok(Found::Nothing(place));
        };
        Ok(match policy::on_reuse(terms, &entry, self.now_ms()) {
            Reuse::Fresh { age_s, ttl_s } => Found::Fresh {
                entry,
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
        let key = if entry.vary.is_empty() {
            place.target.clone()
        } else {
            let variants = self.list_for(place, entry).await?;
            key::variant(&place.target, &variants, request)
        };
        let record = Record::Entry(Arc::clone(entry));
        match self.put(&key, record.clone(), how).await? {
            Written::Ours => Ok(Kept::Ours),
            Written::Theirs(Record::Entry(theirs)) => Ok(Kept::Theirs(theirs)),
            // The target varied until now, and does not any more.
            Written::Theirs(Record::Variants(_)) => {
                self.put(&key, record, Put::Overwrite).await?;
                Ok(Kept::Ours)
            }
        }
    }

    /// Forgets what is stored for a target, and with the list of its variants all of them
    /// (RFC 9111 §4.4).
    pub(crate) async fn forget(&self, target: &str) -> Result<(), StoreError> {
        self.counted(self.0.store.remove(target).await)
    }

    /// The list of variants that leads to this response, for at least as long as it lives: the one that
    /// the lookup saw, the one that another replica began since, or a new one.
    async fn list_for(&self, place: &Place, entry: &Entry) -> Result<Arc<Variants>, StoreError> {
        if let Some(known) = &place.variants {
            return self.extend(&place.target, known, entry).await;
        }
        let fresh = list(fastrand::u64(..), entry);
        let record = Record::Variants(Arc::clone(&fresh));
        match self.put(&place.target, record, Put::IfAbsent).await? {
            Written::Ours => Ok(fresh),
            Written::Theirs(Record::Variants(theirs)) => {
                self.extend(&place.target, &theirs, entry).await
            }
            Written::Theirs(Record::Entry(_)) => self.begin(&place.target, fresh).await,
        }
    }

    /// `known`, if it leads to the response long enough; else its successor.
    async fn extend(
        &self,
        target: &str,
        known: &Arc<Variants>,
        entry: &Entry,
    ) -> Result<Arc<Variants>, StoreError> {
        if known.vary != entry.vary {
            return self.begin(target, list(fastrand::u64(..), entry)).await;
        }
        if known.expires_ms >= entry.expires_ms {
            return Ok(Arc::clone(known));
        }
        self.begin(target, list(known.series, entry)).await
    }

    async fn begin(&self, target: &str, list: Arc<Variants>) -> Result<Arc<Variants>, StoreError> {
        self.put(target, Record::Variants(Arc::clone(&list)), Put::Overwrite)
            .await?;
        Ok(list)
    }

    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.counted(self.0.store.get(key, self.now_ms()).await)
    }

    async fn put(&self, key: &str, record: Record, how: Put) -> Result<Written, StoreError> {
        self.counted(self.0.store.put(key, record, how, self.now_ms()).await)
    }

    fn counted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.0.counters.store_errors.add();
        }
        result
    }
}

/// A list that begins with this response. It lives twice as long, so that it is not written again with
/// every variant.
fn list(series: u64, entry: &Entry) -> Arc<Variants> {
    let lifetime_ms = entry.expires_ms.saturating_sub(entry.generated_ms);
    let expires_ms = entry.expires_ms.saturating_add(lifetime_ms);
    Arc::new(Variants {
        expires_ms,
        series,
        vary: entry.vary.clone(),
    })
}
