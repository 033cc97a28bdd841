//! The forms under which a secret may show up in a log.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use model::config::ConfigVars;

/// Values with fewer characters are too common to hide: `LIVE` inside `DELIVERY`.
pub(crate) const HIDDEN_FROM: usize = 6;

/// Lines of a value of many lines are hidden on their own from this length on.
const LINE_FROM: usize = 16;

/// Encoded forms shorter than this would match by accident.
const ENCODED_FROM: usize = 8;

/// Returns all forms of all values with the names of their vars, without repetitions.
pub(crate) fn patterns(config: &ConfigVars) -> Vec<(Vec<u8>, String)> {
    let mut all = Vec::new();
    for (name, value) in config.iter() {
        let mut forms = Vec::new();
        for secret in secrets(value.reveal()) {
            forms_of(secret, &mut forms);
        }
        all.extend(forms.into_iter().map(|form| (form, name.to_string())));
    }
    all.sort();
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

/// Returns the value, its longer lines, and the password of a URL.
fn secrets(value: &str) -> Vec<&str> {
    let long = |text: &&str| text.chars().count() >= HIDDEN_FROM;
    let mut secrets: Vec<_> = [value, value.trim()].into_iter().filter(long).collect();
    if value.trim().contains('\n') {
        secrets.extend(value.lines().map(str::trim).filter(|line| line.len() >= LINE_FROM));
    }
    let userinfo =
        value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.rsplit_once('@'));
    secrets.extend(
        userinfo.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password).filter(long),
    );
    secrets
}

fn forms_of(secret: &str, forms: &mut Vec<Vec<u8>>) {
    let plain = secret.as_bytes();
    forms.push(plain.to_vec());
    forms
        .extend((0..3).flat_map(|offset| base64_at(plain, offset)).filter(|form| form.len() >= ENCODED_FROM));
    for hex in [*b"0123456789ABCDEF", *b"0123456789abcdef"] {
        forms.push(percent(plain, &hex, b"%20"));
        forms.push(percent(plain, &hex, b"+"));
    }
    forms.push(escaped(secret));
}

/// Returns base64 of the bytes where they lie at an offset in a longer text, in both alphabets, without the
/// characters that also depend on their neighbours.
fn base64_at(bytes: &[u8], offset: usize) -> [Vec<u8>; 2] {
    let mut shifted = vec![0; offset];
    shifted.extend_from_slice(bytes);
    let from = (offset * 8).div_ceil(6);
    let to = shifted.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)]
        .map(|text| text.as_bytes().get(from..to).unwrap_or_default().to_vec())
}

/// Returns the percent-encoding of all but the unreserved characters of RFC 3986.
fn percent(bytes: &[u8], hex: &[u8; 16], space: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for &byte in bytes {
        match byte {
            b' ' => encoded.extend_from_slice(space),
            _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => encoded.push(byte),
            _ => encoded.extend([b'%', hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]),
        }
    }
    encoded
}

/// Returns the text as it stands between the quotes of JSON, Python and many a log line.
fn escaped(text: &str) -> Vec<u8> {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t").into_bytes()
}
