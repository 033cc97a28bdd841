//! How long a browser may keep a file without asking, by its name alone.

use std::path::Path;

/// Never changes under this name.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Ask each time; the answer is a 304 as long as nothing changed.
pub(crate) const ASK: &str = "no-cache";
/// Keep for an hour.
const HOUR: &str = "public, max-age=3600, must-revalidate";

/// Returns the `Cache-Control` of a file: pages are asked for each time, names with a fingerprint of the
/// content are kept for ever, all else for an hour.
pub(crate) fn cache_control(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => ASK,
        _ if is_fingerprinted(path) => IMMUTABLE,
        _ => HOUR,
    }
}

/// Returns whether bundlers put a hash of the content into this name: `app.3f9a8c1b.js`, `app-3f9a8c1b.js`, and
/// in a folder `assets` also `index-BxY3kP0a.js`, as Vite writes it.
///
/// Only what is surely a hash counts: a date (`20240101`) or a word (`deadbeef`) must not be kept for a year.
fn is_fingerprinted(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let name = name.strip_suffix(".map").unwrap_or(name);
    let Some((stem, _extension)) = name.rsplit_once('.') else { return false };
    let after = |separator| stem.rsplit_once(separator).map(|(_, last)| last);
    let in_assets =
        path.parent().is_some_and(|folder| folder.file_name().is_some_and(|name| name == "assets"));
    // A hash of Vite's may contain a dash itself.
    let vite = stem.len().checked_sub(9).and_then(|dash| stem.get(dash..)?.strip_prefix('-'));
    ['.', '-', '_'].into_iter().filter_map(after).any(is_hex_hash)
        || (in_assets && vite.is_some_and(is_base64_hash))
}

fn is_hex_hash(word: &str) -> bool {
    let is_hex = word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    (8..=64).contains(&word.len()) && is_hex && has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase)
}

fn is_base64_hash(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_each_time() {
        for path in ["index.html", "a/b.HTML", "page.3f9a8c1b.html"] {
            assert_eq!(cache_control(Path::new(path)), ASK, "{path}");
        }
    }

    #[test]
    fn names_with_a_fingerprint_are_kept_for_ever() {
        let names = [
            "app.3f9a8c1b.js",
            "css/style.55e7cbb9ba48.css",
            "main-0a1b2c3d4e5f.js",
            "app.3f9a8c1b.js.map",
            "assets/index-BxY3kP0a.js",
            "x/assets/index-B-x_kP0a.css",
            "logo_9c1185a5c5e9fc54.svg",
        ];
        for path in names {
            assert_eq!(cache_control(Path::new(path)), IMMUTABLE, "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_a_fingerprint_is_kept_for_an_hour() {
        let names = [
            "app.js",
            "robots.txt",
            "report-20240101.pdf",
            "cow.deadbeef.png",
            "index-BxY3kP0a.js",
            "assets/jquery-migrate.js",
            "3f9a8c1b.js",
            "app.3f9a8c1b",
            "assets/ü-BxY3kP0.js",
        ];
        for path in names {
            assert_eq!(cache_control(Path::new(path)), HOUR, "{path}");
        }
    }
}
