//! The kinds of request, and in what proportion they are sent.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// GET over a connection that is kept and used again.
    Get,
    /// GET over a connection of its own.
    Close,
    /// POST whose body takes a while; the answer names its length and digest.
    Post,
    /// A chunked answer that takes a while; its digest comes last.
    Stream,
    /// A WebSocket session of echoes that we close.
    Ws,
    /// A long answer of known length, paced.
    Download,
}

impl Kind {
    /// All of them, in the order of tables.
    pub const ALL: [Kind; 6] = [
        Kind::Get,
        Kind::Close,
        Kind::Post,
        Kind::Stream,
        Kind::Ws,
        Kind::Download,
    ];

    /// Its name in `--mix` and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Close => "close",
            Kind::Post => "post",
            Kind::Stream => "stream",
            Kind::Ws => "ws",
            Kind::Download => "download",
        }
    }

    /// May a gateway send it again as long as no byte of the answer has come (RFC 9110 section 9.2.2)?
    /// An upgrade is a GET, too.
    pub fn is_idempotent(self) -> bool {
        self != Kind::Post
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a mix was not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MixError {
    /// Not `KIND=WEIGHT`.
    #[error("`{0}` is not KIND=WEIGHT, as in `get=70`")]
    Form(String),
    /// No such kind.
    #[error("`{0}` is no kind of request; kinds are get, close, post, stream, ws, download")]
    Kind(String),
    /// Not a number.
    #[error("`{0}` is not a weight from 0 to 100000")]
    Weight(String),
    /// All weights are zero.
    #[error("no kind has a weight above 0")]
    Empty,
}

/// Kinds with their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Kind, u32)>);

impl Mix {
    /// One kind alone.
    pub fn only(kind: Kind) -> Self {
        Self(vec![(kind, 1)])
    }

    /// The order in which kinds are sent: each as evenly spread as its weight allows, and the same
    /// in every run, so that counts can be foretold.
    pub fn order(&self) -> Order {
        Order {
            entries: self
                .0
                .iter()
                .map(|(kind, weight)| (*kind, i64::from(*weight), 0))
                .collect(),
            total: self.0.iter().map(|(_, weight)| i64::from(*weight)).sum(),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self
            .0
            .iter()
            .map(|(kind, weight)| format!("{kind}={weight}"));
        f.write_str(&entries.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Mix {
    type Err = MixError;

    /// `get=70,close=20,post=4`.
    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut entries = Vec::new();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            let (name, weight) = item
                .split_once('=')
                .ok_or_else(|| MixError::Form(item.to_owned()))?;
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| kind.name() == name.trim())
                .ok_or_else(|| MixError::Kind(name.trim().to_owned()))?;
            let weight = weight
                .trim()
                .parse()
                .ok()
                .filter(|weight| *weight <= 100_000)
                .ok_or_else(|| MixError::Weight(weight.trim().to_owned()))?;
            if weight > 0 {
                entries.push((kind, weight));
            }
        }
        if entries.is_empty() {
            return Err(MixError::Empty);
        }
        Ok(Self(entries))
    }
}

/// An endless sequence of kinds (smooth weighted round robin).
#[derive(Debug, Clone)]
pub struct Order {
    entries: Vec<(Kind, i64, i64)>,
    total: i64,
}

impl Iterator for Order {
    type Item = Kind;

    fn next(&mut self) -> Option<Kind> {
        for (_, weight, credit) in &mut self.entries {
            *credit += *weight;
        }
        let chosen = self
            .entries
            .iter_mut()
            .max_by_key(|(_, _, credit)| *credit)?;
        chosen.2 -= self.total;
        Some(chosen.0)
    }
}

/// How long the long kinds take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// From the first piece of a POST's body to its last.
    pub post: Duration,
    /// Bytes of a POST's body.
    pub post_bytes: usize,
    /// How long a streamed answer takes.
    pub stream: Duration,
    /// How long a WebSocket session lasts.
    pub ws: Duration,
    /// Between two echoes.
    pub ws_every: Duration,
    /// How long a download takes.
    pub download: Duration,
    /// Bytes of a download.
    pub download_bytes: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            post: Duration::from_secs(2),
            post_bytes: 20_000,
            stream: Duration::from_secs(2),
            ws: Duration::from_secs(5),
            ws_every: Duration::from_millis(200),
            download: Duration::from_secs(20),
            download_bytes: 400_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&[(Kind, u32)], MixError>) {
        assert_eq!(text.parse::<Mix>(), want.map(|w| Mix(w.to_vec())), "{text}");
    }

    #[test]
    fn a_mix_is_kinds_with_weights() {
        check("get=70, ws=5", Ok(&[(Kind::Get, 70), (Kind::Ws, 5)]));
        check("get=1,post=0", Ok(&[(Kind::Get, 1)]));
        check("get", Err(MixError::Form("get".into())));
        check("put=1", Err(MixError::Kind("put".into())));
        check("get=-1", Err(MixError::Weight("-1".into())));
        check("", Err(MixError::Empty));
        check("get=0", Err(MixError::Empty));
    }

    #[test]
    fn kinds_come_in_proportion_and_spread_out() {
        let mix: Mix = "get=7,post=2,ws=1".parse().unwrap();
        let ten: Vec<Kind> = mix.order().take(10).collect();
        for (kind, count) in [(Kind::Get, 7), (Kind::Post, 2), (Kind::Ws, 1)] {
            assert_eq!(ten.iter().filter(|k| **k == kind).count(), count, "{ten:?}");
        }
        assert!(
            !ten.windows(2).any(|two| two == [Kind::Post, Kind::Post]),
            "{ten:?}"
        );
    }
}
