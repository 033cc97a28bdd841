//! Reads the host a request is for.
//!
//! RFC 9110 section 7.2 and RFC 9112 section 3.2: an authority in the target goes before the `Host` header, and a
//! request with several or malformed hosts is refused.

use http::header::{HOST, HeaderMap, HeaderValue};
use http::uri::Uri;
use std::borrow::Cow;

/// The longest name DNS allows, with room for a trailing dot and a port.
const LONGEST: usize = 262;

/// The host of a request.
#[derive(Debug)]
pub(crate) struct Host {
    /// As the visitor wrote it, port included.
    pub(crate) written: HeaderValue,
    /// How many bytes of it are the name, without port and trailing dot.
    name: usize,
    /// Whether the name has capital letters.
    capitals: bool,
}

/// The request has no host, more than one, or one that cannot be a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

impl Host {
    /// Reads the host from the target's authority or the `Host` header.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, BadHost> {
        let mut written = headers.get_all(HOST).iter();
        let (first, second) = (written.next(), written.next());
        if second.is_some() {
            return Err(BadHost);
        }
        let written = match uri.authority() {
            Some(authority) => HeaderValue::from_str(authority.as_str()).map_err(|_| BadHost)?,
            None => first.ok_or(BadHost)?.clone(),
        };
        let (name, capitals) = name_of(written.as_bytes()).ok_or(BadHost)?;
        Ok(Self { written, name, capitals })
    }

    /// Returns the name in lower case, without port and trailing dot; it is ASCII.
    pub(crate) fn name(&self) -> Cow<'_, [u8]> {
        let name = self.written.as_bytes().get(..self.name).unwrap_or_default();
        if self.capitals { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
    }
}

/// Returns how long the name at the start of `host` is without trailing dot, and whether it has capital letters; nothing
/// when this is no host.
fn name_of(host: &[u8]) -> Option<(usize, bool)> {
    if host.len() > LONGEST {
        return None;
    }
    let (end, capitals) = if host.first() == Some(&b'[') { address(host)? } else { name(host) };
    let (name, port) = host.split_at(end);
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    (port_fits && !name.is_empty()).then_some((name.len(), capitals))
}

/// Returns where the name that `host` begins with ends.
fn name(host: &[u8]) -> (usize, bool) {
    let mut capitals = false;
    for (at, byte) in host.iter().enumerate() {
        match KINDS[usize::from(*byte)] {
            Kind::Other => return (at, capitals),
            Kind::Capital => capitals = true,
            Kind::Small => {}
        }
    }
    (host.len(), capitals)
}

/// Returns where the address in brackets that `host` begins with ends.
fn address(host: &[u8]) -> Option<(usize, bool)> {
    let end = host.iter().position(|byte| *byte == b']')?;
    let inner = &host[1..end];
    let fits = inner.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte));
    fits.then(|| (end + 1, inner.iter().any(u8::is_ascii_uppercase)))
}

/// What a byte is in a name.
#[derive(Clone, Copy)]
enum Kind {
    Capital,
    Small,
    Other,
}

/// A look into a table is cheaper than to compare, and each request's host is looked through.
static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'A'..=b'Z' => Kind::Capital,
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => Kind::Small,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(uri: &str, hosts: &[&[u8]]) -> Result<String, BadHost> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        Host::of(&uri.parse().unwrap(), &headers)
            .map(|host| String::from_utf8(host.name().into_owned()).unwrap())
    }

    #[test]
    fn case_port_and_trailing_dot_make_no_difference() {
        for host in [
            "shop.localhost",
            "Shop.LOCALHOST",
            "shop.localhost:8080",
            "shop.localhost.:80",
            "shop.localhost.",
        ] {
            assert_eq!(of("/", &[host.as_bytes()]).as_deref(), Ok("shop.localhost"), "{host}");
        }
        assert_eq!(of("/", &[b"[::1]:80"]).as_deref(), Ok("[::1]"));
    }

    #[test]
    fn an_absolute_target_goes_before_the_header() {
        assert_eq!(of("http://a.localhost:1/x", &[b"b.localhost"]).as_deref(), Ok("a.localhost"));
    }

    #[test]
    fn what_cannot_be_a_host_is_refused() {
        let long = "a".repeat(300);
        let bad: [&[u8]; 13] = [
            b"",
            b".",
            b":80",
            b"a b",
            b"a/b",
            b"a:8x",
            b"a:123456",
            b"a@b",
            b"[::1",
            b"[::1]x",
            b"a\xff",
            b"a,b",
            long.as_bytes(),
        ];
        for host in bad {
            assert_eq!(of("/", &[host]), Err(BadHost), "{host:?}");
        }
        assert_eq!(of("/", &[]), Err(BadHost));
        assert_eq!(of("/", &[b"a", b"a"]), Err(BadHost));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(host in "[A-Za-z0-9:.\\[\\]_\u{80}-]{0,20}".prop_map(String::into_bytes)) {
            let fits = name_of(&host).is_none_or(|(length, capitals)| {
                let name = &host[..length];
                length > 0 && name.is_ascii() && capitals == name.iter().any(u8::is_ascii_uppercase)
            });
            prop_assert!(fits);
        }
    }
}
