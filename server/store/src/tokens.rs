//! Credentials of users. Only their hashes are kept.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use model::access::Scope;
use model::id::{TokenId, UserId};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, now};
use crate::transaction::Db;
use crate::users::{User, user};
use crate::vault::random;

/// A credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// When it stops working; never, when absent.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A token's secret, shown once. `Debug` shows nothing of it.
pub struct TokenSecret(String);

impl TokenSecret {
    /// Returns the secret, to be handed to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// What is kept of a token: the SHA-256 of its secret, as 64 lower-case hexadecimal digits. Of a secret as long as
/// [`create_token`] makes them it tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash(String);

/// The text is no such hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token's SHA-256 has 64 lower-case hexadecimal digits")]
pub struct TokenHashError;

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(text: &str) -> std::result::Result<Self, TokenHashError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let right = text.len() == 64 && text.bytes().all(is_digit);
        if right { Ok(Self(text.to_owned())) } else { Err(TokenHashError) }
    }
}

impl TryFrom<String> for TokenHash {
    type Error = TokenHashError;

    fn try_from(text: String) -> std::result::Result<Self, TokenHashError> {
        text.parse()
    }
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub name: &'a str,
    /// What it may be used for; the user's own scope bounds it at each use.
    pub scope: Scope,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

fn token(row: &AnyRow) -> Result<Token> {
    Ok(Token {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        name: row.text("name")?,
        scope: row.parsed("scope")?,
        expires_at: row.time_or_none("expires_at")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
    })
}

pub(crate) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Makes a token and returns its secret, which cannot be had again.
///
/// # Errors
/// A database that fails, or a system without random numbers.
pub async fn create_token(db: &mut Db, new: NewToken<'_>) -> Result<(Token, TokenSecret)> {
    let secret = format!("paas_{}", hex::encode(random::<32>()?));
    let token = create_known_token(db, new, &TokenHash(hash(&secret))).await?;
    Ok((token, TokenSecret(secret)))
}

/// Makes a token whose secret somebody else has.
///
/// # Errors
/// A database that fails.
pub(crate) async fn create_known_token(db: &mut Db, new: NewToken<'_>, hash: &TokenHash) -> Result<Token> {
    let row = sqlx::query(
        "insert into tokens (id, user_id, name, hash, scope, expires_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7) returning *",
    )
    .bind(TokenId::new().to_string())
    .bind(new.user.to_string())
    .bind(new.name)
    .bind(&hash.0)
    .bind(new.scope.as_str())
    .bind(new.expires_at.map(Timestamp::as_millisecond))
    .bind(now())
    .fetch_one(db)
    .await?;
    token(&row)
}

/// Returns the token and its user, if the secret is that of a token that works now.
///
/// # Errors
/// A database that fails.
pub async fn find_token(db: &mut Db, secret: &str) -> Result<Option<(Token, User)>> {
    let found = sqlx::query(
        "select * from tokens where hash = $1 and revoked = 0 and (expires_at is null or expires_at > $2)",
    )
    .bind(hash(secret))
    .bind(now())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let token = token(&row)?;
    let row = sqlx::query("select * from users where id = $1 and disabled = 0")
        .bind(token.user_id.to_string())
        .fetch_optional(db)
        .await?;
    Ok(row.as_ref().map(user).transpose()?.map(|user| (token, user)))
}

/// Notes that a token was used just now.
///
/// # Errors
/// A database that fails.
pub async fn touch_token(db: &mut Db, id: TokenId) -> Result<()> {
    sqlx::query("update tokens set last_used_at = $2 where id = $1")
        .bind(id.to_string())
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}

/// Returns a user's tokens that were not revoked, oldest first.
///
/// # Errors
/// A database that fails.
pub async fn list_tokens(db: &mut Db, user: UserId) -> Result<Vec<Token>> {
    let rows = sqlx::query("select * from tokens where user_id = $1 and revoked = 0 order by id")
        .bind(user.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(token).collect()
}

/// Ends a user's token for good and returns it, unless there is no such token.
///
/// # Errors
/// A database that fails.
pub async fn revoke_token(db: &mut Db, user: UserId, id: TokenId) -> Result<Option<Token>> {
    let row = sqlx::query(
        "update tokens set revoked = 1 where id = $1 and user_id = $2 and revoked = 0 returning *",
    )
    .bind(id.to_string())
    .bind(user.to_string())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(token).transpose()
}
