//! People, and robots that act for them.

use jiff::Timestamp;
use model::access::Scope;
use model::id::UserId;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::row::{Columns as _, now};
use crate::transaction::Db;

/// A person, or the robot that acts for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their identity.
    pub id: UserId,
    /// Their address, unique.
    pub email: String,
    /// The most that any token of theirs may do.
    pub scope: Scope,
    /// When they were added.
    pub created_at: Timestamp,
    /// Their tokens are refused.
    pub disabled: bool,
}

pub(crate) fn user(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: row.parsed("id")?,
        email: row.text("email")?,
        scope: row.parsed("scope")?,
        created_at: row.time("created_at")?,
        disabled: row.flag("disabled")?,
    })
}

/// Adds a user.
///
/// # Errors
/// An address that is taken.
pub async fn create_user(db: &mut Db, email: &str, scope: Scope) -> Result<User> {
    let row = sqlx::query(
        "insert into users (id, email, scope, created_at) values ($1, $2, $3, $4) \
         on conflict do nothing returning id, email, scope, created_at, disabled",
    )
    .bind(UserId::new().to_string())
    .bind(email)
    .bind(scope.as_str())
    .bind(now())
    .fetch_optional(db)
    .await?;
    user(&row.ok_or(Error::Taken { what: "This email address" })?)
}

/// Returns the user with this address or id.
///
/// # Errors
/// A database that fails.
pub async fn find_user(db: &mut Db, email_or_id: &str) -> Result<Option<User>> {
    let row = sqlx::query("select * from users where email = $1 or id = $1")
        .bind(email_or_id)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(user).transpose()
}

/// Returns all users by address.
///
/// # Errors
/// A database that fails.
pub async fn list_users(db: &mut Db) -> Result<Vec<User>> {
    let rows = sqlx::query("select * from users order by email").fetch_all(db).await?;
    rows.iter().map(user).collect()
}

/// Makes a user's tokens be refused, or accepted again.
///
/// # Errors
/// A database that fails.
pub async fn set_user_disabled(db: &mut Db, id: UserId, disabled: bool) -> Result<()> {
    sqlx::query("update users set disabled = $2 where id = $1")
        .bind(id.to_string())
        .bind(i64::from(disabled))
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the hash of a user's password, if they have one.
///
/// # Errors
/// A database that fails.
pub async fn password_hash(db: &mut Db, id: UserId) -> Result<Option<String>> {
    let row = sqlx::query("select password from users where id = $1 and disabled = 0")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?;
    row.map_or(Ok(None), |row| row.text_or_none("password"))
}

/// Gives a user a password, by its hash.
///
/// # Errors
/// A database that fails.
pub async fn set_password_hash(db: &mut Db, id: UserId, hash: &str) -> Result<()> {
    sqlx::query("update users set password = $2 where id = $1")
        .bind(id.to_string())
        .bind(hash)
        .execute(db)
        .await?;
    Ok(())
}

/// Tells whether anybody has a password yet.
///
/// # Errors
/// A database that fails.
pub async fn has_passwords(db: &mut Db) -> Result<bool> {
    let row = sqlx::query("select id from users where password is not null and disabled = 0 limit 1")
        .fetch_optional(db)
        .await?;
    Ok(row.is_some())
}
