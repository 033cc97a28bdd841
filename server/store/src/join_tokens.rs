//! What lets a machine become a host: one token for one machine, within minutes. Only hashes are kept.

use jiff::Timestamp;
use model::id::{HostId, JoinTokenId, UserId};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::hosts::{Host, find_host};
use crate::row::{Columns as _, now};
use crate::tokens::hash;
use crate::transaction::Db;
use crate::vault::random;

/// What lets a machine become a host, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Its identity.
    pub id: JoinTokenId,
    /// What the host will be called; none: what it calls itself.
    pub name: Option<String>,
    /// Where the host is.
    pub zone: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// The host that it became.
    pub used_by_host: Option<HostId>,
    /// Who made it.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A join token to be made.
#[derive(Clone, Debug)]
pub struct NewJoinToken<'a> {
    /// What the host will be called; none: what it calls itself.
    pub name: Option<&'a str>,
    /// Where the host is.
    pub zone: &'a str,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Who makes it.
    pub user: UserId,
}

fn join_token(row: &AnyRow) -> Result<JoinToken> {
    Ok(JoinToken {
        id: row.parsed("id")?,
        name: row.text_or_none("name")?,
        zone: row.text("zone")?,
        expires_at: row.time("expires_at")?,
        used_by_host: row.parsed_or_none("used_by_host")?,
        user_id: row.parsed("user_id")?,
        created_at: row.time("created_at")?,
    })
}

/// Makes a join token and returns its secret, 64 hexadecimal digits, which cannot be had again.
///
/// # Errors
/// A database that fails, or a system without random numbers.
pub async fn create_join_token(db: &mut Db, new: NewJoinToken<'_>) -> Result<(JoinToken, String)> {
    let secret = hex::encode(random::<32>()?);
    let row = sqlx::query(
        "insert into join_tokens (id, hash, name, zone, expires_at, user_id, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7) returning *",
    )
    .bind(JoinTokenId::new().to_string())
    .bind(hash(&secret))
    .bind(new.name)
    .bind(new.zone)
    .bind(new.expires_at.as_millisecond())
    .bind(new.user.to_string())
    .bind(now())
    .fetch_one(db)
    .await?;
    Ok((join_token(&row)?, secret))
}

/// Takes the token out of use and returns it, if the secret is that of a token that works now. Of many that show the same
/// secret one gets it. The caller notes the host with [`set_join_token_host`] in the same transaction.
///
/// # Errors
/// A database that fails.
pub async fn use_join_token(db: &mut Db, secret: &str) -> Result<Option<JoinToken>> {
    let row = sqlx::query(
        "update join_tokens set used_at = $2 where hash = $1 and used_at is null and expires_at > $2 returning *",
    )
    .bind(hash(secret))
    .bind(now())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(join_token).transpose()
}

/// Notes the host that a token became.
///
/// # Errors
/// A database that fails.
pub async fn set_join_token_host(db: &mut Db, id: JoinTokenId, host: HostId) -> Result<()> {
    sqlx::query("update join_tokens set used_by_host = $2 where id = $1")
        .bind(id.to_string())
        .bind(host.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the host that a machine with this key became with this token before, unless it was removed: it did not hear so.
///
/// # Errors
/// A database that fails.
pub async fn host_of_join_token(db: &mut Db, secret: &str, key_fingerprint: &str) -> Result<Option<Host>> {
    let row =
        sqlx::query("select used_by_host from join_tokens where hash = $1 and used_by_host is not null")
            .bind(hash(secret))
            .fetch_optional(&mut *db)
            .await?;
    let Some(id) = row.map(|row| row.parsed("used_by_host")).transpose()? else { return Ok(None) };
    let host = find_host(db, id).await?;
    Ok(host.filter(|host| host.key_fingerprint.as_deref() == Some(key_fingerprint)))
}

/// Returns the token of this id, so that who made it can see whether a host joined with it.
///
/// # Errors
/// A database that fails.
pub async fn find_join_token(db: &mut Db, id: JoinTokenId) -> Result<Option<JoinToken>> {
    let row = sqlx::query("select * from join_tokens where id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(join_token).transpose()
}

/// Forgets the tokens that nobody can use any more and that were not used for a day.
///
/// # Errors
/// A database that fails.
pub async fn forget_join_tokens(db: &mut Db) -> Result<u64> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let done =
        sqlx::query("delete from join_tokens where expires_at < $1").bind(now() - DAY).execute(db).await?;
    Ok(done.rows_affected())
}
