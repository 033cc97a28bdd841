//! What a backup copies beside the rows: what they name.

use std::collections::BTreeSet;

use model::id::AppId;
use model::slug::Digest;

use crate::error::Result;
use crate::row::Columns as _;
use crate::transaction::Db;

/// The migration since which slugs are given up.
const SLUGS_GIVEN_UP: i64 = 4;

/// Returns the apps that are not destroyed, by name.
///
/// # Errors
/// A database that fails.
pub async fn backed_up_apps(db: &mut Db) -> Result<Vec<(AppId, String)>> {
    let rows =
        sqlx::query("select id, name from apps where deleted_at is null order by name").fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.parsed("id")?, row.text("name")?))).collect()
}

/// Returns the images that releases can be made of, in a database whose newest migration is this.
///
/// # Errors
/// A database that fails.
pub async fn backed_up_images(db: &mut Db, schema: i64) -> Result<BTreeSet<Digest>> {
    if schema >= SLUGS_GIVEN_UP {
        return crate::keeping::kept_images(db).await;
    }
    let rows = sqlx::query("select digest from slugs").fetch_all(db).await?;
    rows.iter().map(|row| row.parsed("digest")).collect()
}
