//! Whether the store can be reached, and if not why: kept by the store's background task, read by
//! readiness checks, metrics and the layer. Logs one line for each change.

use crate::store::StoreError;
use std::sync::Arc;
use tokio::sync::watch;

/// A handle on the state of a cache's store. Clones share it.
#[derive(Debug, Clone)]
pub struct CacheHealth(Arc<watch::Sender<State>>);

#[derive(Debug, Clone)]
enum State {
    Starting,
    Reachable,
    Failing(StoreError),
}

impl CacheHealth {
    /// For a store that cannot fail.
    pub(crate) fn always_reachable() -> Self {
        Self(Arc::new(watch::Sender::new(State::Reachable)))
    }

    /// For a store that nobody has reached yet.
    pub(crate) fn starting() -> Self {
        Self(Arc::new(watch::Sender::new(State::Starting)))
    }

    /// Can the store be used now?
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        matches!(*self.0.borrow(), State::Reachable)
    }

    /// Why it cannot be used, as a sentence for people; `None` while it can.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &*self.0.borrow() {
            State::Starting => Some("the cache has not been reached yet".to_owned()),
            State::Reachable => None,
            State::Failing(error) => Some(error.to_string()),
        }
    }

    /// Waits until the store can be used.
    pub async fn reachable(&self) {
        self.wait(|state| matches!(state, State::Reachable)).await;
    }

    /// Waits until the store was tried and failed.
    pub async fn failing(&self) {
        self.wait(|state| matches!(state, State::Failing(_))).await;
    }

    async fn wait(&self, done: impl FnMut(&State) -> bool) {
        let mut state = self.0.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        drop(state.wait_for(done).await);
    }

    pub(crate) fn found_reachable(&self, address: &str) {
        let changed = self.0.send_if_modified(|state| {
            let changed = !matches!(state, State::Reachable);
            *state = State::Reachable;
            changed
        });
        if changed {
            tracing::info!(cache = address, "the cache at `{address}` is reachable");
        }
    }

    pub(crate) fn found_failing(&self, error: StoreError) {
        let message = error.to_string();
        let changed = self.0.send_if_modified(|state| {
            let same = matches!(state, State::Failing(old) if std::mem::discriminant(old) == std::mem::discriminant(&error));
            *state = State::Failing(error);
            !same
        });
        if changed {
            tracing::warn!(cache = "failing", "{message}");
        }
    }
}
