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
        let name = name_length(written.as_bytes()).ok_or(BadHost)?;
        Ok(Self { written, name })
    }

    /// Returns the name in lower case, without port and trailing dot.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        let name = self.written.to_str().ok().and_then(|host| host.get(..self.name)).unwrap_or_default();
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        }
    }
}

/// Returns how long the name at the start of `host` is, or nothing when this is no host.
fn name_length(host: &[u8]) -> Option<usize> {
    if host.is_empty() || host.len() > LONGEST {
        return None;
    }
    let end = if host[0] == b'[' {
        host.iter().position(|b| *b == b']')? + 1
    } else {
        host.iter().position(|b| *b == b':').unwrap_or(host.len())
    };
    let (name, port) = host.split_at(end);
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let name_fits = match name {
        [b'[', inner @ .., b']'] => inner.iter().all(|b| b.is_ascii_hexdigit() || b":.".contains(b)),
        _ => name.iter().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(b)),
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    (port_fits && name_fits && !name.is_empty()).then_some(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(uri: &str, hosts: &[&[u8]]) -> Result<String, BadHost> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        Host::of(&uri.parse().unwrap(), &headers).map(|host| host.name().into_owned())
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
        fn any_bytes_are_read_or_refused(host in proptest::collection::vec(any::<u8>(), 0..40)) {
            let length = name_length(&host);
            prop_assert!(length.is_none_or(|n| n > 0 && n <= host.len() && host[..n].is_ascii()));
        }
    }
}
