//! The `Cache-Status` field (RFC 9211): says in one line what the cache did with a request.

use crate::policy::{Forward, Refusal};
use http::HeaderValue;
use std::fmt;

/// What the cache did. Its `Display` is the field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// Answered from the store.
    Hit {
        /// Whole seconds that the response stays fresh.
        ttl_s: u64,
    },
    /// Computed by the service behind.
    Fwd(Fwd, Then),
    /// Answered by the cache itself: the store is required and cannot be reached.
    Refused,
    /// Answered by the cache itself: the request wanted a stored response and there is none.
    OnlyIfCached,
}

/// Why the request went forward (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fwd {
    /// The cache is not to handle such a request, or cannot.
    Bypass,
    /// Its method.
    Method,
    /// Nothing is stored for the target.
    UriMiss,
    /// Nothing is stored for the target with such request fields.
    VaryMiss,
    /// The request's own terms.
    Request,
    /// The store cannot be reached.
    Unreachable,
}

/// What became of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Stored.
    Stored,
    /// Shared by several requests, of which this one did not compute it.
    Collapsed,
    /// Another replica had stored its own first; that one is the answer.
    Adopted,
    /// Not stored, because of the response.
    Refused(Refusal),
    /// Not stored, because of the request.
    Passed(Forward),
    /// Nothing to say.
    Nothing,
}

impl CacheStatus {
    /// The field's value.
    #[must_use]
    pub fn value(self) -> HeaderValue {
        // All parts are ASCII of our own, so this always succeeds; `cais` alone is the honest rest.
        HeaderValue::from_str(&self.to_string()).unwrap_or(HeaderValue::from_static("cais"))
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit { ttl_s } => write!(f, "cais; hit; ttl={ttl_s}"),
            Self::Fwd(fwd, then) => {
                write!(f, "cais; fwd={}", fwd.value())?;
                then.parameter()
                    .map_or(Ok(()), |parameter| write!(f, "; {parameter}"))
            }
            Self::Refused => f.write_str("cais; fwd=bypass; detail=store-unreachable"),
            Self::OnlyIfCached => f.write_str("cais; detail=only-if-cached"),
        }
    }
}

impl Fwd {
    fn value(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Unreachable => "bypass; detail=store-unreachable",
        }
    }
}

impl Then {
    fn parameter(self) -> Option<&'static str> {
        Some(match self {
            Self::Stored => "stored",
            Self::Collapsed => "collapsed",
            Self::Adopted => "detail=stored-by-another",
            Self::Nothing | Self::Passed(Forward::Method) => return None,
            Self::Passed(Forward::NoStore) => "detail=no-store",
            Self::Passed(Forward::Range) => "detail=range",
            Self::Passed(Forward::LongTarget) => "detail=long-target",
            Self::Refused(refusal) => return Some(refusal_parameter(refusal)),
        })
    }
}

fn refusal_parameter(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Head => "detail=head",
        Refusal::Status => "detail=status",
        Refusal::NoStore => "detail=no-store",
        Refusal::Private => "detail=private",
        Refusal::NoCache => "detail=no-cache",
        Refusal::SetCookie => "detail=set-cookie",
        Refusal::Authorization => "detail=authorization",
        Refusal::VaryAll => "detail=vary-all",
        Refusal::Partial => "detail=partial",
        Refusal::EventStream => "detail=event-stream",
        Refusal::NoLifetime => "detail=no-lifetime",
        Refusal::Expired => "detail=expired",
        Refusal::Body => "detail=body",
    }
}
