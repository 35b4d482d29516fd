//! What stands in a store under a key, and its bytes: a version, the fields, a checksum. Bytes that
//! this version did not write decode to `None`, which the cache takes for a miss.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// What a key leads to. Clones are cheap.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A response.
    Entry(Arc<Entry>),
    /// The target's responses vary: each stands under a key of its own.
    Variants(Arc<Variants>),
}

/// A stored response.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Unix milliseconds at which it was generated; `Age` counts from here.
    pub generated_ms: u64,
    /// Unix milliseconds from which it is not served any more.
    pub expires_ms: u64,
    /// Status.
    pub status: StatusCode,
    /// Fields without those of one connection or one request (`Connection`, `Age`, `Cache-Status`…).
    pub headers: HeaderMap,
    /// Whole body.
    pub body: Bytes,
    /// Request fields that selected it.
    pub vary: Vec<HeaderName>,
}

/// The request fields that select among a target's stored responses (RFC 9111 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// Unix milliseconds; no earlier than the last of the responses it leads to.
    pub expires_ms: u64,
    /// Part of the keys of all responses that it leads to, drawn by chance when it began. Removing the
    /// list therefore removes them all: the next one has another series.
    pub series: u64,
    /// Field names, lower case, sorted, each once.
    pub vary: Vec<HeaderName>,
}

/// First bytes of every value: a name and the version of the encoding.
const MAGIC: &[u8; 4] = b"cai\x01";
const ENTRY: u8 = 1;
const VARIANTS: u8 = 2;
const CHECKSUM_BYTES: usize = 8;

impl Record {
    /// Unix milliseconds from which it is not used any more.
    #[must_use]
    pub fn expires_ms(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.expires_ms,
            Self::Variants(variants) => variants.expires_ms,
        }
    }

    /// About how many bytes it holds, for a bounded store.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let bytes = match self {
            Self::Entry(entry) => {
                let fields: usize = entry
                    .headers
                    .iter()
                    .map(|(name, value)| name.as_str().len() + value.len() + 64)
                    .sum();
                entry.body.len() + fields + 128
            }
            Self::Variants(variants) => variants.vary.len() * 32 + 64,
        };
        bytes as u64
    }

    /// Its bytes, all integers big-endian:
    /// `magic[4] kind[1] expires[8] vary-count[2] (length[2] name)*`, then for a list of variants
    /// `series[8]`, for a response `generated[8] status[2] field-count[2] (length[2] name length[4] value)* length[4] body`, then
    /// the first 8 bytes of the BLAKE3 of all before. `None` when a count does not fit its field, which
    /// no HTTP message that a server accepts reaches.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(usize::try_from(self.weight_bytes()).ok()?);
        out.put_slice(MAGIC);
        match self {
            Self::Entry(entry) => {
                out.put_u8(ENTRY);
                out.put_u64(entry.expires_ms);
                put_names(&mut out, &entry.vary)?;
                put_response(&mut out, entry)?;
            }
            Self::Variants(variants) => {
                out.put_u8(VARIANTS);
                out.put_u64(variants.expires_ms);
                put_names(&mut out, &variants.vary)?;
                out.put_u64(variants.series);
            }
        }
        let sum = blake3::hash(&out);
        out.put_slice(&sum.as_bytes()[..CHECKSUM_BYTES]);
        Some(out.freeze())
    }

    /// The record that [`Record::encode`] wrote, or `None` for anything else.
    #[must_use]
    pub fn decode(bytes: Bytes) -> Option<Self> {
        let end = bytes.len().checked_sub(CHECKSUM_BYTES)?;
        let sum = blake3::hash(&bytes[..end]);
        if bytes[end..] != sum.as_bytes()[..CHECKSUM_BYTES] {
            return None;
        }
        let mut rest = bytes.slice(..end);
        if take(&mut rest, MAGIC.len())? != MAGIC.as_slice() {
            return None;
        }
        let kind = rest.try_get_u8().ok()?;
        let expires_ms = rest.try_get_u64().ok()?;
        let vary = take_names(&mut rest)?;
        let record = match kind {
            ENTRY => Self::Entry(Arc::new(take_response(&mut rest, expires_ms, vary)?)),
            VARIANTS => {
                let series = rest.try_get_u64().ok()?;
                Self::Variants(Arc::new(Variants {
                    expires_ms,
                    series,
                    vary,
                }))
            }
            _ => return None,
        };
        rest.is_empty().then_some(record)
    }
}

fn put_names(out: &mut BytesMut, names: &[HeaderName]) -> Option<()> {
    out.put_u16(u16::try_from(names.len()).ok()?);
    for name in names {
        put_name(out, name)?;
    }
    Some(())
}

fn put_name(out: &mut BytesMut, name: &HeaderName) -> Option<()> {
    out.put_u16(u16::try_from(name.as_str().len()).ok()?);
    out.put_slice(name.as_str().as_bytes());
    Some(())
}

fn put_response(out: &mut BytesMut, entry: &Entry) -> Option<()> {
    out.put_u64(entry.generated_ms);
    out.put_u16(entry.status.as_u16());
    out.put_u16(u16::try_from(entry.headers.len()).ok()?);
    for (name, value) in &entry.headers {
        put_name(out, name)?;
        out.put_u32(u32::try_from(value.len()).ok()?);
        out.put_slice(value.as_bytes());
    }
    out.put_u32(u32::try_from(entry.body.len()).ok()?);
    out.put_slice(&entry.body);
    Some(())
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (rest.len() >= length).then(|| rest.split_to(length))
}

fn take_names(rest: &mut Bytes) -> Option<Vec<HeaderName>> {
    let count = rest.try_get_u16().ok()?;
    (0..count).map(|_| take_name(rest)).collect()
}

fn take_name(rest: &mut Bytes) -> Option<HeaderName> {
    let length = rest.try_get_u16().ok()?;
    HeaderName::from_bytes(&take(rest, length.into())?).ok()
}

fn take_response(rest: &mut Bytes, expires_ms: u64, vary: Vec<HeaderName>) -> Option<Entry> {
    let generated_ms = rest.try_get_u64().ok()?;
    let status = StatusCode::from_u16(rest.try_get_u16().ok()?).ok()?;
    let count = rest.try_get_u16().ok()?;
    let mut headers = HeaderMap::new();
    for _ in 0..count {
        let name = take_name(rest)?;
        let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        let value = HeaderValue::from_maybe_shared(take(rest, length)?).ok()?;
        // A map past its limit of 32,768 fields is no response of ours.
        headers.try_append(name, value).ok()?;
    }
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    let body = take(rest, length)?;
    Some(Entry {
        generated_ms,
        expires_ms,
        status,
        headers,
        body,
        vary,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = HeaderName> {
        "[a-z][a-z0-9-]{0,20}".prop_map(|name| name.parse().unwrap())
    }

    fn value() -> impl Strategy<Value = HeaderValue> {
        // What a field may hold (RFC 9110 §5.5): tab, visible ASCII and everything from 0x80.
        vec(prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8], 0..40)
            .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
    }

    prop_compose! {
        fn entry()(
            generated_ms: u64,
            expires_ms: u64,
            status in 100..1000_u16,
            fields in vec((name(), value()), 0..12),
            body in vec(any::<u8>(), 0..300),
            vary in vec(name(), 0..4),
        ) -> Record {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value);
            }
            let status = StatusCode::from_u16(status).unwrap();
            Record::Entry(Arc::new(Entry { generated_ms, expires_ms, status, headers, body: body.into(), vary }))
        }
    }

    fn record() -> impl Strategy<Value = Record> {
        let variants = (any::<u64>(), any::<u64>(), vec(name(), 0..5)).prop_map(
            |(expires_ms, series, vary)| {
                Record::Variants(Arc::new(Variants {
                    expires_ms,
                    series,
                    vary,
                }))
            },
        );
        prop_oneof![3 => entry(), 1 => variants]
    }

    /// `body` with a checksum that is right, to get past it.
    fn sealed(body: &[u8]) -> Bytes {
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(&blake3::hash(body).as_bytes()[..CHECKSUM_BYTES]);
        bytes.into()
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(record in record()) {
            prop_assert_eq!(Record::decode(record.encode().unwrap()), Some(record));
        }

        #[test]
        fn arbitrary_bytes_are_a_miss(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Record::decode(bytes.into()), None);
        }

        #[test]
        fn arbitrary_bytes_behind_a_right_beginning_and_checksum_never_panic(
            kind in 0..4_u8,
            rest in vec(any::<u8>(), 0..200),
        ) {
            let body = [MAGIC.as_slice(), &[kind], &rest].concat();
            drop(Record::decode(sealed(&body)));
        }

        #[test]
        fn one_changed_byte_or_a_missing_end_is_a_miss(
            record in record(),
            at: proptest::sample::Index,
            change in 1..=255_u8,
        ) {
            let bytes = record.encode().unwrap();
            let at = at.index(bytes.len());
            let mut changed = bytes.to_vec();
            changed[at] ^= change;
            prop_assert_eq!(Record::decode(changed.into()), None);
            prop_assert_eq!(Record::decode(bytes.slice(..at)), None);
        }
    }

    #[test]
    fn another_version_is_a_miss() {
        assert_eq!(
            Record::decode(sealed(b"cai\x02\x02\0\0\0\0\0\0\0\x01\0\0")),
            None
        );
        let ours = sealed(b"cai\x01\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x02");
        let expected = Variants {
            expires_ms: 1,
            series: 2,
            vary: Vec::new(),
        };
        assert_eq!(
            Record::decode(ours),
            Some(Record::Variants(Arc::new(expected)))
        );
    }
}
