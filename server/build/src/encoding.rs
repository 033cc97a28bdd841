//! The encodings under which a secret may show up in a log. Which texts are secrets is decided elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const UPPER: [u8; 16] = *b"0123456789ABCDEF";
const LOWER: [u8; 16] = *b"0123456789abcdef";

/// One way to write a secret. The encoding of a secret's start is a start of the secret's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Plain,
    /// Base64 of a longer text in which the secret stands so many bytes after a multiple of three.
    Base64 { offset: usize, url_safe: bool },
    /// Percent-encoding of all but the unreserved characters of RFC 3986.
    Percent { lower: bool, plus: bool },
    /// As it stands between the quotes of JSON, Python and many a log line.
    Escaped,
    /// As Python, Rust and bash write bytes that are no text: printable ASCII, and `\xff` for the rest.
    Bytes,
}

impl Encoding {
    /// Returns the encodings that write this secret each in another way.
    pub(crate) fn all_of(secret: &[u8]) -> Vec<Self> {
        let mut all = vec![Self::Plain];
        for offset in 0..3 {
            all.extend([false, true].map(|url_safe| Self::Base64 { offset, url_safe }));
        }
        let spaced = secret.contains(&b' ');
        let reserved = secret.iter().any(|&byte| byte != b' ' && !is_unreserved(byte));
        if spaced || reserved {
            let cases = if reserved { &[false, true][..] } else { &[false] };
            let spaces = if spaced { &[false, true][..] } else { &[false] };
            let all_spaces = |&lower: &bool| spaces.iter().map(move |&plus| Self::Percent { lower, plus });
            all.extend(cases.iter().flat_map(all_spaces));
        }
        if b"\\\"\n\t".iter().any(|byte| secret.contains(byte)) {
            all.push(Self::Escaped);
        }
        if std::str::from_utf8(secret).is_err() {
            all.push(Self::Bytes);
        }
        all
    }

    /// Returns the secret as this encoding writes it.
    pub(crate) fn of(self, secret: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => secret.to_vec(),
            Self::Base64 { offset, url_safe } => base64_at(secret, offset, url_safe),
            Self::Percent { lower, plus } => percent(secret, if lower { &LOWER } else { &UPPER }, plus),
            Self::Escaped => escaped(secret),
            Self::Bytes => escaped_bytes(secret),
        }
    }
}

/// Returns base64 of the bytes where they lie at an offset in a longer text, without the characters that also
/// depend on their neighbours.
fn base64_at(bytes: &[u8], offset: usize, url_safe: bool) -> Vec<u8> {
    let mut shifted = vec![0; offset];
    shifted.extend_from_slice(bytes);
    let from = (offset * 8).div_ceil(6);
    let to = shifted.len() * 8 / 6;
    let text = if url_safe { URL_SAFE_NO_PAD.encode(&shifted) } else { STANDARD_NO_PAD.encode(&shifted) };
    text.as_bytes().get(from..to).unwrap_or_default().to_vec()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn percent(bytes: &[u8], hex: &[u8; 16], plus: bool) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' ' if plus => encoded.push(b'+'),
            _ if is_unreserved(byte) => encoded.push(byte),
            _ => encoded.extend([b'%', hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]),
        }
    }
    encoded
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => text.extend([b'\\', byte]),
            b'\n' => text.extend(*b"\\n"),
            b'\t' => text.extend(*b"\\t"),
            _ => text.push(byte),
        }
    }
    text
}

fn escaped_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.extend(*b"\\\\"),
            b'\n' => text.extend(*b"\\n"),
            b'\r' => text.extend(*b"\\r"),
            b'\t' => text.extend(*b"\\t"),
            b' '..=b'~' => text.push(byte),
            _ => text.extend([b'\\', b'x', LOWER[usize::from(byte >> 4)], LOWER[usize::from(byte & 15)]]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_encoding_of_a_start_is_the_start_of_the_encoding(
            secret in proptest::collection::vec(any::<u8>(), 6..30), cut in 0_usize..30,
        ) {
            let secret = secret.as_slice();
            for encoding in Encoding::all_of(secret) {
                let start = encoding.of(&secret[..cut.min(secret.len())]);
                prop_assert!(encoding.of(secret).starts_with(&start), "{:?}", encoding);
            }
        }
    }
}
