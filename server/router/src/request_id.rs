//! Gives each request an id: the visitor's own when it is sane, else a new one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use std::hash::{BuildHasher, RandomState};
use uuid::Builder;

/// Makes request ids for one worker.
///
/// They have to be distinct, not secret, so they come from a generator seeded once and cost no system call.
#[derive(Debug)]
pub(crate) struct RequestIds {
    state: u64,
    /// The next ids, which share their memory: a piece for each costs more than what is in it.
    next: Bytes,
}

/// How many bytes an id has.
const LENGTH: usize = 36;

/// How many ids share their memory, which is there for as long as one of them is.
const SHARING: usize = 28;

impl RequestIds {
    /// Begins with a seed from the system.
    pub(crate) fn new() -> Self {
        Self { state: RandomState::new().hash_one(0_u8), next: Bytes::new() }
    }

    /// Returns a new random UUID as a header value.
    pub(crate) fn next(&mut self) -> HeaderValue {
        if self.next.is_empty() {
            self.next = self.some();
        }
        HeaderValue::from_maybe_shared(self.next.split_to(LENGTH))
            .expect("a UUID consists of hexadecimal digits and hyphens")
    }

    fn some(&mut self) -> Bytes {
        let mut texts = vec![0; SHARING * LENGTH];
        for text in texts.chunks_exact_mut(LENGTH) {
            let random = u128::from(self.random()) << 64 | u128::from(self.random());
            let id = Builder::from_random_bytes(random.to_le_bytes()).into_uuid();
            id.hyphenated().encode_lower(text);
        }
        texts.into()
    }

    /// Returns bytes to mask a frame with; a replica has nothing to fear from those that can be guessed.
    pub(crate) fn mask(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.random().to_le_bytes();
        [a, b, c, d]
    }

    /// Returns sixteen bytes in base64, which is what a `WebSocket` is asked for with (RFC 6455 section 4.1).
    pub(crate) fn websocket_key(&mut self) -> HeaderValue {
        let bytes = [self.random().to_le_bytes(), self.random().to_le_bytes()].concat();
        HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 consists of visible characters")
    }

    /// Returns the next number of `SplitMix64` (Steele, Lea and Flood, 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Returns whether a visitor's own id may be used: 20 to 200 letters, digits, `+`, `/`, `=`, `_` or `-`.
///
/// Source: <https://devcenter.heroku.com/articles/http-request-id>.
pub(crate) fn is_sane(id: &HeaderValue) -> bool {
    (20..=200).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_are_distinct_version_4_uuids_and_sane() {
        let mut ids = RequestIds::new();
        let all: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(all.len(), 10_000);
        for id in all {
            assert!(is_sane(&id));
            assert_eq!(uuid::Uuid::try_parse(id.to_str().unwrap()).unwrap().get_version_num(), 4);
        }
    }

    #[test]
    fn short_long_and_strange_ids_are_refused() {
        assert!(!is_sane(&HeaderValue::from_static("short")));
        assert!(!is_sane(&HeaderValue::from_str(&"x".repeat(201)).unwrap()));
        assert!(!is_sane(&HeaderValue::from_static("aaaaaaaaaaaaaaaaaaaa status=200")));
        assert!(is_sane(&HeaderValue::from_static("01234567-89ab-cdef-0123")));
    }
}
