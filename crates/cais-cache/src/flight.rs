//! One computation a key at a time: the first to ask leads, the others wait for its answer. A leader
//! that panics or is cancelled leaves its seat, and one of those who waited takes it.

use crate::entry::Entry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The computations that run now, by key.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<String, watch::Receiver<Option<Landing>>>>);

/// What a computation came to.
#[derive(Debug, Clone)]
pub(crate) enum Landing {
    /// A response that others may have, if they select the same by its `Vary`.
    Shared(Arc<Entry>, Arc<str>),
    /// A response for one client only: the others compute their own, all at once.
    OneOnly,
}

/// A place in a flight.
pub(crate) enum Seat {
    Leader(Leader),
    Passenger(Passenger),
}

/// Computes. Dropped without landing, it sets the key free.
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: String,
    landing: watch::Sender<Option<Landing>>,
}

/// Waits.
pub(crate) struct Passenger(watch::Receiver<Option<Landing>>);

impl Flights {
    /// Takes a place in the flight for `key`.
    pub(crate) fn board(self: &Arc<Self>, key: &str) -> Seat {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = flights.get(key) {
            return Seat::Passenger(Passenger(landing.clone()));
        }
        let (landing, waiting) = watch::channel(None);
        flights.insert(key.to_owned(), waiting);
        Seat::Leader(Leader {
            flights: Arc::clone(self),
            key: key.to_owned(),
            landing,
        })
    }
}

impl Leader {
    /// Ends the flight with this.
    pub(crate) fn land(self, landing: Landing) {
        // The key is set free by `drop`, after the passengers know.
        self.landing.send_replace(Some(landing));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flights
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

impl Passenger {
    /// What the leader's computation came to; `None` when it ended without an answer.
    pub(crate) async fn wait(mut self) -> Option<Landing> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}
