//! One request on its way: lookup, flight, computation, storing, and what is written on the response of
//! all that. What may be stored and reused is decided in `policy`.

use crate::cache::{Cache, Found, Kept, Mode, Place};
use crate::entry::Entry;
use crate::flight::{Landing, Leader, Seat};
use crate::key;
use crate::layer::{ResponseBody, Settings};
use crate::message::{self, Collected};
use crate::policy::{self, Forward, Lookup, Refusal, Reuse, Storing, Terms};
use crate::status::{CacheStatus, Fwd, Then};
use crate::store::Put;
use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use http_body_util::Full;
use std::error::Error;
use std::sync::Arc;
use tower::{Service, ServiceExt};

type Answer<E> = Result<Response<ResponseBody>, E>;

/// Answers a request from the cache or by the service.
pub(crate) async fn answer<S, B, D>(
    settings: &Settings,
    inner: S,
    request: Request<B>,
) -> Answer<S::Error>
where
    S: Service<Request<B>, Response = Response<D>> + Send,
    S::Future: Send,
    D: Body<Data = Bytes> + Send + Unpin + 'static,
    D::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let cache = &settings.cache;
    let (head, body) = request.into_parts();
    if cache.refuses() {
        cache.counters().refused.add();
        return Ok(message::refused(cache.health().reason()));
    }
    let target = key::target(&settings.prefix, settings.host, &head);
    let lookup = policy::on_request(&head);
    let computation = Computation {
        settings,
        inner,
        head,
        body,
    };
    match lookup {
        Lookup::Forward(reason) => computation.pass(reason, &target).await,
        Lookup::Ask(terms) => computation.ask(terms, &target).await,
    }
}

/// How often a request looks again because the computation it waited for was no answer to it. Past
/// this it computes alone; only a target whose `Vary` changes all the time gets there.
const ROUNDS: u32 = 8;

/// A request on its way to an answer. Computing uses it up.
struct Computation<'a, S, B> {
    settings: &'a Settings,
    inner: S,
    head: request::Parts,
    body: B,
}

/// What a computation is to do with its response.
struct Errand {
    terms: Terms,
    place: Place,
    fwd: Fwd,
    how: Put,
    leader: Option<Leader>,
}

impl<S, B, D> Computation<'_, S, B>
where
    S: Service<Request<B>, Response = Response<D>> + Send,
    S::Future: Send,
    D: Body<Data = Bytes> + Send + Unpin + 'static,
    D::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Looks, waits for who computes already, or computes.
    async fn ask(self, terms: Terms, target: &str) -> Answer<S::Error> {
        let mut last = None;
        for _ in 0..ROUNDS {
            let (place, fwd) = match look(self.cache(), &self.head, terms, target).await {
                Step::Answer(response) => return Ok(response),
                Step::Alone(place, fwd) => return self.alone(terms, place, fwd).await,
                Step::Board(place, fwd) => last.insert((place, fwd)),
            };
            let passenger = match self.cache().flights().board(&place.key) {
                Seat::Passenger(passenger) => passenger,
                Seat::Leader(leader) => {
                    // Looks once more: the computation before this one may have ended, or the target's
                    // `Vary` have become known, between the look and the seat. Not where the store has
                    // just failed: it would cost its limit again.
                    let step = match fwd {
                        Fwd::Unreachable => Step::Board(place.clone(), *fwd),
                        _ => look(self.cache(), &self.head, terms, target).await,
                    };
                    match step {
                        Step::Answer(response) => return Ok(response),
                        Step::Board(again, fwd) if again.key == place.key => {
                            let (place, how, leader) = (again, Put::IfAbsent, Some(leader));
                            return self
                                .compute(Errand {
                                    terms,
                                    place,
                                    fwd,
                                    how,
                                    leader,
                                })
                                .await;
                        }
                        Step::Board(..) | Step::Alone(..) => continue,
                    }
                }
            };
            match passenger.wait().await {
                Some(Landing::Shared(entry, selector)) => {
                    if let Some(response) = self.collapsed(terms, *fwd, &entry, &selector) {
                        return Ok(response);
                    }
                }
                Some(Landing::OneOnly) => break,
                None => {}
            }
        }
        let (place, fwd) = last.unwrap_or_else(|| (Place::of(target), Fwd::UriMiss));
        self.alone(terms, place, fwd).await
    }

    /// Computes for this request only.
    async fn alone(self, terms: Terms, place: Place, fwd: Fwd) -> Answer<S::Error> {
        let how = if fwd == Fwd::Request {
            Put::Overwrite
        } else {
            Put::IfAbsent
        };
        self.compute(Errand {
            terms,
            place,
            fwd,
            how,
            leader: None,
        })
        .await
    }

    /// The answer of a computation that this request waited for, if it is one to this request too.
    fn collapsed(
        &self,
        terms: Terms,
        fwd: Fwd,
        entry: &Entry,
        selector: &str,
    ) -> Option<Response<ResponseBody>> {
        let cache = self.cache();
        if key::selector(&entry.vary, &self.head) != selector {
            return None;
        }
        let Reuse::Fresh { age_s, .. } = policy::on_reuse(terms, entry, cache.now_ms()) else {
            return None;
        };
        count(cache, fwd);
        cache.counters().collapsed.add();
        let status = CacheStatus::Fwd(fwd, Then::Collapsed);
        Some(message::from_entry(entry, terms.head, age_s, status))
    }

    /// Runs the service and stores what may be stored.
    async fn compute(self, errand: Errand) -> Answer<S::Error> {
        let Self {
            settings,
            inner,
            head,
            body,
        } = self;
        let Errand {
            terms,
            place,
            fwd,
            how,
            leader,
        } = errand;
        let cache = &settings.cache;
        count(cache, fwd);
        let response = inner
            .oneshot(Request::from_parts(head.clone(), body))
            .await?;
        let (mut parts, body) = response.into_parts();
        let storing = policy::on_response(terms, &parts, settings.default_ttl, cache.now_ms());
        let lifetime = match storing {
            Storing::Store(lifetime) => lifetime,
            Storing::No(refusal) => {
                land(leader, Landing::OneOnly);
                return Ok(message::passed(
                    parts,
                    body,
                    CacheStatus::Fwd(fwd, Then::Refused(refusal)),
                ));
            }
        };
        let body = match message::collect(&parts.headers, body, settings.max_body_bytes).await {
            Collected::Whole(body) => body,
            Collected::Rest(body) => {
                land(leader, Landing::OneOnly);
                let status = CacheStatus::Fwd(fwd, Then::Refused(Refusal::Body));
                return Ok(message::passed(parts, body, status));
            }
        };
        message::complete(&mut parts.headers, &lifetime);
        let entry = Arc::new(message::entry(&parts, body.clone(), lifetime));
        let kept = match fwd {
            Fwd::Unreachable => None,
            _ => keep(cache, &place, &head, &entry, how, terms).await,
        };
        Ok(match kept {
            Some(Kept::Ours) => {
                share(leader, entry, &head);
                message::passed(parts, Full::new(body), CacheStatus::Fwd(fwd, Then::Stored))
            }
            Some(Kept::Theirs(theirs)) => {
                let age_s = cache.now_ms().saturating_sub(theirs.generated_ms) / 1000;
                share(leader, Arc::clone(&theirs), &head);
                message::from_entry(
                    &theirs,
                    terms.head,
                    age_s,
                    CacheStatus::Fwd(fwd, Then::Adopted),
                )
            }
            None if cache.mode() == Mode::Required => {
                cache.counters().refused.add();
                message::refused(cache.health().reason())
            }
            None => {
                share(leader, entry, &head);
                message::passed(
                    parts,
                    Full::new(body),
                    CacheStatus::Fwd(Fwd::Unreachable, Then::Nothing),
                )
            }
        })
    }

    /// Runs the service without looking; a change that succeeded makes what is stored for its target
    /// void (RFC 9111 §4.4).
    async fn pass(self, reason: Forward, target: &str) -> Answer<S::Error> {
        let Self {
            settings,
            inner,
            head,
            body,
        } = self;
        settings.cache.counters().bypasses.add();
        let changes = !head.method.is_safe();
        let response = inner.oneshot(Request::from_parts(head, body)).await?;
        let succeeded = response.status().is_success() || response.status().is_redirection();
        if changes && succeeded {
            // A store that fails is counted and reported by its health; the change itself is done.
            drop(settings.cache.forget(target).await);
        }
        let (parts, body) = response.into_parts();
        let fwd = match reason {
            Forward::Method => Fwd::Method,
            Forward::NoStore => Fwd::Request,
            Forward::Range | Forward::LongTarget => Fwd::Bypass,
        };
        Ok(message::passed(
            parts,
            body,
            CacheStatus::Fwd(fwd, Then::Passed(reason)),
        ))
    }

    fn cache(&self) -> &Cache {
        &self.settings.cache
    }
}

/// Looks in the store, and says what is to be done next.
async fn look(cache: &Cache, head: &request::Parts, terms: Terms, target: &str) -> Step {
    let (place, fwd) = match cache.find(target, head, terms).await {
        Ok(Found::Fresh {
            entry,
            age_s,
            ttl_s,
        }) => {
            cache.counters().hits.add();
            let status = CacheStatus::Hit { ttl_s };
            return Step::Answer(message::from_entry(&entry, terms.head, age_s, status));
        }
        Ok(Found::Nothing(place)) if place.variants.is_some() => (place, Fwd::VaryMiss),
        Ok(Found::Nothing(place)) => (place, Fwd::UriMiss),
        Ok(Found::Unsuitable(place, Reuse::Authorization)) => (place, Fwd::Bypass),
        Ok(Found::Unsuitable(place, _)) => (place, Fwd::Request),
        Err(error) if cache.mode() == Mode::Required => {
            cache.counters().refused.add();
            return Step::Answer(message::refused(Some(error.to_string())));
        }
        Err(_) => (Place::of(target), Fwd::Unreachable),
    };
    if terms.only_if_cached {
        return Step::Answer(message::only_if_cached());
    }
    let shares = matches!(fwd, Fwd::UriMiss | Fwd::VaryMiss | Fwd::Unreachable) && !terms.head;
    if shares {
        Step::Board(place, fwd)
    } else {
        Step::Alone(place, fwd)
    }
}

/// What a look came to.
enum Step {
    Answer(Response<ResponseBody>),
    /// Compute, together with whoever asks the same.
    Board(Place, Fwd),
    /// Compute for this request only.
    Alone(Place, Fwd),
}

fn count(cache: &Cache, fwd: Fwd) {
    match fwd {
        Fwd::Bypass | Fwd::Unreachable | Fwd::Method => cache.counters().bypasses.add(),
        Fwd::UriMiss | Fwd::VaryMiss | Fwd::Request => cache.counters().misses.add(),
    }
}

fn land(leader: Option<Leader>, landing: Landing) {
    if let Some(leader) = leader {
        leader.land(landing);
    }
}

/// Gives the response to those who wait and select the same by its `Vary`.
fn share(leader: Option<Leader>, entry: Arc<Entry>, head: &request::Parts) {
    if let Some(leader) = leader {
        let selector = key::selector(&entry.vary, head).into();
        leader.land(Landing::Shared(entry, selector));
    }
}

/// Stores; `None` when the store failed. Another replica's response is taken only where it would have
/// been a hit for this request.
async fn keep(
    cache: &Cache,
    place: &Place,
    head: &request::Parts,
    entry: &Arc<Entry>,
    how: Put,
    terms: Terms,
) -> Option<Kept> {
    match cache.keep(place, head, entry, how).await.ok()? {
        Kept::Theirs(theirs)
            if !matches!(
                policy::on_reuse(terms, &theirs, cache.now_ms()),
                Reuse::Fresh { .. }
            ) =>
        {
            cache.keep(place, head, entry, Put::Overwrite).await.ok()
        }
        kept => Some(kept),
    }
}
