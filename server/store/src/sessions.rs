//! Browsers that are signed in. Only the hashes of their secrets are kept.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use model::id::{SessionId, UserId};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, now};
use crate::tokens::hash;
use crate::transaction::Db;
use crate::users::{User, user};
use crate::vault::random;

/// How long a browser stays signed in that does not come back.
const UNUSED: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How long it stays signed in at most.
const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A browser that is signed in, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its identity.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// What it may be used for.
    pub scope: Scope,
    /// What the browser calls itself.
    pub browser: String,
    /// Where it came from when it signed in.
    pub remote: Option<String>,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When the token ends with which it signed in.
    pub ends_at: Option<Timestamp>,
}

/// A browser that signs in.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// Who signs in.
    pub user: UserId,
    /// What it may be used for; the user's own scope bounds it at each use.
    pub scope: Scope,
    /// What the browser calls itself.
    pub browser: &'a str,
    /// Where it comes from.
    pub remote: Option<&'a str>,
    /// When it is signed out at the latest, if that is sooner than for all.
    pub ends_at: Option<Timestamp>,
}

fn session(row: &AnyRow) -> Result<BrowserSession> {
    Ok(BrowserSession {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        scope: row.parsed("scope")?,
        browser: row.text("browser")?,
        remote: row.text_or_none("remote")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
        ends_at: row.time_or_none("ends_at")?,
    })
}

/// Signs a browser in, and returns the secret for its cookie.
///
/// # Errors
/// A database that fails, or a system without random numbers.
pub async fn create_session(db: &mut Db, new: NewSession<'_>) -> Result<String> {
    let secret = hex::encode(random::<32>()?);
    sqlx::query(
        "insert into sessions (id, user_id, hash, scope, browser, remote, created_at, last_used_at, ends_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
    )
    .bind(SessionId::new().to_string())
    .bind(new.user.to_string())
    .bind(hash(&secret))
    .bind(new.scope.as_str())
    .bind(new.browser)
    .bind(new.remote)
    .bind(now())
    .bind(new.ends_at.map(Timestamp::as_millisecond))
    .execute(db)
    .await?;
    Ok(secret)
}

/// Returns the session and its user, if the secret is that of a browser that is signed in now.
///
/// # Errors
/// A database that fails.
pub async fn find_session(db: &mut Db, secret: &str) -> Result<Option<(BrowserSession, User)>> {
    let now = Timestamp::now();
    let row = sqlx::query(
        "select * from sessions where hash = $1 and ended = 0 and last_used_at > $2 and created_at > $3 \
         and (ends_at is null or ends_at > $4)",
    )
    .bind(hash(secret))
    .bind((now - UNUSED).as_millisecond())
    .bind((now - LIFE).as_millisecond())
    .bind(now.as_millisecond())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let session = session(&row)?;
    let row = sqlx::query("select * from users where id = $1 and disabled = 0")
        .bind(session.user_id.to_string())
        .fetch_optional(db)
        .await?;
    Ok(row.as_ref().map(user).transpose()?.map(|user| (session, user)))
}

/// Notes that a session was used just now.
///
/// # Errors
/// A database that fails.
pub async fn touch_session(db: &mut Db, id: SessionId) -> Result<()> {
    sqlx::query("update sessions set last_used_at = $2 where id = $1")
        .bind(id.to_string())
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the browsers in which a user is signed in, the one used last first.
///
/// # Errors
/// A database that fails.
pub async fn list_sessions(db: &mut Db, user: UserId) -> Result<Vec<BrowserSession>> {
    let now = Timestamp::now();
    let rows = sqlx::query(
        "select * from sessions where user_id = $1 and ended = 0 and last_used_at > $2 and created_at > $3 \
         and (ends_at is null or ends_at > $4) order by last_used_at desc, id",
    )
    .bind(user.to_string())
    .bind((now - UNUSED).as_millisecond())
    .bind((now - LIFE).as_millisecond())
    .bind(now.as_millisecond())
    .fetch_all(db)
    .await?;
    rows.iter().map(session).collect()
}

/// Signs a browser of the user out. Returns whether it was signed in.
///
/// # Errors
/// A database that fails.
pub async fn end_session(db: &mut Db, user: UserId, id: SessionId) -> Result<bool> {
    let done = sqlx::query("update sessions set ended = 1 where id = $1 and user_id = $2 and ended = 0")
        .bind(id.to_string())
        .bind(user.to_string())
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Signs the user out of all browsers but one: who knew the old password, or nobody's.
///
/// # Errors
/// A database that fails.
pub async fn end_other_sessions(db: &mut Db, user: UserId, but: Option<SessionId>) -> Result<()> {
    sqlx::query("update sessions set ended = 1 where user_id = $1 and id <> $2 and ended = 0")
        .bind(user.to_string())
        .bind(but.map(|id| id.to_string()).unwrap_or_default())
        .execute(db)
        .await?;
    Ok(())
}
