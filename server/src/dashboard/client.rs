//! The API as pages call it: in this process, in the name of who is signed in.

use axum::body::{Body, to_bytes};
use axum::http::header::{HOST, RANGE};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

use super::page::Visitor;

/// Most bytes of an answer.
const ANSWER_BYTES: usize = 64 * 1_024 * 1_024;

/// Most items of a list that is read as a whole.
const LIST_MAX: usize = 10_000;

/// Why the API did not do it, in its own words.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub(super) status: StatusCode,
    pub(super) message: String,
    #[serde(default)]
    pub(super) hint: Option<String>,
}

impl Refusal {
    pub(super) fn internal(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        tracing::error!(error = format!("{error:#}"), "a page failed");
        let message = "the server failed; its log says why".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message, hint: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: message.into(), hint: None }
    }

    pub(super) fn not_found() -> Self {
        let message = "there is no such page".to_owned();
        Self { status: StatusCode::NOT_FOUND, message, hint: None }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::internal(error)
    }
}

/// What is asked of the API.
struct Asked<'a> {
    method: Method,
    path: &'a [&'a str],
    /// What follows the question mark, if anything.
    query: &'a str,
    body: Option<&'a Value>,
    range: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn to_read(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: "", body: None, range: None }
    }
}

impl Visitor {
    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Refusal> {
        read(self.call(Asked::to_read(path)).await?)
    }

    /// Reads a whole list, piece after piece.
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Vec<T>, Refusal> {
        let (mut items, mut range) = (Vec::new(), None::<String>);
        loop {
            let piece = self.response(Asked { range: range.as_deref(), ..Asked::to_read(path) }).await?;
            range = piece.headers().get("next-range").and_then(|next| Some(next.to_str().ok()?.to_owned()));
            items.append(&mut read::<Vec<T>>(whole(piece.into_body()).await?)?);
            if range.is_none() || items.len() >= LIST_MAX {
                return Ok(items);
            }
        }
    }

    /// Reads the newest of a list.
    pub(super) async fn newest<T: DeserializeOwned>(&self, path: &[&str], range: &str) -> Result<T, Refusal> {
        read(self.call(Asked { range: Some(range), ..Asked::to_read(path) }).await?)
    }

    /// Reads a text, such as an output as far as it is; the query is part of the address as it stands.
    pub(super) async fn text(&self, path: &[&str], query: &str) -> Result<String, Refusal> {
        let text = self.call(Asked { query, ..Asked::to_read(path) }).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Reads something as it comes; the query is part of the address as it stands.
    pub(super) async fn stream(&self, path: &[&str], query: &str) -> Result<Body, Refusal> {
        self.answer(Asked { query, ..Asked::to_read(path) }).await
    }

    /// Changes something.
    pub(super) async fn send(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, Refusal> {
        let body = self.call(Asked { method, body: Some(body), ..Asked::to_read(path) }).await?;
        if body.is_empty() { Ok(Value::Null) } else { read(body) }
    }

    async fn call(&self, asked: Asked<'_>) -> Result<Vec<u8>, Refusal> {
        whole(self.answer(asked).await?).await
    }

    async fn answer(&self, asked: Asked<'_>) -> Result<Body, Refusal> {
        Ok(self.response(asked).await?.into_body())
    }

    async fn response(&self, asked: Asked<'_>) -> Result<Response, Refusal> {
        let question = if asked.query.is_empty() { "" } else { "?" };
        let uri = format!("{}{question}{}", uri(asked.path)?, asked.query);
        let mut request = Request::builder().method(asked.method).uri(uri);
        request = request.header(HOST, self.host()).header("x-forwarded-proto", self.protocol());
        if let Some(range) = asked.range {
            request = request.header(RANGE, range);
        }
        let body = asked.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).map_err(Refusal::internal)?;
        request.extensions_mut().insert(self.session.clone());
        let Ok(answer) = self.dashboard.api.clone().oneshot(request).await;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let refusal: Refusal = read(whole(answer.into_body()).await?)?;
        Err(Refusal { status, ..refusal })
    }
}

async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    Ok(to_bytes(body, ANSWER_BYTES).await.map_err(Refusal::internal)?.into())
}

fn read<T: DeserializeOwned>(body: Vec<u8>) -> Result<T, Refusal> {
    serde_json::from_slice(&body).map_err(Refusal::internal)
}

/// Joins the parts of an address. What the API calls things has none of the characters that would need to be escaped;
/// what has one is the name of nothing.
fn uri(path: &[&str]) -> Result<String, Refusal> {
    let is_plain = |part: &&&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~*@".contains(c);
        !part.is_empty() && **part != "." && **part != ".." && part.chars().all(plain)
    };
    if path.iter().filter(is_plain).count() == path.len() {
        Ok(format!("/{}", path.join("/")))
    } else {
        Err(Refusal::not_found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_to_another_route() {
        assert_eq!(uri(&["apps", "shop", "formation", "web"]).unwrap(), "/apps/shop/formation/web");
        for odd in ["", ".", "..", "a/b", "a?b", "a#b", "ä", "%2e"] {
            assert!(uri(&["apps", odd]).is_err(), "{odd}");
        }
    }
}
