//! The two cookies: the secret of a browser that is signed in, and what the next page should say.

use std::time::Duration;

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;

/// Over TLS a browser takes a cookie of this name only from this very host.
const SECURE: &str = "__Host-paas_session";
const CLEAR: &str = "paas_session";
const NOTICE: &str = "paas_notice";

/// As long as a session lasts at most; the server ends one earlier that is not used.
const SESSION: Duration = Duration::from_secs(90 * 24 * 3_600);

/// Longest notice, in bytes; a cookie may have 4,096.
const NOTICE_MAX: usize = 1_500;

/// Returns the secret of the request's session.
pub(super) fn secret(headers: &HeaderMap) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    let name = if is_secure(headers) { SECURE } else { CLEAR };
    jar.get(name).map(|cookie| cookie.value().to_owned())
}

/// Returns the cookie that keeps a session's secret; an empty one removes it.
pub(super) fn session(headers: &HeaderMap, secret: &str) -> String {
    let name = if is_secure(headers) { SECURE } else { CLEAR };
    cookie(name, secret, if secret.is_empty() { Duration::ZERO } else { SESSION }, is_secure(headers))
}

/// Returns the cookie that lets the next page say something.
pub(super) fn notice(headers: &HeaderMap, text: &str) -> String {
    let end = text.floor_char_boundary(NOTICE_MAX);
    cookie(NOTICE, &hex::encode(&text[..end]), Duration::from_secs(60), is_secure(headers))
}

/// Returns what the page should say.
pub(super) fn noticed(headers: &HeaderMap) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    let text = hex::decode(jar.get(NOTICE)?.value()).ok()?;
    String::from_utf8(text).ok().filter(|text| !text.is_empty())
}

/// Returns the cookie that ends a notice.
pub(super) fn said() -> String {
    cookie(NOTICE, "", Duration::ZERO, false)
}

/// Writes a cookie whose value is hexadecimal.
fn cookie(name: &str, value: &str, life: Duration, secure: bool) -> String {
    let seconds = life.as_secs();
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// Tells whether the browser speaks TLS with the proxy in front of us. One that only claims so gets a cookie that it
/// will not send.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE;

    /// Returns the headers of a browser that was told to keep the cookie.
    fn keeps(cookie: &str, secure: bool) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap_or_default();
        let mut headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(pair).unwrap())]);
        if secure {
            headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        headers
    }

    #[test]
    fn a_session_comes_back_over_what_it_was_made_for_only() {
        let clear = session(&HeaderMap::new(), "abc123");
        assert!(!clear.contains("Secure") && clear.contains("HttpOnly; SameSite=Lax"), "{clear}");
        assert_eq!(secret(&keeps(&clear, false)).as_deref(), Some("abc123"));
        assert_eq!(secret(&keeps(&clear, true)), None, "it may have been seen");
        let secure = session(&keeps("", true), "abc123");
        assert!(secure.starts_with("__Host-") && secure.contains("Secure"), "{secure}");
        assert_eq!(secret(&keeps(&secure, true)).as_deref(), Some("abc123"));
    }

    #[test]
    fn a_notice_says_what_it_was_told_whatever_that_is() {
        for text in ["Scaled; to 4\r\nSet-Cookie: x=y", "größer", &"ü".repeat(2_000)] {
            let heard = noticed(&keeps(&notice(&HeaderMap::new(), text), false)).unwrap();
            assert!(text.starts_with(&heard) && heard.len() >= text.len().min(NOTICE_MAX - 1));
        }
        assert_eq!(noticed(&keeps(&said(), false)), None);
    }
}
