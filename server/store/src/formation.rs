//! How many replicas of each process type an app should run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::formation::{Formation, Scale};
use model::id::{AppId, FormationId};
use model::name::{AppName, ProcessType};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, now};
use crate::transaction::Db;

/// The wanted quantity and size of one process type of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormationEntry {
    /// Its identity, the same for as long as the app has the type.
    pub id: FormationId,
    /// The app.
    pub app_id: AppId,
    /// The process type.
    pub process: ProcessType,
    /// Quantity and size.
    pub scale: Scale,
    /// When the type was first seen.
    pub created_at: Timestamp,
    /// When its scale was last set.
    pub updated_at: Timestamp,
}

pub(crate) fn formation_entry(row: &AnyRow) -> Result<FormationEntry> {
    Ok(FormationEntry {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        process: row.parsed("type")?,
        scale: Scale { quantity: row.number("quantity")?, size: row.parsed("size")? },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Returns the app's formation by process type.
///
/// # Errors
/// A database that fails.
pub async fn list_formation(db: &mut Db, app: AppId) -> Result<Vec<FormationEntry>> {
    let rows = sqlx::query("select * from formation where app_id = $1 order by type")
        .bind(app.to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(formation_entry).collect()
}

/// Returns the app's formation.
///
/// # Errors
/// A database that fails.
pub async fn find_formation(db: &mut Db, app: AppId) -> Result<Formation> {
    let entries = list_formation(db, app).await?;
    Ok(entries.into_iter().map(|entry| (entry.process, entry.scale)).collect())
}

/// Returns the formations of all apps that are not destroyed, with their names.
///
/// # Errors
/// A database that fails.
pub async fn all_formations(db: &mut Db) -> Result<BTreeMap<AppId, (AppName, Formation)>> {
    let mut apps: BTreeMap<AppId, (AppName, Formation)> = BTreeMap::new();
    for row in sqlx::query("select id, name from apps where deleted_at is null").fetch_all(&mut *db).await? {
        apps.insert(row.parsed("id")?, (row.parsed("name")?, Formation::new()));
    }
    for row in sqlx::query("select * from formation").fetch_all(db).await? {
        let entry = formation_entry(&row)?;
        if let Some((_, formation)) = apps.get_mut(&entry.app_id) {
            formation.insert(entry.process, entry.scale);
        }
    }
    Ok(apps)
}

/// Sets quantity and size of a process type.
///
/// # Errors
/// A database that fails.
pub async fn set_scale(db: &mut Db, app: AppId, process: &ProcessType, scale: Scale) -> Result<()> {
    write_scale(
        db,
        "insert into formation (id, app_id, type, quantity, size, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $6) on conflict (app_id, type) \
         do update set quantity = excluded.quantity, size = excluded.size, updated_at = excluded.updated_at",
        (app, process, scale),
    )
    .await
}

/// Sets quantity and size of a process type that the app has not had; leaves the others as they are.
///
/// # Errors
/// A database that fails.
pub async fn ensure_scale(db: &mut Db, app: AppId, process: &ProcessType, scale: Scale) -> Result<()> {
    write_scale(
        db,
        "insert into formation (id, app_id, type, quantity, size, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $6) on conflict (app_id, type) do nothing",
        (app, process, scale),
    )
    .await
}

async fn write_scale(
    db: &mut Db,
    statement: &'static str,
    (app, process, scale): (AppId, &ProcessType, Scale),
) -> Result<()> {
    sqlx::query(statement)
        .bind(FormationId::new().to_string())
        .bind(app.to_string())
        .bind(process.as_str())
        .bind(i64::from(scale.quantity))
        .bind(scale.size.as_str())
        .bind(now())
        .execute(db)
        .await?;
    Ok(())
}
