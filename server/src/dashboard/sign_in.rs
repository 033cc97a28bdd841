//! Signing in with a password or a token, and the first set-up: who has the administrator's token chooses a password.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use model::access::Scope;
use serde::Deserialize;
use serde_json::Map;
use store::{NewSession, User};

use super::client::Refusal;
use super::front::ROOT;
use super::page::{Frame, Submitted, bare, redirect, render, set_cookie};
use super::{Dashboard, cookies, passwords, words};
use crate::actor::Actor;
use crate::audit;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    to: String,
    email: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    frame: Frame,
    token_file: String,
    characters_min: usize,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    #[serde(default)]
    to: String,
    #[serde(default)]
    email: String,
    /// A password, or a token in its place.
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
pub(super) struct SetUp {
    token: String,
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// Who comes, as far as a browser and its connection say.
struct Comer<'a> {
    headers: &'a HeaderMap,
    address: Option<IpAddr>,
}

/// Who somebody turned out to be.
struct Known {
    user: User,
    scope: Scope,
    /// When the token ends that they have shown.
    ends_at: Option<Timestamp>,
}

/// Why nobody was signed in.
enum NotSignedIn {
    Refused(String),
    Failed(Refusal),
}

impl<E: Into<Refusal>> From<E> for NotSignedIn {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Response {
    match is_set_up(&dashboard).await {
        Ok(true) => {
            let (frame, to) = (Frame::outside("Sign in"), back.to);
            render(StatusCode::OK, &SignInPage { frame, to, email: String::new(), problem: None })
        }
        Ok(false) => redirect(&format!("{ROOT}/set-up")),
        Err(error) => bare(&headers, error.into()),
    }
}

pub(super) async fn sign_in(
    State(dashboard): State<Arc<Dashboard>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Response {
    let comer = Comer { headers: &headers, address: Some(peer.ip().to_canonical()) };
    let known = match given.password.starts_with("paas_") && given.email.is_empty() {
        true => by_token(&dashboard, &comer, &given.password).await,
        false => by_password(&dashboard, &comer, &given).await,
    };
    let opened = match known {
        Ok(known) => open(&dashboard, &comer, &known, &back(&given.to)).await,
        Err(error) => Err(error),
    };
    opened.unwrap_or_else(|error| match error {
        NotSignedIn::Failed(refusal) => bare(&headers, refusal),
        NotSignedIn::Refused(problem) => {
            let Credentials { to, email, .. } = given;
            let frame = Frame::outside("Sign in");
            render(StatusCode::UNAUTHORIZED, &SignInPage { frame, to, email, problem: Some(problem) })
        }
    })
}

pub(super) async fn show_set_up(State(dashboard): State<Arc<Dashboard>>, headers: HeaderMap) -> Response {
    match is_set_up(&dashboard).await {
        Ok(false) => set_up_page(&dashboard, StatusCode::OK, None),
        Ok(true) => redirect(&format!("{ROOT}/sign-in")),
        Err(error) => bare(&headers, error.into()),
    }
}

pub(super) async fn set_up(
    State(dashboard): State<Arc<Dashboard>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(given): Form<SetUp>,
) -> Response {
    let comer = Comer { headers: &headers, address: Some(peer.ip().to_canonical()) };
    match begin(&dashboard, &comer, given).await {
        Ok(response) => response,
        Err(NotSignedIn::Failed(refusal)) => bare(&headers, refusal),
        Err(NotSignedIn::Refused(problem)) => {
            set_up_page(&dashboard, StatusCode::UNPROCESSABLE_ENTITY, Some(problem))
        }
    }
}

pub(super) async fn sign_out(
    headers: HeaderMap,
    Submitted(visitor, Nothing {}): Submitted<Nothing>,
) -> Response {
    let ended = async {
        let mut tx = visitor.dashboard.platform.store.write().await?;
        store::end_session(&mut tx, visitor.session.actor.user, visitor.browser).await?;
        tx.commit().await
    };
    if let Err(error) = ended.await {
        return visitor.refused(error.into());
    }
    let mut response = redirect(&format!("{ROOT}/sign-in"));
    set_cookie(&mut response, &cookies::session(&headers, ""));
    response
}

/// Nobody has a password as long as nobody was here.
async fn is_set_up(dashboard: &Dashboard) -> Result<bool, store::Error> {
    store::has_passwords(&mut *dashboard.platform.store.read().await?).await
}

fn set_up_page(dashboard: &Dashboard, status: StatusCode, problem: Option<String>) -> Response {
    let page = SetUpPage {
        frame: Frame::outside("Set up"),
        token_file: dashboard.platform.options.dir("admin-token").display().to_string(),
        characters_min: passwords::CHARACTERS_MIN,
        problem,
    };
    render(status, &page)
}

async fn begin(dashboard: &Dashboard, comer: &Comer<'_>, given: SetUp) -> Result<Response, NotSignedIn> {
    if is_set_up(dashboard).await? {
        return Ok(redirect(&format!("{ROOT}/sign-in")));
    }
    let known = by_token(dashboard, comer, given.token.trim()).await?;
    if known.scope != Scope::Admin {
        return Err(NotSignedIn::Refused("That token is not an administrator's.".to_owned()));
    }
    if known.ends_at.is_some() {
        return Err(NotSignedIn::Refused("That token ends, and a password would not.".to_owned()));
    }
    if given.password != given.again {
        return Err(NotSignedIn::Refused("The two passwords differ.".to_owned()));
    }
    if let Some(problem) = passwords::refusal(&given.password) {
        return Err(NotSignedIn::Refused(problem));
    }
    let hash = dashboard.passwords.hash(given.password).await.map_err(Refusal::internal)?;
    let mut tx = dashboard.platform.store.write().await?;
    store::set_password_hash(&mut tx, known.user.id, &hash).await?;
    tx.commit().await?;
    open(dashboard, comer, &known, "").await
}

async fn by_token(dashboard: &Dashboard, comer: &Comer<'_>, secret: &str) -> Result<Known, NotSignedIn> {
    let mut db = dashboard.platform.store.read().await?;
    let found = store::find_token(&mut db, secret).await?;
    drop(db);
    let Some((token, user)) = found else {
        return Err(failed(dashboard, comer, None, "That token is wrong, expired or revoked."));
    };
    let scope = token.scope.min(user.scope);
    Ok(Known { user, scope, ends_at: token.expires_at })
}

async fn by_password(
    dashboard: &Dashboard,
    comer: &Comer<'_>,
    given: &Credentials,
) -> Result<Known, NotSignedIn> {
    let email = given.email.trim().to_ascii_lowercase();
    let attempts = &dashboard.platform.attempts;
    // Before the work, which is what an attacker would use up.
    if let Some(wait) = attempts.must_wait(comer.address, Some(&email)) {
        return Err(NotSignedIn::Refused(wait_for(wait)));
    }
    let mut db = dashboard.platform.store.read().await?;
    let user = store::find_user(&mut db, &email).await?.filter(|user| !user.disabled);
    let hash = match &user {
        Some(user) => store::password_hash(&mut db, user.id).await?,
        None => None,
    };
    drop(db);
    let right = dashboard.passwords.is_right(given.password.clone(), hash).await;
    match user {
        Some(user) if right.map_err(Refusal::internal)? => {
            let scope = user.scope;
            Ok(Known { user, scope, ends_at: None })
        }
        _ => Err(failed(dashboard, comer, Some(&email), "The email address or the password is wrong.")),
    }
}

fn failed(dashboard: &Dashboard, comer: &Comer<'_>, account: Option<&str>, what: &str) -> NotSignedIn {
    let wait = dashboard.platform.attempts.failed(comer.address, account);
    NotSignedIn::Refused(wait.map_or_else(|| what.to_owned(), wait_for))
}

fn wait_for(wait: Duration) -> String {
    format!("Too many attempts failed; wait {} s.", wait.as_secs() + 1)
}

/// Signs the browser in and sends it where it wanted to go.
async fn open(
    dashboard: &Dashboard,
    comer: &Comer<'_>,
    Known { user, scope, ends_at }: &Known,
    to: &str,
) -> Result<Response, NotSignedIn> {
    let store = &dashboard.platform.store;
    let remote = comer.address.map(|address| address.to_string());
    let agent = comer.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let browser = words::browser(agent);
    let actor = Actor { user: user.id, email: user.email.clone(), token: None, remote: remote.clone() };
    let row = audit::begin(store, &actor, "session.create", None).await?;
    let mut tx = store.write().await?;
    let (remote, ends_at) = (remote.as_deref(), *ends_at);
    let new = NewSession { user: user.id, scope: *scope, browser: &browser, remote, ends_at };
    let secret = store::create_session(&mut tx, new).await?;
    tx.commit().await?;
    audit::complete(store, row, None, &Map::from_iter([("browser".to_owned(), browser.into())])).await?;
    let mut response = redirect(&format!("{ROOT}{to}"));
    set_cookie(&mut response, &cookies::session(comer.headers, &secret));
    Ok(response)
}

/// Returns where to go after signing in: a page of the dashboard and nothing else.
fn back(to: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if to.starts_with('/') && !to.starts_with("//") && to.chars().all(plain) {
        to.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_the_dashboard_only() {
        assert_eq!(back("/apps/shop"), "/apps/shop");
        for elsewhere in
            ["", "//evil.example.org", "https://evil.example.org", "/a?b", "/a\r\nx: y", "/\\evil"]
        {
            assert_eq!(back(elsewhere), "", "{elsewhere:?}");
        }
    }
}
