//! The audit trail: who changed what, when, from where. Names of what was changed, never values.

use jiff::Timestamp;
use model::id::{ActivityId, AppId, TokenId, UserId};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, json, now};
use crate::transaction::Db;

/// A change that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Its identity; a later one has a greater.
    pub id: ActivityId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it; nobody when the platform did by itself.
    pub user_id: Option<UserId>,
    /// Their address then.
    pub user_email: Option<String>,
    /// The token they used.
    pub token_id: Option<TokenId>,
    /// Its name then.
    pub token_name: Option<String>,
    /// What was done, such as `config.change`.
    pub action: String,
    /// The app it was done to.
    pub app_id: Option<AppId>,
    /// The app's name then.
    pub app_name: Option<String>,
    /// More about it: names, never values.
    pub detail: serde_json::Value,
    /// The address it came from.
    pub remote: Option<String>,
}

/// A change to be noted.
#[derive(Clone, Debug, Default)]
pub struct NewActivity {
    /// Who did it, with their address.
    pub user: Option<(UserId, String)>,
    /// The token they used, with its name.
    pub token: Option<(TokenId, String)>,
    /// What was done.
    pub action: String,
    /// The app it was done to, with its name.
    pub app: Option<(AppId, String)>,
    /// More about it: names, never values.
    pub detail: serde_json::Map<String, serde_json::Value>,
    /// The address it came from.
    pub remote: Option<String>,
}

fn activity(row: &AnyRow) -> Result<Activity> {
    Ok(Activity {
        id: row.parsed("id")?,
        at: row.time("at")?,
        user_id: row.parsed_or_none("user_id")?,
        user_email: row.text_or_none("user_email")?,
        token_id: row.parsed_or_none("token_id")?,
        token_name: row.text_or_none("token_name")?,
        action: row.text("action")?,
        app_id: row.parsed_or_none("app_id")?,
        app_name: row.text_or_none("app_name")?,
        detail: row.json("detail")?,
        remote: row.text_or_none("remote")?,
    })
}

/// Notes a change, and returns the row's id, by which its detail can be completed.
///
/// # Errors
/// A database that fails.
pub async fn create_activity(db: &mut Db, new: NewActivity) -> Result<ActivityId> {
    let id = ActivityId::new();
    let (user_id, user_email) = new.user.unzip();
    let (token_id, token_name) = new.token.unzip();
    let (app_id, app_name) = new.app.unzip();
    sqlx::query(
        "insert into activities (id, at, user_id, user_email, token_id, token_name, action, app_id, app_name, \
         detail, remote) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.to_string())
    .bind(now())
    .bind(user_id.map(|id| id.to_string()))
    .bind(user_email)
    .bind(token_id.map(|id| id.to_string()))
    .bind(token_name)
    .bind(new.action)
    .bind(app_id.map(|id| id.to_string()))
    .bind(app_name)
    .bind(json(&new.detail)?)
    .bind(new.remote)
    .execute(db)
    .await?;
    Ok(id)
}

/// Completes a row that was written before the change: what it was done to, as far as that was not known then, and
/// more about it.
///
/// # Errors
/// A database that fails.
pub async fn complete_activity(
    db: &mut Db,
    id: ActivityId,
    app: Option<(AppId, String)>,
    detail: &serde_json::Map<String, serde_json::Value>,
) -> Result<()> {
    let (app_id, app_name) = app.unzip();
    sqlx::query(
        "update activities set detail = $2, app_id = coalesce(app_id, $3), app_name = coalesce(app_name, $4) \
         where id = $1",
    )
    .bind(id.to_string())
    .bind(json(detail)?)
    .bind(app_id.map(|id| id.to_string()))
    .bind(app_name)
    .execute(db)
    .await?;
    Ok(())
}

/// Withdraws a row that was written before a change that was then refused.
///
/// # Errors
/// A database that fails.
pub async fn delete_activity(db: &mut Db, id: ActivityId) -> Result<()> {
    sqlx::query("delete from activities where id = $1").bind(id.to_string()).execute(db).await?;
    Ok(())
}

/// Returns the newest changes, of one app or of all, newest first.
///
/// # Errors
/// A database that fails.
pub async fn list_activities(db: &mut Db, app: Option<AppId>, max: u32) -> Result<Vec<Activity>> {
    let query = match app {
        Some(_) => "select * from activities where app_id = $2 order by id desc limit $1",
        None => "select * from activities order by id desc limit $1",
    };
    let mut query = sqlx::query(query).bind(i64::from(max));
    if let Some(app) = app {
        query = query.bind(app.to_string());
    }
    let rows = query.fetch_all(db).await?;
    rows.iter().map(activity).collect()
}
