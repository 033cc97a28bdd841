//! Lets the control plane ask one replica through the entrance, before visitors can reach it.
//!
//! A request with `paas-probe: SECRET:REPLICA` goes to exactly that replica. The secret is new with each start, so
//! that nobody else can choose a replica; what does not match is an ordinary request.

use http::{HeaderName, HeaderValue};
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Names the header of a probe; never passed on to a replica.
pub const PROBE_HEADER: HeaderName = HeaderName::from_static("paas-probe");

/// Names the header of the answer when the probed replica is not in the table.
pub const PROBE_MISS_HEADER: HeaderName = HeaderName::from_static("paas-probe-miss");

/// What a probe must know.
#[derive(Clone)]
pub struct ProbeSecret(Box<str>);

impl ProbeSecret {
    /// Makes a new secret from 244 random bits of the system.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).into())
    }

    /// Returns the value of the header that probes `replica`; `None` when an id like that fits no header.
    pub fn header(&self, replica: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{}:{replica}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Returns the replica that is probed when `value` begins with the secret.
    pub(crate) fn replica<'a>(&self, value: &'a HeaderValue) -> Option<&'a str> {
        let (secret, replica) = value.to_str().ok()?.split_once(':')?;
        bool::from(secret.as_bytes().ct_eq(self.0.as_bytes())).then_some(replica)
    }
}

impl fmt::Debug for ProbeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProbeSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_opens_the_way_to_a_replica() {
        let secret = ProbeSecret::random();
        let value = secret.header("r-1:2").unwrap();
        assert_eq!(secret.replica(&value), Some("r-1:2"));
        assert_eq!(ProbeSecret::random().replica(&value), None);
        assert_eq!(secret.replica(&HeaderValue::from_static(":r-1")), None);
        assert_eq!(secret.replica(&HeaderValue::from_static("r-1")), None);
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let secret = ProbeSecret::random();
        assert!(!format!("{secret:?}").contains(&*secret.0));
        assert!(!format!("{:?}", secret.header("r").unwrap()).contains(&*secret.0));
    }
}
