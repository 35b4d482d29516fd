//! What a run comes to: counts by kind, reasons, percentiles, and which revision answered when.

use crate::kind::Kind;
use crate::outcome::Sample;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

/// Failures that a report lists one by one.
const LISTED: usize = 50;

/// A finished run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    samples: Vec<Sample>,
}

/// Counts of one kind, or of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Count {
    /// Requests whose moment came.
    pub sent: u64,
    /// Answered whole and right.
    pub ok: u64,
    /// The rest.
    pub failed: u64,
    /// Of the failed: idempotent, and no byte of an answer had come.
    pub failed_retryable: u64,
    /// Failures by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Latency from the scheduled moment, of those that were answered.
    pub latency: Option<Latency>,
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

impl Report {
    pub(crate) fn new(samples: Vec<Sample>) -> Self {
        Self { samples }
    }

    /// Every request, in the order of their moments.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The requests of several runs. Their moments each count from their own run's start.
    pub fn merge(reports: impl IntoIterator<Item = Self>) -> Self {
        Self::new(
            reports
                .into_iter()
                .flat_map(|report| report.samples)
                .collect(),
        )
    }

    /// The part for which `keep` holds.
    pub fn only(&self, keep: impl Fn(&Sample) -> bool) -> Report {
        let kept = self.samples.iter().filter(|sample| keep(sample));
        Report::new(kept.cloned().collect())
    }

    /// Counts over all kinds.
    pub fn total(&self) -> Count {
        count(self.samples.iter())
    }

    /// Counts of each kind that was sent.
    pub fn kinds(&self) -> BTreeMap<Kind, Count> {
        let of = |kind| {
            count(
                self.samples
                    .iter()
                    .filter(move |sample| sample.kind == kind),
            )
        };
        let counts = Kind::ALL.into_iter().map(|kind| (kind, of(kind)));
        counts.filter(|(_, count)| count.sent > 0).collect()
    }

    /// The first failures.
    pub fn failures(&self) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(|sample| sample.result.is_err())
            .take(LISTED)
    }

    /// When the last request of this window was sent that was answered by a revision for which `is_old` holds: from
    /// then on every new request reached another. `None` when none was.
    pub fn last_sent_to(
        &self,
        window: Range<Duration>,
        is_old: impl Fn(&str) -> bool,
    ) -> Option<Duration> {
        self.samples
            .iter()
            .filter(|sample| window.contains(&sample.sent))
            .filter(|sample| sample.who.as_ref().is_some_and(|who| is_old(&who.revision)))
            .map(|sample| sample.sent)
            .max()
    }

    /// Answers by revision.
    pub fn revisions(&self) -> BTreeMap<String, u64> {
        let mut revisions = BTreeMap::new();
        for who in self.samples.iter().filter_map(|sample| sample.who.as_ref()) {
            *revisions.entry(who.revision.clone()).or_default() += 1;
        }
        revisions
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<9} {:>8} {:>8} {:>7} {:>10}  {:>9} {:>9} {:>9} {:>9}  reasons\n",
            "kind", "sent", "ok", "failed", "retryable", "p50 ms", "p90 ms", "p99 ms", "max ms"
        );
        let mut line = |name: &str, count: &Count| {
            let ms = |pick: fn(&Latency) -> u64| {
                let value = count.latency.as_ref().map(pick);
                value.map_or_else(|| "-".to_owned(), |us| format!("{:.1}", us as f64 / 1000.0))
            };
            let reasons = count
                .reasons
                .iter()
                .map(|(reason, n)| format!("{reason} {n}"));
            let _ = writeln!(
                text,
                "{name:<9} {:>8} {:>8} {:>7} {:>10}  {:>9} {:>9} {:>9} {:>9}  {}",
                count.sent,
                count.ok,
                count.failed,
                count.failed_retryable,
                ms(|l| l.p50_us),
                ms(|l| l.p90_us),
                ms(|l| l.p99_us),
                ms(|l| l.max_us),
                reasons.collect::<Vec<_>>().join(", ")
            );
        };
        for (kind, count) in self.kinds() {
            line(kind.name(), &count);
        }
        line("all", &self.total());
        let revisions = self.revisions();
        if !revisions.is_empty() {
            let list = revisions
                .iter()
                .map(|(revision, n)| format!("{revision}: {n}"));
            let _ = writeln!(
                text,
                "answers by revision: {}",
                list.collect::<Vec<_>>().join(", ")
            );
        }
        for sample in self.failures() {
            let _ = writeln!(text, "{}", describe(sample));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "version": 1,
            "total": self.total(),
            "kinds": self.kinds(),
            "revisions": self.revisions(),
            "failures": self.failures().map(describe).collect::<Vec<_>>(),
        })
    }
}

/// A failed request in one line.
pub fn describe(sample: &Sample) -> String {
    let (reason, begun) = match &sample.result {
        Ok(()) => ("ok".to_owned(), true),
        Err(fault) => (fault.reason.to_string(), fault.answer_begun),
    };
    let who = sample.who.as_ref().map_or_else(
        || "nobody known".to_owned(),
        |who| format!("task {} at {}", who.task, who.revision),
    );
    format!(
        "load-{} {}: {reason} ({}), sent at {:.3} s, over at {:.3} s, {who}",
        sample.number,
        sample.kind,
        if begun {
            "the answer had begun"
        } else {
            "before any byte of an answer"
        },
        sample.sent.as_secs_f64(),
        sample.end.as_secs_f64(),
    )
}

fn count<'a>(samples: impl Iterator<Item = &'a Sample>) -> Count {
    let mut count = Count::default();
    // One microsecond to an hour, three digits.
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).ok();
    for sample in samples {
        count.sent += 1;
        match &sample.result {
            Ok(()) => count.ok += 1,
            Err(fault) => {
                count.failed += 1;
                count.failed_retryable += u64::from(sample.is_failed_retryable());
                *count.reasons.entry(fault.reason.to_string()).or_default() += 1;
            }
        }
        if let (Some(histogram), Some(latency)) = (&mut histogram, sample.latency) {
            histogram.saturating_record(
                u64::try_from(latency.as_micros())
                    .unwrap_or(u64::MAX)
                    .max(1),
            );
        }
    }
    count.latency = histogram
        .filter(|histogram| !histogram.is_empty())
        .map(|histogram| Latency {
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        });
    count
}
