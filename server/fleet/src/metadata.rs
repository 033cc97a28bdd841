//! The metadata service of an instance, asked as its second version wants it: a token first, which no request that another
//! was talked into can bring. It tells what the instance is and whether it is taken back.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::identity_document::IDENTITY_MAX;
use crate::protocol::{Maintenance, Notice, Told};

/// How long one answer may take; the service is on the same machine.
const ANSWER: Duration = Duration::from_secs(3);

/// How long a token is to hold, in seconds: as long as AWS lets one.
const TOKEN_LIFE: Duration = Duration::from_secs(6 * 60 * 60);

const TOKEN: &str = "/latest/api/token";
const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
const SIGNATURE: &str = "/latest/dynamic/instance-identity/rsa2048";
const INTERRUPTION: &str = "/latest/meta-data/spot/instance-action";
const MAINTENANCE: &str = "/latest/meta-data/events/maintenance/scheduled";
const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";

/// Where the metadata service is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MetadataUrl {
    host: String,
    port: u16,
}

/// A text that is not where a metadata service is asked.
#[derive(Debug, thiserror::Error)]
#[error("a metadata service is given as http://HOST or http://HOST:PORT")]
pub struct BadMetadataUrl;

impl Default for MetadataUrl {
    /// Where every instance has it.
    fn default() -> Self {
        Self { host: "169.254.169.254".to_owned(), port: 80 }
    }
}

impl FromStr for MetadataUrl {
    type Err = BadMetadataUrl;

    fn from_str(text: &str) -> Result<Self, BadMetadataUrl> {
        let uri: Uri = text.trim().parse().map_err(|_| BadMetadataUrl)?;
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        let host = uri.host().filter(|_| plain).ok_or(BadMetadataUrl)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) })
    }
}

impl TryFrom<String> for MetadataUrl {
    type Error = BadMetadataUrl;

    fn try_from(text: String) -> Result<Self, BadMetadataUrl> {
        text.parse()
    }
}

impl fmt::Display for MetadataUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "http://[{}]:{}", self.host, self.port),
            false => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}

/// The metadata service did not tell.
#[derive(Debug, thiserror::Error)]
#[error("the metadata service does not tell: {0}")]
pub struct MetadataError(String);

impl MetadataError {
    fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// What an instance shows to prove what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceIdentity {
    /// Its identity document, to the byte.
    pub document: String,
    /// AWS's signature of that: base64 of PKCS #7.
    pub signature: String,
}

/// A metadata service.
pub struct Metadata {
    url: MetadataUrl,
    token: Mutex<Option<(HeaderValue, Instant)>>,
}

impl Metadata {
    /// Asks there from now on.
    #[must_use]
    pub fn at(url: MetadataUrl) -> Self {
        Self { url, token: Mutex::default() }
    }

    /// Returns what the instance shows to prove what it is.
    ///
    /// # Errors
    /// The service does not answer, as while the machine boots.
    pub async fn identity(&self) -> Result<InstanceIdentity, MetadataError> {
        let text = async |path| {
            let bytes = self.get(path).await?.ok_or_else(|| MetadataError(format!("it has no {path}")))?;
            String::from_utf8(bytes.into()).map_err(MetadataError::of)
        };
        Ok(InstanceIdentity { document: text(DOCUMENT).await?, signature: text(SIGNATURE).await? })
    }

    /// Returns that the instance is taken back or due for maintenance, if it is or may soon be.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn told(&self) -> Result<Told, MetadataError> {
        let notice = self.notice().await?;
        let maintenance = self.get(MAINTENANCE).await?.and_then(|told| first_maintenance(&told));
        Ok(Told { notice, maintenance })
    }

    async fn notice(&self) -> Result<Option<Notice>, MetadataError> {
        if let Some(told) = self.get(INTERRUPTION).await? {
            // Whatever else it says: that it is there at all is the notice.
            let told: Option<Interruption> = serde_json::from_slice(&told).ok();
            return Ok(Some(Notice { ends_at: Some(told.map_or_else(Timestamp::now, |told| told.time)) }));
        }
        Ok(self.get(REBALANCE).await?.map(|_| Notice { ends_at: None }))
    }

    /// Returns what is under a path; nothing if there is nothing.
    async fn get(&self, path: &str) -> Result<Option<Bytes>, MetadataError> {
        for _ in 0..2 {
            let token = self.token().await?;
            let request = self.request(Method::GET, path).header("x-aws-ec2-metadata-token", token);
            let (status, body) = self.call(request).await?;
            match status {
                StatusCode::OK => return Ok(Some(body)),
                StatusCode::NOT_FOUND => return Ok(None),
                // One from before the machine slept may be no good any more.
                StatusCode::UNAUTHORIZED => *self.token.lock().await = None,
                status => return Err(MetadataError(format!("it answers {path} with {status}"))),
            }
        }
        Err(MetadataError("it does not take the token that it gave".to_owned()))
    }

    /// Returns a token that holds.
    async fn token(&self) -> Result<HeaderValue, MetadataError> {
        let mut known = self.token.lock().await;
        if let Some((token, _)) = known.as_ref().filter(|(_, until)| Instant::now() < *until) {
            return Ok(token.clone());
        }
        let request = self.request(Method::PUT, TOKEN);
        let request = request.header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE.as_secs());
        let (status, body) = self.call(request).await?;
        if status != StatusCode::OK {
            return Err(MetadataError(format!("it gives no token, but {status}")));
        }
        let mut token = HeaderValue::from_maybe_shared(body).map_err(MetadataError::of)?;
        token.set_sensitive(true);
        *known = Some((token.clone(), Instant::now() + TOKEN_LIFE / 2));
        Ok(token)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let host = self.url.to_string();
        let host = host.trim_start_matches("http://").trim_end_matches(":80");
        Request::builder().method(method).uri(path).header(HOST, host)
    }

    async fn call(&self, request: http::request::Builder) -> Result<(StatusCode, Bytes), MetadataError> {
        let request = request.body(Empty::<Bytes>::new()).map_err(MetadataError::of)?;
        let answered = timeout(ANSWER, async {
            let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await;
            let stream = TokioIo::new(stream.map_err(MetadataError::of)?);
            let (mut sender, connection) = http1::handshake(stream).await.map_err(MetadataError::of)?;
            let ask = async {
                let response = sender.send_request(request).await.map_err(MetadataError::of)?;
                let status = response.status();
                let body = Limited::new(response.into_body(), IDENTITY_MAX).collect().await;
                Ok((status, body.map_err(MetadataError::of)?.to_bytes()))
            };
            tokio::pin!(connection);
            tokio::pin!(ask);
            // The connection is driven for as long as the answer takes, and given up with it.
            tokio::select! {
                answer = &mut ask => answer,
                ended = &mut connection => match ended {
                    Ok(()) => ask.await,
                    Err(error) => Err(MetadataError::of(error)),
                },
            }
        });
        answered.await.map_err(|_| MetadataError("it did not answer in time".to_owned()))?
    }
}

/// What is said of a spot instance that is taken back.
#[derive(Deserialize)]
struct Interruption {
    time: Timestamp,
}

/// What is planned for the machine, as `events/maintenance/scheduled` has it.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    /// Such as `21 Jan 2019 09:00:43 GMT`.
    not_before: Option<String>,
    /// `active`; others are over or were called off.
    state: String,
}

/// Returns the earliest of what is planned. Whatever cannot be read plans nothing: hosts would all be replaced for it.
fn first_maintenance(told: &[u8]) -> Option<Maintenance> {
    let events: Vec<Event> = serde_json::from_slice(told).ok()?;
    let active = events.iter().filter(|event| event.state == "active");
    // One without a date that can be read comes last.
    let begins = |event: &Event| event.not_before.as_deref().and_then(date);
    let first = active.map(begins).min_by_key(|at| at.unwrap_or(Timestamp::MAX));
    first.map(|begins_at| Maintenance { begins_at })
}

fn date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime("%d %b %Y %H:%M:%S GMT", text.trim()).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_what_is_planned_is_told_and_what_is_over_is_not() {
        let event =
            |state, begins| format!(r#"{{"NotBefore": "{begins}", "Code": "x", "State": "{state}"}}"#);
        let told = |events: &[String]| first_maintenance(format!("[{}]", events.join(",")).as_bytes());
        let (late, early) =
            (event("active", "21 Jan 2027 09:00:43 GMT"), event("active", " 3 Dec 2026 09:00:43 GMT"));
        let at = |text: &str| Some(Maintenance { begins_at: Some(text.parse().unwrap()) });
        assert_eq!(told(&[late.clone(), early]), at("2026-12-03T09:00:43Z"));
        let over = ["completed", "canceled"].map(|state| event(state, "21 Nov 2026 09:00:43 GMT"));
        assert_eq!(told(&over), None);
        assert_eq!(told(&[over[0].clone(), late.clone()]), at("2027-01-21T09:00:43Z"));
        let undated = event("active", "soon");
        assert_eq!(told(std::slice::from_ref(&undated)), Some(Maintenance { begins_at: None }));
        assert_eq!(told(&[undated, late]), at("2027-01-21T09:00:43Z"));
        assert_eq!(told(&[]), None);
        for odd in ["", "{}", "[1]", "<html>", r#"[{"State": 1}]"#] {
            assert_eq!(first_maintenance(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn where_the_service_is_is_read_back() {
        let url = |text: &str| text.parse::<MetadataUrl>();
        assert_eq!(url("http://169.254.169.254/").unwrap(), MetadataUrl::default());
        for text in ["http://127.0.0.1:8080", "http://[fd00:ec2::254]:80"] {
            assert_eq!(url(text).unwrap().to_string(), text);
        }
        for bad in ["", "169.254.169.254", "https://169.254.169.254", "http://a/b", "http://a/?b", "http://"]
        {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
