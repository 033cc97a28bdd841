//! What it takes to send a request without a body again.
//!
//! One is made for nearly each request and seldom used, so that it has to be cheap to make: the headers are written
//! one after the other, which costs a third of a second map.

use crate::upload::Upload;
use crate::watch::Watch;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use std::sync::Arc;

/// How many bytes most headers take.
const USUAL: usize = 1_024;

/// A request without a body that can be sent again.
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    /// `name:value` and a line feed each; neither can have one in it.
    headers: Vec<u8>,
}

impl Spare {
    /// Keeps what `request` says.
    pub(crate) fn of(request: &Request<Upload>) -> Self {
        let mut headers = Vec::with_capacity(USUAL);
        for (name, value) in request.headers() {
            headers.extend_from_slice(name.as_str().as_bytes());
            headers.push(b':');
            headers.extend_from_slice(value.as_bytes());
            headers.push(b'\n');
        }
        Self { method: request.method().clone(), uri: request.uri().clone(), headers }
    }

    /// Returns the request once more.
    pub(crate) fn again(self, watch: &Arc<Watch>) -> Request<Upload> {
        let mut request = Request::new(Upload::empty(Arc::clone(watch)));
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.split(|byte| *byte == b'\n').filter_map(header) {
            headers.append(name, value);
        }
        *request.headers_mut() = headers;
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        request
    }
}

/// Reads a header that was written above.
fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.get(1..)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Timeouts;

    #[test]
    fn a_request_comes_again_with_all_it_had() {
        let watch = Arc::new(Watch::new(Arc::new(Timeouts::default())));
        let mut request = Request::new(Upload::empty(Arc::clone(&watch)));
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = "/a?b=c:d".parse().unwrap();
        let lines: [(&str, &[u8]); 6] = [
            ("host", b"shop.localhost:80"),
            ("cookie", b"a=b"),
            ("cookie", b"c=d"),
            ("x-odd", b"\xff:\t "),
            ("x-empty", b""),
            ("my_header", b"1"),
        ];
        for (name, value) in lines {
            let name = name.parse::<HeaderName>().unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let again = Spare::of(&request).again(&watch);
        assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
        assert_eq!(again.headers(), request.headers());
    }
}
