//! The account of who is signed in: the password, and the browsers that are signed in.

use askama::Template;
use axum::response::Response;
use model::id::SessionId;
use serde::Deserialize;
use serde_json::Map;

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
    visitor.page(view(&visitor).await)
}

async fn view(visitor: &Visitor) -> Result<AccountPage, Refusal> {
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
    })
}

pub(super) async fn set_password(Submitted(visitor, new): Submitted<NewPassword>) -> Response {
    let outcome = change_password(&visitor, new).await;
    visitor.done("/account", outcome)
}

async fn change_password(visitor: &Visitor, new: NewPassword) -> Result<String, Refusal> {
    let (dashboard, actor) = (&visitor.dashboard, &visitor.session.actor);
    let store = &dashboard.platform.store;
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
    tx.commit().await.map_err(store::Error::from)?;
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
    tx.commit().await.map_err(store::Error::from)?;
    audit::complete(store, row, None, &Map::new()).await?;
    Ok("That browser is signed out.".to_owned())
}
