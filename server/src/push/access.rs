//! Who may do what with a repository, and how a refusal reads in git: it shows the plain text of an answer as
//! `remote:` lines.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::access::Scope;
use model::wording::{did_you_mean, plain};
use store::App;
use tracing::error;

use crate::actor::Actor;
use crate::auth::{self, Access, SignInError};
use crate::platform::Platform;

/// Why git is turned away.
#[derive(Debug)]
pub(super) enum Refused {
    /// No token yet: git asks its user, or its credential helper.
    NoToken,
    /// The token does not work; and the repository.
    WrongToken(String),
    /// Too many tokens did not work; and how long to wait.
    TooOften(Duration),
    /// No such app; and the one that may have been meant.
    NoApp(String, Option<String>),
    /// The app is somebody else's.
    NoAccess(String, String),
    /// The user may look but not push.
    ReadOnly(String, String),
    /// The user may push, but not with this token.
    ReadToken,
    /// Too many fetch at once.
    Busy,
    /// There is no room for a push.
    NoRoom(String),
    /// The dumb protocol, which nobody needs any more.
    OldProtocol,
    /// Something of ours failed.
    Ours(anyhow::Error),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self::Ours(error)
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Self::Ours(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let retry_after = match &self {
            Self::TooOften(wait) => Some(wait.as_secs() + 1),
            Self::Busy => Some(10),
            _ => None,
        };
        let (status, text) = match self {
            Self::NoToken => {
                (StatusCode::UNAUTHORIZED, "Sign in with an API token as the password.".to_owned())
            }
            Self::WrongToken(name) => (
                StatusCode::UNAUTHORIZED,
                format!(
                    "The token is wrong, expired or revoked. `paasctl login` stores a new one; \
                     `paasctl git:remote -a {name}` lets git in this repository use it."
                ),
            ),
            Self::TooOften(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "The token is wrong, expired or revoked, and so were many before it. Try again in {} s; `paasctl login` stores a new one.",
                    wait.as_secs() + 1
                ),
            ),
            Self::NoApp(name, None) => (
                StatusCode::NOT_FOUND,
                format!(
                    "There is no app `{name}`. `paasctl apps` lists yours; `paasctl apps:create {name}` makes it."
                ),
            ),
            Self::NoApp(name, Some(meant)) => (
                StatusCode::NOT_FOUND,
                format!(
                    "There is no app `{name}`. Did you mean `{meant}`? Then: git remote set-url paas …/{meant}.git"
                ),
            ),
            Self::NoAccess(name, you) => (
                StatusCode::FORBIDDEN,
                format!(
                    "You have no access to `{name}`. Its owner can change that: paasctl access:add {you} -a {name}"
                ),
            ),
            Self::ReadOnly(name, you) => (
                StatusCode::FORBIDDEN,
                format!(
                    "You may look at `{name}` but not push to it. Its owner can change that: paasctl access:add {you} -a {name}"
                ),
            ),
            Self::ReadToken => (
                StatusCode::FORBIDDEN,
                "This token may look but not push. To make one that may: paasctl tokens:create --scope write"
                    .to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too much is fetched at once already. Try again in a moment; pushes are not held up."
                    .to_owned(),
            ),
            Self::NoRoom(why) => (
                StatusCode::INSUFFICIENT_STORAGE,
                format!("Nothing was received: {why}. `paasctl doctor` shows the disk."),
            ),
            Self::OldProtocol => {
                (StatusCode::FORBIDDEN, "This server speaks git's smart HTTP protocol only.".to_owned())
            }
            Self::Ours(cause) => {
                error!(error = format!("{cause:#}"), "a git request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log says why.".to_owned())
            }
        };
        let mut response = Response::new(Body::from(format!("{text}\n")));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"paas\""));
        }
        response
    }
}

/// Returns the app of a repository's name, `APP.git`, and who asks.
///
/// # Errors
/// Nobody is signed in, there is no such app, or it needs more than the token allows.
pub(super) async fn admit(
    platform: &Platform,
    repository: &str,
    needs: Scope,
    (headers, remote): (&HeaderMap, SocketAddr),
) -> Result<(App, Actor), Refused> {
    let name = repository.strip_suffix(".git").unwrap_or(repository);
    let session = auth::sign_in(platform, headers, Some(remote.ip())).await.map_err(|error| match error {
        SignInError::Missing => Refused::NoToken,
        SignInError::Wrong => Refused::WrongToken(plain(name, 60)),
        SignInError::TooOften(wait) => Refused::TooOften(wait),
        SignInError::Store(error) => error.into(),
    })?;
    let mut db = platform.store.read().await?;
    let Some(app) = store::find_app(&mut db, name).await? else {
        let apps = store::list_apps_of(&mut db, session.actor.user).await?;
        let meant = did_you_mean(name, apps.iter().map(|app| app.name.as_str())).map(ToOwned::to_owned);
        return Err(Refused::NoApp(plain(name, 60), meant));
    };
    let (name, you) = (app.name.to_string(), session.actor.email.clone());
    let access = session.access(&mut db, &app).await?;
    match access {
        None => Err(Refused::NoAccess(name, you)),
        Some(_) if needs < Scope::Write => Ok((app, session.actor)),
        Some(_) if !session.scope.allows(Scope::Write) => Err(Refused::ReadToken),
        Some(Access::Read) => Err(Refused::ReadOnly(name, you)),
        Some(Access::Write | Access::Own) => Ok((app, session.actor)),
    }
}
