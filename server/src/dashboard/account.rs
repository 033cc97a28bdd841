//! The account of who is signed in: the password, the browsers that are signed in, the tokens.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use model::id::SessionId;
use serde::Deserialize;
use serde_json::{Map, json};

use super::client::Refusal;
use super::page::{Frame, Submitted, Visitor};
use super::{passwords, words};
use crate::audit;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    has_password: bool,
    characters_min: usize,
    sessions: Vec<SessionLine>,
    tokens: Vec<TokenLine>,
    /// The secret of a token that was just made, shown on this one page.
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    description: String,
    scope: Vec<String>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
}

struct TokenLine {
    id: String,
    name: String,
    /// What it may do, until when, and when it was used last.
    says: String,
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    name: String,
    scope: String,
    days: String,
}

#[derive(Deserialize)]
pub(super) struct OldToken {
    token: String,
    name: String,
}

struct SessionLine {
    id: String,
    browser: String,
    remote: String,
    since: String,
    used: String,
    this: bool,
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    #[serde(default)]
    current: String,
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(super) struct EndSession {
    session: String,
}

pub(super) async fn show(visitor: Visitor) -> Response {
    visitor.page(view(&visitor, None).await)
}

async fn view(visitor: &Visitor, secret: Option<String>) -> Result<AccountPage, Refusal> {
    let tokens: Vec<Token> = visitor.get(&["oauth", "authorizations"]).await?;
    let mut db = visitor.dashboard.platform.store.read().await?;
    let user = visitor.session.actor.user;
    let has_password = store::password_hash(&mut db, user).await?.is_some();
    let sessions = store::list_sessions(&mut db, user).await?;
    let line = |session: store::BrowserSession| SessionLine {
        id: session.id.to_string(),
        browser: session.browser,
        remote: session.remote.unwrap_or_default(),
        since: words::ago(session.created_at),
        used: words::ago(session.last_used_at),
        this: session.id == visitor.browser,
    };
    Ok(AccountPage {
        frame: visitor.frame("Your account", "account"),
        has_password,
        characters_min: passwords::CHARACTERS_MIN,
        sessions: sessions.into_iter().map(line).collect(),
        tokens: tokens.into_iter().rev().map(token_line).collect(),
        secret,
    })
}

fn token_line(token: Token) -> TokenLine {
    let ends = match token.expires_at {
        Some(end) if end < Timestamp::now() => "has ended".to_owned(),
        Some(end) => format!("until {}", end.strftime("%Y-%m-%d")),
        None => "without end".to_owned(),
    };
    let used = token.last_used_at.map_or("never used".to_owned(), |at| format!("used {}", words::ago(at)));
    let says = format!("{}, {ends}, made {}, {used}", token.scope.join(" "), words::ago(token.created_at));
    TokenLine { id: token.id, name: token.description, says }
}

pub(super) async fn create_token(Submitted(visitor, new): Submitted<NewToken>) -> Response {
    // Empty is without end; what is no number is refused by the API, in words.
    let seconds = new.days.trim().parse::<u64>().map(|days| days.saturating_mul(86_400));
    let life =
        if new.days.trim().is_empty() { json!(null) } else { seconds.map_or(json!(new.days), |s| json!(s)) };
    let body = json!({ "description": new.name.trim(), "scope": [new.scope], "expires_in": life });
    match visitor.send(Method::POST, &["oauth", "authorizations"], &body).await {
        Ok(made) => {
            let secret = made["access_token"]["token"].as_str().map(str::to_owned);
            visitor.page(view(&visitor, secret).await)
        }
        Err(refusal) => visitor.done("/account", Err(refusal)),
    }
}

pub(super) async fn revoke_token(Submitted(visitor, old): Submitted<OldToken>) -> Response {
    let path = ["oauth", "authorizations", &old.token];
    let revoked = visitor.send(Method::DELETE, &path, &json!({})).await;
    visitor.done("/account", revoked.map(|_| format!("The token {} works no more.", old.name)))
}

pub(super) async fn set_password(Submitted(visitor, new): Submitted<NewPassword>) -> Response {
    let outcome = change_password(&visitor, new).await;
    visitor.done("/account", outcome)
}

async fn change_password(visitor: &Visitor, new: NewPassword) -> Result<String, Refusal> {
    let (dashboard, actor) = (&visitor.dashboard, &visitor.session.actor);
    let store = &dashboard.platform.store;
    // A password lets its user do all they may, without end: who came with a token of less must not get there with it.
    if visitor.session.scope < visitor.session.role {
        let message = format!("you signed in with a token of the scope {}", visitor.session.scope.as_str());
        let hint = "sign in with one that may do all that you may".to_owned();
        return Err(Refusal { hint: Some(hint), ..Refusal::invalid(message) });
    }
    if visitor.session.ends_at.is_some() {
        let hint = "sign in with one that does not".to_owned();
        return Err(Refusal { hint: Some(hint), ..Refusal::invalid("you signed in with a token that ends") });
    }
    let known = store::password_hash(&mut *store.read().await?, actor.user).await?;
    if known.is_some() {
        let (remote, account) = (None, Some(actor.email.as_str()));
        if dashboard.platform.attempts.must_wait(remote, account).is_some() {
            return Err(Refusal::invalid("too many attempts failed; wait a moment"));
        }
        let right = dashboard.passwords.is_right(new.current, known).await.map_err(Refusal::internal)?;
        if !right {
            let _ = dashboard.platform.attempts.failed(remote, account);
            return Err(Refusal::invalid("the present password is wrong"));
        }
    }
    if new.password != new.again {
        return Err(Refusal::invalid("the two passwords differ"));
    }
    if let Some(problem) = passwords::refusal(&new.password) {
        return Err(Refusal::invalid(problem));
    }
    let hash = dashboard.passwords.hash(new.password).await.map_err(Refusal::internal)?;
    let row = audit::begin(store, actor, "password.change", None).await?;
    let mut tx = store.write().await?;
    store::set_password_hash(&mut tx, actor.user, &hash).await?;
    store::end_other_sessions(&mut tx, actor.user, Some(visitor.browser)).await?;
    tx.commit().await?;
    audit::complete(store, row, None, &Map::new()).await?;
    Ok("The password is set. All other browsers are signed out.".to_owned())
}

pub(super) async fn end_session(Submitted(visitor, form): Submitted<EndSession>) -> Response {
    let outcome = end(&visitor, &form.session).await;
    visitor.done("/account", outcome)
}

async fn end(visitor: &Visitor, session: &str) -> Result<String, Refusal> {
    let id: SessionId = session.parse().map_err(|_| Refusal::not_found())?;
    let (store, actor) = (&visitor.dashboard.platform.store, &visitor.session.actor);
    let row = audit::begin(store, actor, "session.end", None).await?;
    let mut tx = store.write().await?;
    store::end_session(&mut tx, actor.user, id).await?;
    tx.commit().await?;
    audit::complete(store, row, None, &Map::new()).await?;
    Ok("That browser is signed out.".to_owned())
}
