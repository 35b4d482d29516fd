//! Bodies that prove themselves: bytes that follow from their offset, with their digest at the end.

use bytes::{Bytes, BytesMut};

/// Characters of a digest.
pub const DIGEST_CHARS: usize = 64;

/// `length` bytes from `offset` on, as both sides would make them.
pub fn piece(offset: usize, length: usize) -> Bytes {
    // A period that is no power of two: a block that is lost, doubled or moved shows.
    (offset..offset + length)
        .map(|at| b'a' + (at % 251 % 26) as u8)
        .collect()
}

/// The digest of a body, in hexadecimal.
pub fn digest(body: &[u8]) -> String {
    blake3::hash(body).to_hex().to_string()
}

/// Checks a body that ends with its own digest, as it comes.
#[derive(Debug, Default)]
pub struct Seal {
    hasher: blake3::Hasher,
    tail: BytesMut,
}

impl Seal {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let body = self.tail.len().saturating_sub(DIGEST_CHARS);
        self.hasher.update(&self.tail.split_to(body));
    }

    /// Is what came whole and unchanged?
    pub fn holds(&self) -> bool {
        self.tail[..] == *self.hasher.finalize().to_hex().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], holds: bool) {
        for step in [1, 7, 64, 1000] {
            let mut seal = Seal::default();
            body.chunks(step).for_each(|bytes| seal.take(bytes));
            assert_eq!(seal.holds(), holds, "in steps of {step}");
        }
    }

    #[test]
    fn a_seal_sees_what_is_missing_and_what_is_changed() {
        let mut body = piece(0, 500).to_vec();
        body.extend_from_slice(digest(&piece(0, 500)).as_bytes());
        check(&body, true);
        check(&body[..body.len() - 1], false);
        check(&body[1..], false);
        check(&[&body[..100], &body[101..]].concat(), false);
        check(b"", false);
        body[9] = b'!';
        check(&body, false);
    }
}
