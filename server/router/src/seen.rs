//! Which headers that need care a message has. Most have none, and to look each up costs more than one pass.

use http::header::{HeaderMap, HeaderName};

/// Kinds of headers a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(u16);

impl Seen {
    /// `Connection`.
    pub(crate) const CONNECTION: Self = Self(1);
    /// `Transfer-Encoding`.
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 1);
    /// `Upgrade`.
    pub(crate) const UPGRADE: Self = Self(1 << 2);
    /// Others that belong to one connection.
    pub(crate) const HOP: Self = Self(1 << 3);
    /// `Expect`.
    pub(crate) const EXPECT: Self = Self(1 << 4);
    /// `Forwarded`, or one of those that came before it.
    pub(crate) const FORWARDED: Self = Self(1 << 5);
    /// The id of a request.
    pub(crate) const REQUEST_ID: Self = Self(1 << 6);
    /// The header of a probe.
    pub(crate) const PROBE: Self = Self(1 << 7);
    /// A name with an underscore that may be another spelling of one the router vouches for.
    pub(crate) const UNDERSCORE: Self = Self(1 << 8);
    /// `Accept`.
    pub(crate) const ACCEPT: Self = Self(1 << 9);

    /// Looks through `headers`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |seen, name| seen | kind(name).0))
    }

    /// Returns whether there are headers of this kind.
    pub(crate) fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }
}

fn kind(name: &HeaderName) -> Seen {
    match name.as_str() {
        "connection" => Seen::CONNECTION,
        "transfer-encoding" => Seen::TRANSFER_ENCODING,
        "upgrade" => Seen::UPGRADE,
        "te" | "keep-alive" | "proxy-connection" | "proxy-authenticate" | "proxy-authorization" => Seen::HOP,
        "accept" => Seen::ACCEPT,
        "expect" => Seen::EXPECT,
        "forwarded" | "x-forwarded-for" | "x-forwarded-host" => Seen::FORWARDED,
        "x-request-id" => Seen::REQUEST_ID,
        "paas-probe" => Seen::PROBE,
        other if may_be_disguised(other) => Seen::UNDERSCORE,
        _ => Seen(0),
    }
}

/// Returns whether a name has an underscore and is as long as one that the router vouches for.
fn may_be_disguised(name: &str) -> bool {
    matches!(name.len(), 10 | 12 | 15..=17) && name.as_bytes().contains(&b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::VOUCHED;
    use crate::probe::PROBE_HEADER;
    use http::HeaderValue;

    #[test]
    fn each_header_is_seen_among_others() {
        let all = [
            (http::header::CONNECTION, Seen::CONNECTION),
            (http::header::TRANSFER_ENCODING, Seen::TRANSFER_ENCODING),
            (http::header::UPGRADE, Seen::UPGRADE),
            (http::header::TE, Seen::HOP),
            (HeaderName::from_static("keep-alive"), Seen::HOP),
            (http::header::EXPECT, Seen::EXPECT),
            (http::header::ACCEPT, Seen::ACCEPT),
            (http::header::FORWARDED, Seen::FORWARDED),
            (HeaderName::from_static("x-forwarded-for"), Seen::FORWARDED),
            (crate::headers::X_REQUEST_ID, Seen::REQUEST_ID),
            (PROBE_HEADER, Seen::PROBE),
            (HeaderName::from_static("x_forwarded-for"), Seen::UNDERSCORE),
        ];
        let mut headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("a"))]);
        assert_eq!(Seen::of(&headers), Seen(0));
        for (name, kind) in all {
            headers.insert(name.clone(), HeaderValue::from_static("b"));
            assert!(Seen::of(&headers) == kind, "{name}");
            headers.remove(name);
        }
    }

    #[test]
    fn no_disguise_of_what_the_router_vouches_for_is_overlooked() {
        for name in VOUCHED.iter().map(HeaderName::as_str).filter(|name| name.contains('-')) {
            for disguised in [name.replace('-', "_"), name.replacen('-', "_", 1)] {
                let name = disguised.parse::<HeaderName>().unwrap();
                let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("b"))]);
                assert_eq!(Seen::of(&headers), Seen::UNDERSCORE, "{disguised}");
            }
        }
    }
}
