//! Picks a target: least outstanding of two random choices among those of equal weight; weight decides the
//! share. Reads the targets' counts and standing, changes neither.

use crate::target::TargetState;
use std::net::SocketAddr;
use std::sync::Arc;

/// A new target's share grows to its full one over this time.
const SLOW_START_MS: u64 = 2_000;
/// Where the ramp begins, so that a new target is asked at all.
const SLOW_START_FLOOR: f32 = 0.1;

/// A target that may be picked.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) state: Arc<TargetState>,
    pub(crate) address: SocketAddr,
    pub(crate) revision: u32,
    pub(crate) weight: u16,
}

/// Candidates in classes of equal weight. A class is drawn by its summed weight, then two of its members
/// are compared: so a 5 % canary gets 5 %, which comparing counts across weights would not give it.
#[derive(Debug, Default)]
pub(crate) struct Balancer {
    /// Sorted by weight.
    candidates: Vec<Candidate>,
    /// Start and length of each class, and the sum of weights up to its end.
    classes: Vec<(usize, usize, u64)>,
}

impl Balancer {
    pub(crate) fn new(mut candidates: Vec<Candidate>) -> Self {
        candidates.retain(|candidate| candidate.weight > 0);
        candidates.sort_by_key(|candidate| candidate.weight);
        let mut classes: Vec<(usize, usize, u64)> = Vec::new();
        let mut sum = 0;
        for (at, candidate) in candidates.iter().enumerate() {
            sum += u64::from(candidate.weight);
            match classes.last_mut() {
                Some((start, len, total)) if candidates[*start].weight == candidate.weight => {
                    *len += 1;
                    *total = sum;
                }
                _ => classes.push((at, 1, sum)),
            }
        }
        Self {
            candidates,
            classes,
        }
    }

    /// A candidate that is not among `tried` (ids of target states); `None` when there is none left.
    pub(crate) fn pick(
        &self,
        tried: &[u64],
        now_ms: u64,
        random: &mut fastrand::Rng,
    ) -> Option<&Candidate> {
        if let [only] = self.candidates.as_slice() {
            return (!tried.contains(&only.state.id)).then_some(only);
        }
        let draw = random.u64(..self.classes.last()?.2);
        let (start, len, _) = *self.classes.iter().find(|(_, _, total)| draw < *total)?;
        let class = &self.candidates[start..start + len];
        let best = match len {
            1 => &class[0],
            _ => {
                let first = random.usize(..len);
                let second = (first + random.usize(1..len)) % len;
                lighter(&class[first], &class[second])
            }
        };
        if usable(best, tried, now_ms) && random.f32() < ramp(best, now_ms) {
            return Some(best);
        }
        self.pick_carefully(tried, now_ms, random)
    }

    /// The rare case: the first choice is ejected, tried or new.
    fn pick_carefully(
        &self,
        tried: &[u64],
        now_ms: u64,
        random: &mut fastrand::Rng,
    ) -> Option<&Candidate> {
        let ejected = self
            .candidates
            .iter()
            .filter(|c| c.state.standing.is_ejected(now_ms))
            .count();
        // Never without the last half: then ejection says more about the network than about targets.
        let heed = ejected <= self.candidates.len() / 2;
        let allowed = |heed: bool| {
            let kept = self
                .candidates
                .iter()
                .filter(move |c| !tried.contains(&c.state.id));
            kept.filter(move |c| !heed || !c.state.standing.is_ejected(now_ms))
                .collect::<Vec<_>>()
        };
        let mut left = allowed(heed);
        if left.is_empty() {
            left = allowed(false);
        }
        let share = |c: &Candidate| f32::from(c.weight) * ramp(c, now_ms);
        let total: f32 = left.iter().map(|c| share(c)).sum();
        let mut draw = || {
            let mut rest = random.f32() * total;
            left.iter().find(|c| {
                rest -= share(c);
                rest < 0.0
            })
        };
        match (draw(), draw()) {
            (Some(a), Some(b)) if a.weight == b.weight => Some(lighter(a, b)),
            (Some(a), _) => Some(a),
            _ => left.first().copied(),
        }
    }
}

fn lighter<'a>(a: &'a Candidate, b: &'a Candidate) -> &'a Candidate {
    if b.state.open() < a.state.open() {
        b
    } else {
        a
    }
}

fn usable(candidate: &Candidate, tried: &[u64], now_ms: u64) -> bool {
    !candidate.state.standing.is_ejected(now_ms) && !tried.contains(&candidate.state.id)
}

fn ramp(candidate: &Candidate, now_ms: u64) -> f32 {
    let age = now_ms.saturating_sub(candidate.state.since_ms);
    if age >= SLOW_START_MS {
        1.0
    } else {
        (age as f32 / SLOW_START_MS as f32).max(SLOW_START_FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Lease, Targets};
    use cais_model::name::ServiceName;
    use std::collections::BTreeMap;

    const LATER: u64 = 60_000;

    fn balancer(weights: &[u16]) -> Balancer {
        let mut targets = Targets::default();
        let web = ServiceName::parse("web").unwrap();
        let candidate = |(task, weight): (usize, &u16)| Candidate {
            state: targets.state(&web, task as u64, 0),
            address: "127.0.0.1:1".parse().unwrap(),
            revision: 1,
            weight: *weight,
        };
        Balancer::new(weights.iter().enumerate().map(candidate).collect())
    }

    /// Share of 10,000 picks that each task got, in percent.
    fn shares(balancer: &Balancer, now_ms: u64) -> BTreeMap<u64, u64> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut picks = BTreeMap::new();
        for _ in 0..10_000 {
            *picks
                .entry(balancer.pick(&[], now_ms, &mut random).unwrap().state.task)
                .or_default() += 1;
        }
        picks
            .values_mut()
            .for_each(|count| *count = (*count + 50) / 100);
        picks
    }

    fn eject(balancer: &Balancer, task: u64) {
        let candidate = balancer
            .candidates
            .iter()
            .find(|c| c.state.task == task)
            .unwrap();
        while candidate.state.standing.failed(LATER).is_none() {}
    }

    #[test]
    fn weight_decides_the_share() {
        let found = shares(&balancer(&[95, 5]), LATER);
        assert!((94..=96).contains(&found[&0]), "{found:?}");
        let found = shares(&balancer(&[100, 100, 100, 50]), LATER);
        assert!((13..=16).contains(&found[&3]), "{found:?}");
        assert!(!shares(&balancer(&[100, 0]), LATER).contains_key(&1));
    }

    #[test]
    fn the_busier_of_two_is_left_alone() {
        let balancer = balancer(&[100, 100]);
        let _busy: Vec<_> = (0..5)
            .map(|_| Lease::take(&balancer.candidates[0].state))
            .collect();
        let found = shares(&balancer, LATER);
        assert!(!found.contains_key(&0), "{found:?}");
    }

    #[test]
    fn ejected_targets_are_left_out_but_never_the_last_half() {
        let three = balancer(&[100, 100, 100]);
        eject(&three, 0);
        assert!(!shares(&three, LATER).contains_key(&0));
        eject(&three, 1);
        assert_eq!(shares(&three, LATER).len(), 3);
        let one = balancer(&[100]);
        eject(&one, 0);
        assert_eq!(shares(&one, LATER)[&0], 100);
    }

    #[test]
    fn a_target_once_tried_is_not_picked_again_and_an_ejected_one_is_better_than_none() {
        let two = balancer(&[100, 100]);
        let mut random = fastrand::Rng::with_seed(1);
        let first = two.candidates[0].state.id;
        let second = two.candidates[1].state.id;
        eject(&two, 1);
        assert_eq!(
            two.pick(&[first], LATER, &mut random).unwrap().state.id,
            second
        );
        assert!(two.pick(&[first, second], LATER, &mut random).is_none());
        assert!(balancer(&[]).pick(&[], LATER, &mut random).is_none());
    }

    #[test]
    fn a_new_target_begins_with_a_small_share() {
        let mut targets = Targets::default();
        let web = ServiceName::parse("web").unwrap();
        let mut candidate = |task, since| Candidate {
            state: targets.state(&web, task, since),
            address: "127.0.0.1:1".parse().unwrap(),
            revision: 1,
            weight: 100,
        };
        let balancer = Balancer::new(vec![candidate(0, 0), candidate(1, LATER)]);
        let new = shares(&balancer, LATER)[&1];
        assert!((3..20).contains(&new), "{new}");
        let grown = shares(&balancer, LATER + SLOW_START_MS)[&1];
        assert!((48..=52).contains(&grown), "{grown}");
    }
}
