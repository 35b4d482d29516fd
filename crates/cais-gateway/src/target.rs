//! What outlives a table: each target's count of open requests and its standing, shared by all cores.

use crate::eject::Standing;
use crate::table::RouteTable;
use cais_model::name::ServiceName;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// Alone on its cache line (two, as Intel's prefetcher takes them in pairs), so that cores do not fight over a neighbour's count.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// A target across tables.
#[derive(Debug)]
pub(crate) struct TargetState {
    /// Unique in this process: the same address with another task is another target.
    pub(crate) id: u64,
    pub(crate) task: u64,
    pub(crate) standing: Standing,
    /// When it entered the table, milliseconds of the gateway's clock.
    pub(crate) since_ms: u64,
    draining: AtomicBool,
    open: Padded<AtomicU64>,
    upgraded: Padded<AtomicU64>,
    changed: Arc<Notify>,
}

/// Requests and connections open on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) upgraded: u64,
}

impl TargetState {
    /// Open requests, read by the balancer.
    pub(crate) fn open(&self) -> u64 {
        self.open.0.load(Ordering::Relaxed)
    }

    /// Both counts, for a report.
    pub(crate) fn load(&self) -> Load {
        Load {
            requests: self.open.0.load(Ordering::SeqCst),
            upgraded: self.upgraded.0.load(Ordering::SeqCst),
        }
    }

    fn tell(&self) {
        // SeqCst on the count and on the flag: either the controller, which raises the flag before it reads the
        // count, sees this change, or this load sees the flag; a change can not slip between the two.
        if self.draining.load(Ordering::SeqCst) {
            self.changed.notify_one();
        }
    }
}

/// One open request or connection on a target; the count falls when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    target: Arc<TargetState>,
    upgraded: bool,
}

impl Lease {
    pub(crate) fn take(target: &Arc<TargetState>) -> Self {
        target.open.0.fetch_add(1, Ordering::SeqCst);
        Self {
            target: Arc::clone(target),
            upgraded: false,
        }
    }

    pub(crate) fn target(&self) -> &Arc<TargetState> {
        &self.target
    }

    /// From now on it counts as an upgraded connection too.
    pub(crate) fn upgrade(&mut self) {
        if !self.upgraded {
            self.upgraded = true;
            self.target.upgraded.0.fetch_add(1, Ordering::SeqCst);
            self.target.tell();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.upgraded {
            self.target.upgraded.0.fetch_sub(1, Ordering::SeqCst);
        }
        self.target.open.0.fetch_sub(1, Ordering::SeqCst);
        self.target.tell();
    }
}

/// All targets that a table names or that still have something open; kept by the control thread alone.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    known: HashMap<(ServiceName, u64), Arc<TargetState>>,
    next_id: u64,
    changed: Arc<Notify>,
    reported: HashMap<u64, Load>,
}

impl Targets {
    /// Wakes when a draining target's count may have changed.
    pub(crate) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// The state of a task's target, made when it is new.
    pub(crate) fn state(
        &mut self,
        service: &ServiceName,
        task: u64,
        now_ms: u64,
    ) -> Arc<TargetState> {
        let (next_id, changed) = (&mut self.next_id, &self.changed);
        let state = self
            .known
            .entry((service.clone(), task))
            .or_insert_with(|| {
                *next_id += 1;
                Arc::new(TargetState {
                    id: *next_id,
                    task,
                    standing: Standing::default(),
                    since_ms: now_ms,
                    draining: AtomicBool::new(false),
                    open: Padded::default(),
                    upgraded: Padded::default(),
                    changed: Arc::clone(changed),
                })
            });
        Arc::clone(state)
    }

    /// Forgets what the table does not name and nobody uses, and marks who drains. To be called when every
    /// core serves the table, before [`Targets::drained`] is asked.
    pub(crate) fn settle(&mut self, table: &RouteTable) {
        let mut draining: HashMap<(&ServiceName, u64), bool> = HashMap::new();
        for (service, pool) in &table.pools {
            for target in &pool.targets {
                // One that no table had before, or that was forgotten meanwhile (it fell ill first), has
                // nothing open; whoever drains it waits to hear just that.
                if target.draining {
                    self.state(service, target.task, 0);
                }
                draining.insert((service, target.task), target.draining);
            }
        }
        self.known.retain(|(service, task), state| {
            let named = draining.get(&(service, *task)).copied();
            state.draining.store(named == Some(true), Ordering::SeqCst);
            named.is_some() || state.load() != Load::default()
        });
        let known = &self.known;
        self.reported.retain(|id, _| {
            known
                .values()
                .any(|state| state.id == *id && state.draining.load(Ordering::SeqCst))
        });
    }

    /// Draining targets whose count differs from the last report (all of them after [`Targets::forget_reports`]).
    pub(crate) fn drained(&mut self) -> Vec<(u64, Load)> {
        let mut news = Vec::new();
        for state in self
            .known
            .values()
            .filter(|state| state.draining.load(Ordering::SeqCst))
        {
            let load = state.load();
            if self.reported.insert(state.id, load) != Some(load) {
                news.push((state.task, load));
            }
        }
        news
    }

    /// A new supervisor has heard nothing yet.
    pub(crate) fn forget_reports(&mut self) {
        self.reported.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Pool, Target};
    use std::collections::BTreeMap;

    fn table(tasks: &[(u64, bool)]) -> RouteTable {
        let targets = tasks
            .iter()
            .map(|(task, draining)| Target {
                task: *task,
                revision: 1,
                addresses: BTreeMap::new(),
                draining: *draining,
                weight: 100,
            })
            .collect();
        let pool = Pool {
            targets,
            ..Pool::default()
        };
        RouteTable {
            pools: [(ServiceName::parse("web").unwrap(), pool)].into(),
            ..RouteTable::default()
        }
    }

    #[test]
    fn counts_survive_tables_and_zero_is_reported_once() {
        let web = ServiceName::parse("web").unwrap();
        let mut targets = Targets::default();
        let lease = Lease::take(&targets.state(&web, 7, 0));
        targets.settle(&table(&[(7, false)]));
        assert_eq!(targets.drained(), []);
        targets.settle(&table(&[(7, true)]));
        assert_eq!(
            targets.drained(),
            [(
                7,
                Load {
                    requests: 1,
                    upgraded: 0
                }
            )]
        );
        assert_eq!(targets.drained(), []);
        drop(lease);
        assert_eq!(targets.drained(), [(7, Load::default())]);
        assert_eq!(targets.drained(), []);
    }

    #[test]
    fn a_draining_target_that_was_not_in_the_last_table_is_reported_empty() {
        let mut targets = Targets::default();
        targets.settle(&table(&[(7, true)]));
        assert_eq!(targets.drained(), [(7, Load::default())]);
        assert_eq!(targets.drained(), []);
    }

    #[test]
    fn a_target_that_left_the_table_is_kept_while_something_is_open_on_it() {
        let web = ServiceName::parse("web").unwrap();
        let mut targets = Targets::default();
        let state = targets.state(&web, 7, 0);
        let mut lease = Lease::take(&state);
        lease.upgrade();
        targets.settle(&table(&[]));
        assert_eq!(targets.state(&web, 7, 0).id, state.id);
        assert_eq!(
            state.load(),
            Load {
                requests: 1,
                upgraded: 1
            }
        );
        drop(lease);
        targets.settle(&table(&[]));
        assert_ne!(targets.state(&web, 7, 0).id, state.id);
    }
}
