//! What the collection would remove, beside the slugs that `keeping` decides on: read only.

use std::collections::BTreeSet;

use model::id::{AppId, BuildId, SlugId};
use model::keep;
use model::slug::Digest;
use sqlx::Row as _;

use crate::builds::find_build;
use crate::error::Result;
use crate::keeping::{builds_to_silence, builds_to_trim};
use crate::row::Columns as _;
use crate::transaction::Db;

/// Most rows that are counted.
const MOST: u32 = 100_000;

/// Returns the slugs that keep an image.
///
/// # Errors
/// A database that fails.
pub async fn kept_slugs_of(db: &mut Db, image: &Digest) -> Result<BTreeSet<SlugId>> {
    let rows = sqlx::query("select id from slugs where digest = $1 and collected_at is null")
        .bind(image.as_str())
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

/// Returns builds whose output may go, with their apps, at most `max`.
///
/// # Errors
/// A database that fails.
pub async fn outputs_to_silence(db: &mut Db, max: u32) -> Result<Vec<(BuildId, AppId)>> {
    let mut found = Vec::new();
    for id in builds_to_silence(db, max).await? {
        found.extend(find_build(db, id).await?.map(|build| (id, build.app_id)));
    }
    Ok(found)
}

/// Returns how many builds are so old that no more of them is kept than their releases need.
///
/// # Errors
/// A database that fails.
pub async fn count_builds_to_trim(db: &mut Db) -> Result<u64> {
    Ok(builds_to_trim(db, MOST).await?.len() as u64)
}

/// Returns how many operations are so old that their steps may go.
///
/// # Errors
/// A database that fails.
pub async fn count_operations_to_trim(db: &mut Db) -> Result<u64> {
    let rows = sqlx::query(
        "select count(*) as operations from operations where trimmed = 0 group by app_id having count(*) > $1",
    )
    .bind(i64::from(keep::OPERATIONS))
    .fetch_all(db)
    .await?;
    let count =
        |row: &sqlx::any::AnyRow| Ok(row.try_get::<i64, _>("operations")? - i64::from(keep::OPERATIONS));
    let counts: Result<Vec<i64>> = rows.iter().map(count).collect();
    Ok(counts?.into_iter().sum::<i64>().unsigned_abs())
}
