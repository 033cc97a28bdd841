//! Host names under which an app answers, beside the one that follows from its name.

use jiff::Timestamp;
use model::id::{AppId, DomainId};
use model::name::Hostname;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::row::{Columns as _, now};
use crate::transaction::Db;

/// A host name of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its identity.
    pub id: DomainId,
    /// The app.
    pub app_id: AppId,
    /// The name.
    pub hostname: Hostname,
    /// When it was added.
    pub created_at: Timestamp,
}

fn domain(row: &AnyRow) -> Result<Domain> {
    Ok(Domain {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        hostname: row.parsed("hostname")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds a host name.
///
/// # Errors
/// A host name that any app has already.
pub async fn create_domain(db: &mut Db, app: AppId, hostname: &Hostname) -> Result<Domain> {
    let row = sqlx::query(
        "insert into domains (id, app_id, hostname, created_at) values ($1, $2, $3, $4) \
         on conflict do nothing returning *",
    )
    .bind(DomainId::new().to_string())
    .bind(app.to_string())
    .bind(hostname.as_str())
    .bind(now())
    .fetch_optional(db)
    .await?;
    domain(&row.ok_or(Error::Taken { what: "Hostname" })?)
}

/// Returns the app's host names, oldest first.
///
/// # Errors
/// A database that fails.
pub async fn list_domains(db: &mut Db, app: AppId) -> Result<Vec<Domain>> {
    let rows = sqlx::query("select * from domains where app_id = $1 order by id")
        .bind(app.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(domain).collect()
}

/// Returns the app's domain with this host name or id.
///
/// # Errors
/// A database that fails.
pub async fn find_domain(db: &mut Db, app: AppId, hostname_or_id: &str) -> Result<Option<Domain>> {
    let row = sqlx::query("select * from domains where app_id = $1 and (hostname = $2 or id = $2)")
        .bind(app.to_string())
        .bind(hostname_or_id)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(domain).transpose()
}

/// Removes a host name.
///
/// # Errors
/// A database that fails.
pub async fn delete_domain(db: &mut Db, id: DomainId) -> Result<()> {
    sqlx::query("delete from domains where id = $1").bind(id.to_string()).execute(db).await?;
    Ok(())
}
