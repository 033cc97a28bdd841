//! Who looks at a page, and what all pages have: the frame around them, forms that are the session's own, refusals in
//! words.

use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{HOST, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use model::id::SessionId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::client::Refusal;
use super::front::ROOT;
use super::{Dashboard, assets, cookies};
use crate::actor::Actor;
use crate::auth::Session;

/// How old the note of a session's last use may get before it is written again.
const TOUCH_PERIOD: SignedDuration = SignedDuration::from_mins(1);

/// Somebody who is signed in and looks at a page, or sent a form.
pub(super) struct Visitor {
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) session: Session,
    /// This browser.
    pub(super) browser: SessionId,
    /// What a form of this session carries.
    mark: String,
    headers: HeaderMap,
}

/// A form that somebody sent from a page of their own session.
pub(super) struct Submitted<T>(pub(super) Visitor, pub(super) T);

#[derive(Deserialize)]
struct Marked {
    mark: String,
}

/// What the frame around a page shows.
pub(super) struct Frame {
    pub(super) title: String,
    /// The part of the dashboard it belongs to.
    pub(super) section: &'static str,
    pub(super) email: String,
    pub(super) is_admin: bool,
    pub(super) can_write: bool,
    pub(super) mark: String,
    pub(super) notice: Option<Notice>,
}

/// What came of what was done last.
pub(super) struct Notice {
    pub(super) bad: bool,
    pub(super) text: String,
}

impl Frame {
    /// Returns the frame for who is not signed in.
    pub(super) fn outside(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            section: "",
            email: String::new(),
            is_admin: false,
            can_write: false,
            mark: String::new(),
            notice: None,
        }
    }

    /// Returns the address of a style, script or picture.
    pub(super) fn asset(&self, file: &str) -> String {
        assets::url(file)
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    frame: Frame,
    message: String,
    hint: Option<String>,
}

impl FromRequestParts<Arc<Dashboard>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Dashboard>) -> Result<Self, Response> {
        let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let remote = remote.map(|address| address.to_string());
        let secret = cookies::secret(&parts.headers);
        let found = match &secret {
            Some(secret) => {
                let found = find(state, secret, remote).await;
                found.map_err(|error| bare(&parts.headers, Refusal::from(error)))?
            }
            None => None,
        };
        let (Some(secret), Some((browser, session))) = (secret, found) else {
            return Err(to_sign_in(parts));
        };
        let mark = hex::encode(Sha256::digest(format!("form {secret}")));
        Ok(Self { dashboard: state.clone(), session, browser, mark, headers: parts.headers.clone() })
    }
}

async fn find(
    dashboard: &Dashboard,
    secret: &str,
    remote: Option<String>,
) -> Result<Option<(SessionId, Session)>, store::Error> {
    let store = &dashboard.platform.store;
    let mut db = store.read().await?;
    let Some((browser, user)) = store::find_session(&mut db, secret).await? else { return Ok(None) };
    drop(db);
    if Timestamp::now().duration_since(browser.last_used_at) > TOUCH_PERIOD {
        let mut tx = store.write().await?;
        store::touch_session(&mut tx, browser.id).await?;
        tx.commit().await?;
    }
    let session = Session {
        actor: Actor { user: user.id, email: user.email, token: None, remote },
        scope: browser.scope.min(user.scope),
        role: user.scope,
        ends_at: browser.ends_at,
    };
    Ok(Some((browser.id, session)))
}

/// Sends somebody to sign in and, if they only wanted to look, back again afterwards.
fn to_sign_in(parts: &Parts) -> Response {
    let wanted = parts.uri.path();
    if parts.method != axum::http::Method::GET || wanted == "/" {
        return redirect(&format!("{ROOT}/sign-in"));
    }
    // The path below the dashboard's root consists of names that need no escape, or of none that exists.
    let plain = wanted.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~".contains(c));
    let back = if plain { format!("?to={wanted}") } else { String::new() };
    redirect(&format!("{ROOT}/sign-in{back}"))
}

impl<T: DeserializeOwned> FromRequest<Arc<Dashboard>> for Submitted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Dashboard>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let again = |body: Bytes| Request::from_parts(parts.clone(), body.into());
        let whole = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(whole, state).await.map_err(IntoResponse::into_response)?;
        let marked = Form::<Marked>::from_request(again(body.clone()), state).await;
        // The comparison of hashes tells nothing of use about what would have been right.
        let hash = |mark: &str| Sha256::digest(mark);
        if !marked.is_ok_and(|Form(marked)| hash(&marked.mark) == hash(&visitor.mark)) {
            let message = "this form is of an earlier session".to_owned();
            let hint = Some("go back, reload the page and send it again".to_owned());
            return Err(visitor.refused(Refusal { status: StatusCode::FORBIDDEN, message, hint }));
        }
        match Form::<T>::from_request(again(body), state).await {
            Ok(Form(form)) => Ok(Self(visitor, form)),
            Err(error) => {
                let message = format!("the form cannot be read: {error}");
                Err(visitor.refused(Refusal {
                    status: StatusCode::UNPROCESSABLE_ENTITY,
                    message,
                    hint: None,
                }))
            }
        }
    }
}

impl Visitor {
    /// Returns the frame of a page.
    pub(super) fn frame(&self, title: impl Into<String>, section: &'static str) -> Frame {
        let notice = cookies::noticed(&self.headers).map(|text| match text.strip_prefix('!') {
            Some(text) => Notice { bad: true, text: text.to_owned() },
            None => Notice { bad: false, text },
        });
        Frame {
            title: title.into(),
            section,
            email: self.session.actor.email.clone(),
            is_admin: self.session.scope == Scope::Admin,
            can_write: self.session.scope.allows(Scope::Write),
            mark: self.mark.clone(),
            notice,
        }
    }

    /// Returns a page, or says why there is none.
    pub(super) fn page(&self, made: Result<impl Template, Refusal>) -> Response {
        match made {
            Ok(template) => {
                let mut response = render(StatusCode::OK, &template);
                if cookies::noticed(&self.headers).is_some() {
                    set_cookie(&mut response, &cookies::said());
                }
                response
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Returns to a page after a change, with what came of it.
    pub(super) fn done(&self, to: &str, outcome: Result<String, Refusal>) -> Response {
        let text = match outcome {
            Ok(text) => text,
            Err(Refusal { message, hint: Some(hint), .. }) => format!("!{message}; {hint}"),
            Err(Refusal { message, hint: None, .. }) => format!("!{message}"),
        };
        let mut response = redirect(&format!("{ROOT}{to}"));
        set_cookie(&mut response, &cookies::notice(&self.headers, &text));
        response
    }

    /// Returns a page that says why not.
    pub(super) fn refused(&self, refusal: Refusal) -> Response {
        refused(self.frame("Not possible", ""), refusal)
    }

    /// Returns the host as the browser calls it.
    pub(super) fn host(&self) -> &str {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        host.unwrap_or("localhost")
    }

    /// Returns `https` when a proxy in front of us speaks that.
    pub(super) fn protocol(&self) -> &'static str {
        let forwarded = self.headers.get("x-forwarded-proto");
        if forwarded.is_some_and(|protocol| protocol == "https") { "https" } else { "http" }
    }
}

/// Answers where there is no page.
pub(super) async fn not_found(visitor: Visitor) -> Response {
    visitor.refused(Refusal::not_found())
}

/// Says why not, to somebody of whom nothing is known.
pub(super) fn bare(_: &HeaderMap, refusal: Refusal) -> Response {
    refused(Frame::outside("Not possible"), refusal)
}

fn refused(frame: Frame, Refusal { status, message, hint }: Refusal) -> Response {
    render(status, &Refused { frame, message, hint })
}

/// Returns a page.
pub(super) fn render(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log says why.\n").into_response()
        }
    }
}

/// Sends the browser on with GET.
pub(super) fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Adds a cookie.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
