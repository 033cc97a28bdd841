//! From the path of a URL to a path below the root, and back. Says which paths may name a file at all.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What has a meaning in a path or in a header and is therefore written as `%xx`.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\');

/// The one hidden folder that is meant for visitors (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// Returns the path below the root that a URL's path means, `None` if it may not be served: it leads
/// upwards, to a hidden file, or is no text.
pub(crate) fn decode(url_path: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for segment in url_path.split('/').filter(|segment| !segment.is_empty()) {
        let name = percent_decode_str(segment).decode_utf8().ok()?;
        let is_first = path.as_os_str().is_empty();
        let hidden = name.starts_with('.') && !(is_first && name == WELL_KNOWN);
        if hidden || name.contains(['/', '\0']) {
            return None;
        }
        path.push(&*name);
    }
    Some(path)
}

/// Returns the URL path of a path below the root. It never begins with two slashes, so that a redirect
/// there cannot lead to another host.
pub(crate) fn encode(path: &Path) -> Option<String> {
    let mut url = String::new();
    for name in path {
        url.push('/');
        url.extend(utf8_percent_encode(name.to_str()?, RESERVED));
    }
    Some(if url.is_empty() { "/".to_owned() } else { url })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_leads_upwards_or_to_a_hidden_file() {
        let refused = [
            "/..",
            "/a/../b",
            "/%2e%2e/etc",
            "/..%2fetc",
            "/a%2fb",
            "/.git/config",
            "/.env",
            "/a/.env",
            "/%2Eenv",
            "/.",
            "/a%00",
            "/%ff",
            "/.well-known/.env",
            "/a/.well-known/x",
            "/.well-knownx",
        ];
        for path in refused {
            assert_eq!(decode(path), None, "{path}");
        }
        assert_eq!(decode("/.well-known/security.txt"), Some(".well-known/security.txt".into()));
        assert_eq!(decode("//example.org//a%20b/ü.html"), Some("example.org/a b/ü.html".into()));
    }

    proptest! {
        #[test]
        fn a_decoded_path_stays_below_the_root_and_comes_back(url: String) {
            if let Some(path) = decode(&url) {
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
                let url = encode(&path).unwrap();
                prop_assert!(url.starts_with('/') && !url.starts_with("//"));
                prop_assert_eq!(decode(&url), Some(path));
                prop_assert!(url.parse::<http::uri::PathAndQuery>().is_ok());
            }
        }
    }
}
