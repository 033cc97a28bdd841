//! One line of the router's log per request, in the form Heroku's router writes it.
//!
//! The line holds the request's own shared strings; it is put into words only where it is displayed, which is
//! for a `RequestLog` to do away from the request's path.

use crate::backend::Backend;
use crate::code::Code;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where an app's request lines go.
pub trait RequestLog: Send + Sync {
    /// Takes the line of one finished request; called once per request on the router's threads, so it must not block.
    fn request(&self, line: RequestLine);
}

/// What is worth knowing about one request after it ended.
#[derive(Debug, Clone)]
pub struct RequestLine {
    /// What went wrong, if anything did.
    pub code: Option<Code>,
    /// The request's method.
    pub method: Method,
    /// The path with its query, as the visitor sent it.
    pub path: PathAndQuery,
    /// The host as the visitor sent it.
    pub host: HeaderValue,
    /// The id that went to the replica as `X-Request-Id`.
    pub request_id: HeaderValue,
    /// The addresses that went to the replica as `X-Forwarded-For`.
    pub fwd: HeaderValue,
    /// The replica that was asked last, if any was.
    pub replica: Option<Arc<Backend>>,
    /// How long it took to have a connection to the replica.
    pub connect: Duration,
    /// How long it took from then to the last byte of the answer.
    pub service: Duration,
    /// The status of the answer.
    pub status: StatusCode,
    /// How many bytes of body the answer had, or the tunnel carried to the visitor.
    pub bytes: u64,
    /// `http` or `https`.
    pub protocol: &'static str,
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "at=error code={code} desc=\"{}\"", code.description())?,
            None => f.write_str("at=info")?,
        }
        write!(f, " method={} path=\"", self.method)?;
        escape(f, self.path.as_str().as_bytes())?;
        f.write_str("\" host=")?;
        escape(f, self.host.as_bytes())?;
        f.write_str(" request_id=")?;
        escape(f, self.request_id.as_bytes())?;
        f.write_str(" fwd=\"")?;
        escape(f, self.fwd.as_bytes())?;
        write!(f, "\" dyno={}", self.replica.as_ref().map_or("", |backend| backend.name()))?;
        match self.replica {
            Some(_) => {
                write!(f, " connect={}ms service={}ms", self.connect.as_millis(), self.service.as_millis())?
            }
            None => f.write_str(" connect= service=")?,
        }
        write!(f, " status={} bytes={} protocol={}", self.status.as_u16(), self.bytes, self.protocol)
    }
}

/// Writes `bytes` so that they can neither end a quoted value nor the line.
fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let mut rest = bytes;
    loop {
        let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        let (fits, odd) = rest.split_at(plain);
        f.write_str(std::str::from_utf8(fits).unwrap_or_default())?;
        let Some((&byte, after)) = odd.split_first() else { return Ok(()) };
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> RequestLine {
        RequestLine {
            code: None,
            method: Method::GET,
            path: "/a?b=c".parse().unwrap(),
            host: HeaderValue::from_static("shop.localhost"),
            request_id: HeaderValue::from_static("id-1"),
            fwd: HeaderValue::from_static("10.0.0.1, 127.0.0.1"),
            replica: Some(Backend::new("r1", "web.1", "127.0.0.1:1".parse().unwrap())),
            connect: Duration::from_micros(400),
            service: Duration::from_millis(3),
            status: StatusCode::OK,
            bytes: 123,
            protocol: "http",
        }
    }

    #[test]
    fn a_served_request_reads_as_herokus_does() {
        assert_eq!(
            line().to_string(),
            "at=info method=GET path=\"/a?b=c\" host=shop.localhost request_id=id-1 \
             fwd=\"10.0.0.1, 127.0.0.1\" dyno=web.1 connect=0ms service=3ms status=200 bytes=123 protocol=http"
        );
    }

    #[test]
    fn an_error_names_its_code_and_no_replica_when_none_was_asked() {
        let line = RequestLine {
            code: Some(Code::H14),
            replica: None,
            status: Code::H14.status(),
            bytes: 0,
            ..line()
        };
        assert_eq!(
            line.to_string(),
            "at=error code=H14 desc=\"No web processes running\" method=GET path=\"/a?b=c\" \
             host=shop.localhost request_id=id-1 fwd=\"10.0.0.1, 127.0.0.1\" dyno= connect= service= \
             status=503 bytes=0 protocol=http"
        );
    }

    #[test]
    fn no_value_can_break_out_of_the_line() {
        let line = RequestLine {
            host: HeaderValue::from_bytes(b"a\" status=200\xff\t").unwrap(),
            path: PathAndQuery::from_maybe_shared(bytes::Bytes::from_static(b"/\"x")).unwrap(),
            ..line()
        };
        let text = line.to_string();
        assert!(text.contains("path=\"/\\\"x\""), "{text}");
        assert!(text.contains("host=a\\\" status=200\\xff\\x09 "), "{text}");
    }
}
