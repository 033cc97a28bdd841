//! The forms under which a secret may show up in a log.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use model::config::ConfigVars;

/// Values with fewer characters are too common to hide: `LIVE` inside `DELIVERY`.
pub(crate) const HIDDEN_FROM: usize = 6;

/// Lines of a value of many lines are hidden on their own from this length on.
const LINE_FROM: usize = 16;

/// Encoded forms shorter than this would match by accident.
const ENCODED_FROM: usize = 8;

/// Returns all forms of all values with the names of their vars.
pub(crate) fn patterns(config: &ConfigVars) -> Vec<(Vec<u8>, String)> {
    let mut all = Vec::new();
    for (name, value) in config.iter() {
        let mut forms = Vec::new();
        for secret in secrets(value.reveal()) {
            forms_of(secret, &mut forms);
        }
        all.extend(forms.into_iter().map(|form| (form, name.to_string())));
    }
    all
}

/// Returns all forms of the users and passwords in the URLs among these variables. The rest of a URL is no secret:
/// which index was asked belongs in a log.
pub(crate) fn credentials(environment: &BTreeMap<String, String>) -> Vec<(Vec<u8>, String)> {
    let mut all = Vec::new();
    for (name, value) in environment {
        let mut forms = Vec::new();
        for user in users(value) {
            // With its `@` even a short one is unlike anything else.
            forms.push(format!("{user}@").into_bytes());
            let password = user.split_once(':').map(|(_, password)| password);
            let long = |text: &&str| text.chars().count() >= HIDDEN_FROM;
            [Some(user), password].into_iter().flatten().filter(long).for_each(|s| forms_of(s, &mut forms));
        }
        all.extend(forms.into_iter().map(|form| (form, name.clone())));
    }
    all
}

/// Returns what stands before the `@` of each URL in a text.
fn users(text: &str) -> impl Iterator<Item = &str> {
    let hosts = text
        .split("://")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| "/?#,".contains(c) || c.is_whitespace()).next());
    hosts.filter_map(|host| host.rsplit_once('@')).map(|(user, _)| user).filter(|user| !user.is_empty())
}

/// Returns the value, its longer lines, and the passwords of URLs.
fn secrets(value: &str) -> Vec<&str> {
    let long = |text: &&str| text.chars().count() >= HIDDEN_FROM;
    let mut secrets: Vec<_> = [value, value.trim()].into_iter().filter(long).collect();
    if value.trim().contains('\n') {
        secrets.extend(value.lines().map(str::trim).filter(|line| line.len() >= LINE_FROM));
    }
    let passwords = users(value).filter_map(|user| user.split_once(':')).map(|(_, password)| password);
    secrets.extend(passwords.filter(long));
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
