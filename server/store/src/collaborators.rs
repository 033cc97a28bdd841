//! Who else may use an app, and how far.

use jiff::Timestamp;
use model::access::Scope;
use model::id::{AppId, UserId};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, now};
use crate::transaction::Db;

/// A user who was invited to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collaborator {
    /// The app.
    pub app_id: AppId,
    /// The user.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// How far they may use the app.
    pub scope: Scope,
    /// When they were invited.
    pub created_at: Timestamp,
}

fn collaborator(row: &AnyRow) -> Result<Collaborator> {
    Ok(Collaborator {
        app_id: row.parsed("app_id")?,
        user_id: row.parsed("user_id")?,
        email: row.text("email")?,
        scope: row.parsed("scope")?,
        created_at: row.time("created_at")?,
    })
}

/// Invites the user, or changes how far they may use the app.
///
/// # Errors
/// A database that fails.
pub async fn set_collaborator(db: &mut Db, app: AppId, user: UserId, scope: Scope) -> Result<()> {
    sqlx::query(
        "insert into collaborators (app_id, user_id, scope, created_at) values ($1, $2, $3, $4) \
         on conflict (app_id, user_id) do update set scope = excluded.scope",
    )
    .bind(app.to_string())
    .bind(user.to_string())
    .bind(scope.as_str())
    .bind(now())
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the app's collaborators by address.
///
/// # Errors
/// A database that fails.
pub async fn list_collaborators(db: &mut Db, app: AppId) -> Result<Vec<Collaborator>> {
    let rows = sqlx::query(
        "select c.*, u.email from collaborators c join users u on u.id = c.user_id \
         where c.app_id = $1 order by u.email",
    )
    .bind(app.to_string())
    .fetch_all(db)
    .await?;
    rows.iter().map(collaborator).collect()
}

/// Returns how far the user was invited to the app, if they were.
///
/// # Errors
/// A database that fails.
pub async fn collaborator_scope(db: &mut Db, app: AppId, user: UserId) -> Result<Option<Scope>> {
    let row = sqlx::query("select scope from collaborators where app_id = $1 and user_id = $2")
        .bind(app.to_string())
        .bind(user.to_string())
        .fetch_optional(db)
        .await?;
    row.map(|row| row.parsed("scope")).transpose()
}

/// Takes the invitation back. Returns whether there was one.
///
/// # Errors
/// A database that fails.
pub async fn delete_collaborator(db: &mut Db, app: AppId, user: UserId) -> Result<bool> {
    let done = sqlx::query("delete from collaborators where app_id = $1 and user_id = $2")
        .bind(app.to_string())
        .bind(user.to_string())
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}
