//! Operations as they are listed: with the app, who asked, and the last thing that happened.

use jiff::Timestamp;
use model::id::{AppId, UserId};
use model::name::AppName;

use crate::error::Result;
use crate::operations::{Operation, OperationState, operation};
use crate::row::Columns as _;
use crate::transaction::Db;

/// Whose operations are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationsOf {
    /// Those of all apps.
    Everybody,
    /// Those of the apps that a user owns or was invited to.
    User(UserId),
    /// Those of one app.
    App(AppId),
}

/// An operation with what a list says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOperation {
    /// The operation.
    pub operation: Operation,
    /// The app's name.
    pub app_name: AppName,
    /// The address of who asked for it.
    pub user_email: String,
    /// Until when nobody takes it over from whoever works at it.
    pub lease_until: Timestamp,
    /// The last line of its progress.
    pub last_step: Option<String>,
}

macro_rules! listed {
    ($which:literal) => {
        concat!(
            "select o.*, a.name as app_name, u.email as user_email, (select s.text from operation_steps s \
             where s.operation_id = o.id order by s.number desc limit 1) as last_step \
             from operations o join apps a on a.id = o.app_id join users u on u.id = o.user_id \
             where a.deleted_at is null and ($3 is null or o.state = $3) and ",
            $which,
            " order by o.id desc limit $2"
        )
    };
}

/// Returns the newest operations, newest first; with `state` only those in it.
///
/// # Errors
/// A database that fails.
pub async fn newest_operations(
    db: &mut Db,
    of: OperationsOf,
    state: Option<OperationState>,
    max: u32,
) -> Result<Vec<ListedOperation>> {
    let (query, whose) = match of {
        OperationsOf::Everybody => (listed!("$1 = ''"), String::new()),
        OperationsOf::User(user) => (
            listed!(
                "(a.owner_id = $1 or exists (select 1 from collaborators c where c.app_id = a.id and c.user_id = $1))"
            ),
            user.to_string(),
        ),
        OperationsOf::App(app) => (listed!("o.app_id = $1"), app.to_string()),
    };
    let rows = sqlx::query(query)
        .bind(whose)
        .bind(i64::from(max))
        .bind(state.map(OperationState::as_str))
        .fetch_all(db)
        .await?;
    let listed = rows.iter().map(|row| {
        Ok(ListedOperation {
            operation: operation(row)?,
            app_name: row.parsed("app_name")?,
            user_email: row.text("user_email")?,
            lease_until: row.time("lease_until")?,
            last_step: row.text_or_none("last_step")?,
        })
    });
    listed.collect()
}
