//! Who sends a request, and how far they may go with an app. Answers nothing over HTTP itself: the API and the push
//! each say it in their own way. Secrets are never compared: a token is found by its SHA-256, so that how long that takes
//! says nothing of use about one that is close.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use store::{App, Db};

use crate::actor::Actor;
use crate::platform::Platform;

/// How old the note of a token's last use may get before it is written again.
const TOUCH_PERIOD: SignedDuration = SignedDuration::from_mins(1);

/// A request whose sender is known.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who it is.
    pub actor: Actor,
    /// What the token may be used for, never more than its user may.
    pub scope: Scope,
    /// What the user may do with a token that is not bounded.
    pub role: Scope,
    /// When what it was opened with ends.
    pub ends_at: Option<Timestamp>,
}

/// How far somebody may go with an app. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Look at everything but config values.
    Read,
    /// Deploy, configure, scale.
    Write,
    /// Destroy it, and say who else may use it.
    Own,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The request has no token.
    #[error("this needs a token")]
    Missing,
    /// The token is unknown, expired or revoked, or its user is disabled.
    #[error("the token is wrong, expired or revoked")]
    Wrong,
    /// The same, once too often.
    #[error("the token is wrong, expired or revoked, and so were many before it; wait {} s", .0.as_secs() + 1)]
    TooOften(Duration),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Returns the token of `Authorization: Bearer TOKEN`, or the password of `Basic`, whoever that is.
fn credentials(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        pair.split_once(':')?.1.to_owned()
    } else {
        return None;
    };
    Some(token).filter(|token| !token.is_empty())
}

/// Returns the session that the request's token opens.
///
/// # Errors
/// No token, or one that does not work.
pub async fn sign_in(
    platform: &Platform,
    headers: &HeaderMap,
    remote: Option<IpAddr>,
) -> Result<Session, SignInError> {
    let store = &platform.store;
    let secret = credentials(headers).ok_or(SignInError::Missing)?;
    let mut db = store.read().await?;
    let Some((token, user)) = store::find_token(&mut db, &secret).await? else {
        // Whoever it was said to be: a token cannot be guessed, and that account's owner may have a password to mistype.
        let wait = platform.attempts.failed(remote, None);
        return Err(wait.map_or(SignInError::Wrong, SignInError::TooOften));
    };
    drop(db);
    let stale = |last: Timestamp| Timestamp::now().duration_since(last) > TOUCH_PERIOD;
    if token.last_used_at.is_none_or(stale) {
        let mut tx = store.write().await?;
        store::touch_token(&mut tx, token.id).await?;
        tx.commit().await?;
    }
    let remote = remote.map(|address| address.to_canonical().to_string());
    Ok(Session {
        actor: Actor { user: user.id, email: user.email, token: Some((token.id, token.name)), remote },
        scope: token.scope.min(user.scope),
        role: user.scope,
        ends_at: token.expires_at,
    })
}

impl Session {
    /// Returns how far this session may go with the app; nothing for who should not even know that it exists.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn access(&self, db: &mut Db, app: &App) -> Result<Option<Access>, store::Error> {
        let invited = store::collaborator_scope(db, app.id, self.actor.user).await?;
        Ok(access(self, app, invited))
    }
}

/// The owner and administrators own, others may what they were invited to; the token bounds all of them.
fn access(session: &Session, app: &App, invited: Option<Scope>) -> Option<Access> {
    let related = if app.owner_id == session.actor.user || session.role == Scope::Admin {
        Access::Own
    } else {
        match invited? {
            Scope::Read => Access::Read,
            Scope::Write => Access::Write,
            Scope::Admin => Access::Own,
        }
    };
    Some(if session.scope.allows(Scope::Write) { related } else { Access::Read })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_token_is_read_from_bearer_and_from_the_password_of_basic() {
        assert_eq!(credentials(&with("Bearer paas_x")).as_deref(), Some("paas_x"));
        assert_eq!(credentials(&with("bearer  paas_x ")).as_deref(), Some("paas_x"));
        for user in ["", "heroku", "ann@example.org"] {
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:paas_x")));
            assert_eq!(credentials(&with(&basic)).as_deref(), Some("paas_x"));
        }
        for nothing in ["", "Bearer", "Bearer ", "Basic !", "Basic Og==", "Digest paas_x"] {
            assert_eq!(credentials(&with(nothing)), None, "{nothing}");
        }
        assert_eq!(credentials(&HeaderMap::new()), None);
    }
}
