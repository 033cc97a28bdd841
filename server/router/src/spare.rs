//! A request without a body once more, from the bytes it was sent as.
//!
//! Nearly each request may be sent again and hardly one is, so that nothing is kept of it but its bytes, in the one
//! piece in which they are written.

use crate::upload::Upload;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

/// Reads the request that was `sent`, if it was sent whole and has no body.
pub(crate) fn read(sent: &[u8]) -> Option<Request<Upload>> {
    let lines = sent.iter().filter(|byte| **byte == b'\n').count();
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut headers);
    if !matches!(parsed.parse(sent), Ok(httparse::Status::Complete(length)) if length == sent.len()) {
        return None;
    }
    let mut request = Request::new(Upload::empty());
    *request.method_mut() = parsed.method?.parse::<Method>().ok()?;
    *request.uri_mut() = parsed.path?.parse::<Uri>().ok()?;
    for header in parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http::header::{COOKIE, HOST};

    #[test]
    fn a_request_comes_again_with_all_it_had() {
        let sent = b"DELETE /a?b=c:d HTTP/1.1\r\nhost: shop.localhost:80\r\ncookie: a=b\r\ncookie: c=d\r\n\
                     x-odd: \xff:\t x\r\nx-empty: \r\nmy_header: 1\r\n\r\n";
        let again = read(sent).unwrap();
        assert_eq!((again.method(), again.uri().to_string().as_str()), (&Method::DELETE, "/a?b=c:d"));
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("shop.localhost:80"));
        headers.append(COOKIE, HeaderValue::from_static("a=b"));
        headers.append(COOKIE, HeaderValue::from_static("c=d"));
        headers.append("x-odd", HeaderValue::from_bytes(b"\xff:\t x").unwrap());
        headers.append("x-empty", HeaderValue::from_static(""));
        headers.append("my_header", HeaderValue::from_static("1"));
        assert_eq!(again.headers(), &headers);
    }

    #[test]
    fn half_a_request_or_one_and_a_half_do_not_come_again() {
        for sent in [&b""[..], b"GET / HTTP/1.1\r\nhost: a\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n\r\nbody"] {
            assert!(read(sent).is_none(), "{sent:?}");
        }
    }
}
