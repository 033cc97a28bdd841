//! The server's HTTP API: sends requests, follows pages, opens streams and turns refusals into sentences. What the
//! answers hold is for the modules below and the commands.

pub(crate) mod access;
pub(crate) mod app;
pub(crate) mod build;
pub(crate) mod fleet;
pub(crate) mod host;
pub(crate) mod metrics;
pub(crate) mod operation;
pub(crate) mod platform;
pub(crate) mod process;
mod refusal;
pub(crate) mod release;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use model::release::Version;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;
use ureq::http::request::Builder as RequestBuilder;
use ureq::http::{Request, Response};

use crate::address::Address;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::patience::Patience;

const ACCEPT: &str = "application/vnd.heroku+json; version=3";
const TEXT: &str = "text/plain";
const CONNECT_TIME: Duration = Duration::from_secs(10);
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Most pages of a list that are followed.
const PAGES_MAX: usize = 1_000;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The API of one server.
#[derive(Debug)]
pub(crate) struct Api {
    agent: Agent,
    url: Address,
    token: Option<SecretString>,
}

/// What the server answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The JSON body.
    pub(crate) body: Value,
    /// The operation that the request started.
    pub(crate) operation: Option<String>,
    /// The release that the request made, of a change of config.
    pub(crate) release: Option<Version>,
    next_range: Option<String>,
}

impl Api {
    /// Returns the API of the server that the credentials are for.
    pub(crate) fn new(credentials: &Credentials) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_recv_response(Some(ANSWER_TIME))
            .user_agent(concat!("paasctl/", env!("CARGO_PKG_VERSION")));
        if credentials.url.is_loopback() {
            config = config.proxy(None);
        }
        Self {
            agent: config.build().new_agent(),
            url: credentials.url.clone(),
            token: credentials.token.clone(),
        }
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As for each request: the server does not answer, or refuses.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        Ok(self.send("GET", path, None, "")?.body)
    }

    /// Reads a whole list, page after page.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn all(&self, path: &str) -> Result<Value> {
        let mut items = Vec::new();
        let mut range = String::new();
        for _ in 0..PAGES_MAX {
            let answer = self.send("GET", path, None, &range)?;
            let Value::Array(page) = answer.body else { return Ok(answer.body) };
            items.extend(page);
            match answer.next_range {
                Some(next) => range = next,
                None => break,
            }
        }
        Ok(Value::Array(items))
    }

    /// Reads the newest of a list, newest first by `attribute`, whether or not the server sorts by it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn newest(&self, path: &str, attribute: &str, most: usize) -> Result<Value> {
        let range = format!("{attribute} ..; order=desc, max={most}");
        let mut body = self.send("GET", path, None, &range)?.body;
        if let Value::Array(items) = &mut body {
            items.sort_by(|a, b| age(&b[attribute]).cmp(&age(&a[attribute])));
            items.truncate(most);
        }
        Ok(body)
    }

    /// Asks for something to be made or done.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, Some(body), "")
    }

    /// Asks for a change.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("PATCH", path, Some(body), "")
    }

    /// Asks for a removal, or for a restart in the case of dynos.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn delete(&self, path: &str) -> Result<Answer> {
        self.send("DELETE", path, None, "")
    }

    /// Puts bytes at an address that is its own key: the token is not sent there.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn upload(&self, url: &str, bytes: Vec<u8>) -> Result<()> {
        let request = Request::put(url).body(bytes);
        let request = request.map_err(|_| Error::failed("the server gave an address that cannot be read"))?;
        let patience = Patience::with(&self.url);
        let sent = self.agent.run(request).map_err(|error| refusal::unreachable(&self.url, &error, "PUT"));
        drop(patience);
        self.answer(sent?, ("PUT", "")).map(drop)
    }

    /// Opens a stream of lines under the API; it may stay silent for as long as it likes.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn lines(&self, path: &str) -> Result<impl BufRead + use<>> {
        self.open(Request::get(format!("{}{path}", self.url)).header("Accept", TEXT), path)
    }

    /// Opens a stream whose address is its own key: the token is not sent there.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn lines_of(&self, url: &str) -> Result<impl BufRead + use<>> {
        self.open(Request::get(url).header("Accept", TEXT), "")
    }

    /// As [`Self::lines_of`], of JSON objects; those that come after the place in the stream that one before named.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn objects_of(&self, url: &str, after: Option<&str>) -> Result<impl BufRead + use<>> {
        let request = Request::get(url).header("Accept", "application/x-ndjson");
        self.open(
            after.into_iter().fold(request, |request, place| request.header("Last-Event-ID", place)),
            "",
        )
    }

    /// `path` is empty for an address that is its own key.
    fn open(&self, mut request: RequestBuilder, path: &str) -> Result<BufReader<ureq::BodyReader<'static>>> {
        if let Some(token) = self.token.as_ref().filter(|_| !path.is_empty()) {
            request = request.header("Authorization", bearer(token));
        }
        let request =
            request.body(()).map_err(|_| Error::failed("the server gave an address that cannot be read"))?;
        let patience = Patience::with(&self.url);
        let mut response =
            self.agent.run(request).map_err(|error| refusal::unreachable(&self.url, &error, "GET"))?;
        drop(patience);
        if !response.status().is_success() {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            return Err(refusal::of(response.status().as_u16(), &text, path));
        }
        Ok(BufReader::new(response.into_body().into_reader()))
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>, range: &str) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("Accept", ACCEPT);
        if let Some(token) = &self.token {
            request = request.header("Authorization", bearer(token));
        }
        if !range.is_empty() {
            request = request.header("Range", range);
        }
        let unusable = |_| Error::failed("the request cannot be written; is the token a single line?");
        let patience = Patience::with(&self.url);
        let sent = match body {
            Some(json) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(json.to_string()).map_err(unusable)?)
            }
            None => self.agent.run(request.body(()).map_err(unusable)?),
        };
        drop(patience);
        let unreachable = |error: ureq::Error| refusal::unreachable(&self.url, &error, method);
        self.answer(sent.map_err(unreachable)?, (method, path))
    }

    fn answer(&self, mut response: Response<ureq::Body>, (method, path): (&str, &str)) -> Result<Answer> {
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (operation, next_range) = (header("Paas-Operation"), header("Next-Range"));
        let release = header("Paas-Release").and_then(|version| version.parse().ok());
        let status = response.status();
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string();
        let text = text.map_err(|error| refusal::unreachable(&self.url, &error, method))?;
        if !status.is_success() {
            return Err(refusal::of(status.as_u16(), &text, path));
        }
        let body = serde_json::from_str(&text).map_err(|_| {
            Error::failed(format!("{} answered something else than JSON", self.url))
                .hint("Is it the address of the platform's API? `paasctl doctor` checks it.")
        })?;
        Ok(Answer { body, operation, release, next_range })
    }
}

fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}

fn age(value: &Value) -> (u64, &str) {
    (value.as_u64().unwrap_or_default(), value.as_str().unwrap_or_default())
}

/// Returns a text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Reads what a command needs out of an answer.
///
/// # Errors
/// The answer has another shape; the message tells the field but no value.
pub(crate) fn read<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T> {
    T::deserialize(value).map_err(|error| {
        let at = error.to_string();
        let field = at.split('`').nth(1).filter(|_| at.starts_with("missing field")).unwrap_or("its fields");
        Error::failed(format!("the server's answer cannot be read: {field} are not as expected"))
            .hint("`paasctl version` and `paasctl doctor` show both versions; they should be alike.")
    })
}

/// Returns the one id in a list of objects that begins with `start`.
///
/// # Errors
/// None or several do.
pub(crate) fn resolve_id(items: &Value, start: &str, what: &str) -> Result<String> {
    let ids = items.as_array().into_iter().flatten().filter_map(|item| item["id"].as_str());
    let found: Vec<_> = ids.filter(|id| id.starts_with(&start.to_ascii_lowercase())).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Error::failed(format!("no {what} `{}`", model::wording::plain(start, 40)))),
        [first, ..] => Err(Error::failed(format!("{} {what}s begin with `{start}`", found.len()))
            .hint(format!("Give more of the id, such as `{}`.", short_id(first)))),
    }
}

/// Returns as much of an id as tells it from the others on a screen: its time in milliseconds.
pub(crate) fn short_id(id: &str) -> &str {
    id.get(..13).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_may_be_cut_short_as_long_as_it_is_the_only_one() {
        let list = json!([{"id": "0190a1b2-c3d4-7000"}, {"id": "0190a1b2-ffff-7000"}]);
        assert_eq!(resolve_id(&list, "0190A1B2-C", "build").unwrap(), "0190a1b2-c3d4-7000");
        assert_eq!(resolve_id(&list, "0190", "build").unwrap_err().message, "2 builds begin with `0190`");
        assert_eq!(resolve_id(&list, "ff", "build").unwrap_err().message, "no build `ff`");
    }

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(segment("a/b@c.d"), "a%2Fb%40c.d");
    }
}
