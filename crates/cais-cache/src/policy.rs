//! What a shared cache may do with a request and its response (RFC 9111). Pure: message heads and the
//! time come in, a decision goes out, and every "no" carries its reason. Looking up, computing and
//! storing are the layer's.

use crate::directives::{Directives, split_list};
use crate::entry::Entry;
use http::header::{
    AGE, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, DATE, EXPIRES, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, request, response};
use std::time::{Duration, UNIX_EPOCH};

/// A target longer than this is not cached: keys stay bounded.
const MAX_TARGET_BYTES: usize = 2048;

/// What a request lets the cache do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Look for a stored response, on these terms.
    Ask(Terms),
    /// Go straight to the service.
    Forward(Forward),
}

/// Why a request goes past the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Its method is neither GET nor HEAD (§3).
    Method,
    /// It says `no-store` (§5.2.1.5).
    NoStore,
    /// It asks for a range, and this cache keeps whole responses only (§3.3).
    Range,
    /// Its target is longer than 2,048 bytes.
    LongTarget,
}

/// What a request asks of a stored response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// `no-cache`: no stored response will do; the new one may be stored (§5.2.1.4).
    pub reload: bool,
    /// `only-if-cached`: 504 instead of a computation (§5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age`: the greatest age that will do, seconds (§5.2.1.1).
    pub max_age_s: Option<u64>,
    /// `min-fresh`: how long it must stay fresh, seconds (§5.2.1.3).
    pub min_fresh_s: Option<u64>,
    /// It carries `Authorization` (§3.5).
    pub authorized: bool,
    /// It is a HEAD: answered from a stored GET, never stored itself (RFC 9110 §9.3.2).
    pub head: bool,
}

/// May the response be stored?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storing {
    /// Yes, with this lifetime.
    Store(Lifetime),
    /// No, because.
    No(Refusal),
}

/// When a response came to be and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetime {
    /// Unix milliseconds at which it was generated: now, less the `Age` it came with.
    pub generated_ms: u64,
    /// Unix milliseconds from which it is not served any more.
    pub expires_ms: u64,
    /// The layer's default was used, because the response names no lifetime of its own.
    pub by_default: bool,
    /// Field names of its `Vary`, lower case, sorted, each once (§4.1).
    pub vary: Vec<HeaderName>,
}

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It answers a HEAD, and only whole GET responses are kept.
    Head,
    /// Its status is not one that this cache stores (RFC 9110 §15.1).
    Status,
    /// It says `no-store` (§5.2.2.5).
    NoStore,
    /// It says `private` (§5.2.2.7).
    Private,
    /// It says `no-cache`, and this cache does not revalidate (§5.2.2.4).
    NoCache,
    /// It sets a cookie, which belongs to one client (§7.3).
    SetCookie,
    /// It answers a request with `Authorization` and does not allow a shared cache to keep it (§3.5).
    Authorization,
    /// `Vary: *` (§4.1).
    VaryAll,
    /// It is one part of a larger thing (§3.3).
    Partial,
    /// It is a stream of events, which never ends.
    EventStream,
    /// Neither it nor the layer names a lifetime.
    NoLifetime,
    /// Its lifetime is over on arrival.
    Expired,
    /// Its body is larger than the layer's limit, or ends in trailers.
    Body,
}

/// May a stored response answer this request?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Yes.
    Fresh {
        /// Seconds since it was generated, for `Age`.
        age_s: u64,
        /// Whole seconds that it stays fresh.
        ttl_s: u64,
    },
    /// Its lifetime is over; nothing is ever served stale.
    Stale,
    /// The request's own terms rule it out.
    Request,
    /// The request carries `Authorization` and the response does not say that all may share it (§3.5).
    Authorization,
}

/// Reads a request.
#[must_use]
pub fn on_request(request: &request::Parts) -> Lookup {
    let head = match request.method {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Lookup::Forward(Forward::Method),
    };
    let directives = Directives::of(&request.headers);
    if directives.no_store {
        return Lookup::Forward(Forward::NoStore);
    }
    if request.headers.contains_key(RANGE) {
        return Lookup::Forward(Forward::Range);
    }
    if request
        .uri
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > MAX_TARGET_BYTES)
    {
        return Lookup::Forward(Forward::LongTarget);
    }
    Lookup::Ask(Terms {
        reload: directives.no_cache,
        only_if_cached: directives.only_if_cached,
        max_age_s: directives.max_age,
        min_fresh_s: directives.min_fresh,
        authorized: request.headers.contains_key(AUTHORIZATION),
        head,
    })
}

/// Decides whether a response that arrived at `now_ms` may be stored. `default_ttl` is the lifetime of
/// a response that names none itself and whose status is cacheable by default.
#[must_use]
pub fn on_response(
    terms: Terms,
    response: &response::Parts,
    default_ttl: Option<Duration>,
    now_ms: u64,
) -> Storing {
    let directives = Directives::of(&response.headers);
    if let Some(refusal) = refusal(terms, response, directives) {
        return Storing::No(refusal);
    }
    let Some(vary) = vary_names(&response.headers) else {
        return Storing::No(Refusal::VaryAll);
    };
    let own = own_lifetime(&response.headers, directives, now_ms);
    let Some(lifetime_ms) = own.or(default_ttl.map(millis)) else {
        return Storing::No(Refusal::NoLifetime);
    };
    let generated_ms = now_ms.saturating_sub(initial_age_ms(&response.headers, now_ms));
    let expires_ms = generated_ms.saturating_add(lifetime_ms);
    if expires_ms <= now_ms {
        return Storing::No(Refusal::Expired);
    }
    Storing::Store(Lifetime {
        generated_ms,
        expires_ms,
        by_default: own.is_none(),
        vary,
    })
}

/// Decides whether a stored response may answer a request at `now_ms`.
#[must_use]
pub fn on_reuse(terms: Terms, entry: &Entry, now_ms: u64) -> Reuse {
    if now_ms >= entry.expires_ms {
        return Reuse::Stale;
    }
    // An entry from the future (a replica's clock runs ahead) is as new as can be.
    let age_s = now_ms.saturating_sub(entry.generated_ms) / 1000;
    let ttl_s = (entry.expires_ms - now_ms) / 1000;
    if terms.reload
        || terms.max_age_s.is_some_and(|most| age_s > most)
        || terms.min_fresh_s.is_some_and(|least| ttl_s < least)
    {
        return Reuse::Request;
    }
    if terms.authorized && !shareable(Directives::of(&entry.headers)) {
        return Reuse::Authorization;
    }
    Reuse::Fresh { age_s, ttl_s }
}

fn refusal(terms: Terms, response: &response::Parts, directives: Directives) -> Option<Refusal> {
    let headers = &response.headers;
    let checks = [
        (terms.head, Refusal::Head),
        (!cacheable_by_default(response.status), Refusal::Status),
        (directives.no_store, Refusal::NoStore),
        (directives.private, Refusal::Private),
        (directives.no_cache, Refusal::NoCache),
        (headers.contains_key(SET_COOKIE), Refusal::SetCookie),
        (
            terms.authorized && !shareable(directives),
            Refusal::Authorization,
        ),
        (headers.contains_key(CONTENT_RANGE), Refusal::Partial),
        (is_event_stream(headers), Refusal::EventStream),
    ];
    checks
        .into_iter()
        .find_map(|(applies, reason)| applies.then_some(reason))
}

/// RFC 9110 §15.1, without 206: parts are not kept.
fn cacheable_by_default(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// §3.5: what allows an answer to an authorized request to be shared.
fn shareable(directives: Directives) -> bool {
    directives.public || directives.must_revalidate || directives.s_maxage.is_some()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/event-stream")
    })
}

/// The names in `Vary`; `None` for `*` and for what is no field name (it cannot be compared).
fn vary_names(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for line in headers.get_all(VARY) {
        for member in split_list(line.as_bytes()) {
            if member == b"*" {
                return None;
            }
            names.push(HeaderName::from_bytes(member).ok()?);
        }
    }
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Some(names)
}

/// §4.2.1: `s-maxage`, then `max-age`, then `Expires` less `Date`; milliseconds.
fn own_lifetime(headers: &HeaderMap, directives: Directives, now_ms: u64) -> Option<u64> {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(seconds.saturating_mul(1000));
    }
    let expires = headers.get(EXPIRES)?;
    // §5.3: what is no date lies in the past.
    let Some(expires_ms) = date_ms(expires.as_bytes()) else {
        return Some(0);
    };
    let date_ms = headers
        .get(DATE)
        .and_then(|date| date_ms(date.as_bytes()))
        .unwrap_or(now_ms);
    Some(expires_ms.saturating_sub(date_ms))
}

/// §4.2.3: the greater of what `Age` says and what `Date` shows. A service that names neither has just
/// computed its answer. `Date` has whole seconds, so less than one second proves nothing.
fn initial_age_ms(headers: &HeaderMap, now_ms: u64) -> u64 {
    let stated = headers
        .get(AGE)
        .and_then(|age| age.to_str().ok()?.trim().parse::<u64>().ok())
        .map_or(0, |seconds| seconds.saturating_mul(1000));
    let apparent = headers
        .get(DATE)
        .and_then(|date| date_ms(date.as_bytes()))
        .map_or(0, |date_ms| now_ms.saturating_sub(date_ms));
    stated.max(if apparent < 1000 { 0 } else { apparent })
}

fn date_ms(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()?;
    Some(time.duration_since(UNIX_EPOCH).map_or(0, millis))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
