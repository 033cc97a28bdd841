//! Brings a visitor back to the replica that answered before, by a cookie that names it in a way nobody can guess.
//!
//! The names of an app's replicas are made once, with its route. A name that is not among them, because the replica
//! left or because it was made up, is as good as none.

use crate::backend::Backend;
use http::HeaderValue;
use http::header::{COOKIE, HeaderMap};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The name of the cookie.
const COOKIE_NAME: &str = "paas_replica";

/// What makes the names in cookies, and what nobody else may know.
#[derive(Clone)]
pub struct StickyKey([u8; 32]);

impl StickyKey {
    /// Derives a key from a secret that lasts, so that cookies do, too.
    pub fn derived(secret: &[u8]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"paas sticky sessions\0");
        digest.update(secret);
        Self(digest.finalize().into())
    }

    /// Makes a key from random bits of the system; cookies last as long as it does.
    pub fn random() -> Self {
        Self::derived([Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).as_flattened())
    }

    /// Returns the name of a replica in cookies.
    fn name(&self, replica: &str) -> String {
        // The key has a fixed length and the digest is cut, so that nothing can be appended to either.
        let digest = Sha256::new_with_prefix(self.0).chain_update(replica).finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for StickyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StickyKey(…)")
    }
}

/// The names of an app's replicas.
pub(crate) struct Sticky {
    named: HashMap<String, Arc<Backend>>,
    /// The cookies by the backend's serial, without and with `Secure`.
    cookies: HashMap<u64, [HeaderValue; 2]>,
}

impl Sticky {
    /// Names `replicas`.
    pub(crate) fn new(key: &StickyKey, replicas: &[Arc<Backend>]) -> Self {
        let (mut named, mut cookies) = (HashMap::new(), HashMap::new());
        for backend in replicas {
            let name = key.name(backend.replica());
            let cookie = format!("{COOKIE_NAME}={name}; Path=/; HttpOnly; SameSite=Lax");
            let both = [cookie.clone(), format!("{cookie}; Secure")];
            let both = both.map(|text| {
                HeaderValue::try_from(text).expect("a cookie of hexadecimal digits has visible characters")
            });
            cookies.insert(backend.serial(), both);
            named.insert(name, Arc::clone(backend));
        }
        Self { named, cookies }
    }

    /// Returns the replica that the visitor's cookie names, if it is there.
    pub(crate) fn wanted(&self, headers: &HeaderMap) -> Option<&Arc<Backend>> {
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.split_once('='));
        cookies.find_map(|(name, value)| self.named.get(value.trim()).filter(|_| name.trim() == COOKIE_NAME))
    }

    /// Returns the cookie that brings a visitor back to this backend.
    pub(crate) fn cookie(&self, backend: &Backend, secure: bool) -> Option<&HeaderValue> {
        self.cookies.get(&backend.serial()).map(|both| &both[usize::from(secure)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(id: &str) -> Arc<Backend> {
        Backend::new(id, "web.1", "127.0.0.1:1".parse().unwrap())
    }

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_cookie_leads_back_to_its_replica_among_others() {
        let all = [backend("r1"), backend("r2")];
        let sticky = Sticky::new(&StickyKey::derived(b"secret"), &all);
        for backend in &all {
            let cookie = sticky.cookie(backend, false).unwrap().to_str().unwrap();
            let pair = cookie.split(';').next().unwrap();
            let wanted = sticky.wanted(&headers(&format!("a=b; {pair}; c=d"))).unwrap();
            assert_eq!(wanted.serial(), backend.serial());
            assert!(!cookie.contains("Secure") && !cookie.contains(backend.replica()));
        }
        assert!(sticky.cookie(&all[0], true).unwrap().to_str().unwrap().ends_with("; Secure"));
    }

    #[test]
    fn a_name_is_of_one_key_and_a_strange_one_leads_nowhere() {
        let all = [backend("r1")];
        let (one, two) = (StickyKey::derived(b"1"), StickyKey::random());
        let sticky = Sticky::new(&one, &all);
        for name in [two.name("r1"), one.name("r2"), "r1".to_owned(), String::new()] {
            assert!(sticky.wanted(&headers(&format!("{COOKIE_NAME}={name}"))).is_none());
        }
        assert!(sticky.wanted(&headers(&format!("other={}", one.name("r1")))).is_none());
    }
}
