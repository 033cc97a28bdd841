//! What of the past is kept: reads what the rules of `model::keep` decide on, and notes what was removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::id::{AppId, BuildId, SlugId};
use model::keep::{self, AppSlugs, ImageUse, SlugUse};
use model::release::{ReleaseStatus, Version};
use model::slug::Digest;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::row::{Columns as _, big, now};
use crate::transaction::Db;

/// What is asked after every release.
pub(crate) const USES: &str = "select r.version, r.status, r.slug_id from slugs s join releases r on r.slug_id = s.id \
     where s.app_id = $1 and s.collected_at is null";
pub(crate) const OLD_SLUGS: &str = "select s.app_id from slugs s join apps a on a.id = s.app_id \
     where s.collected_at is null group by s.app_id, a.deleted_at \
     having a.deleted_at is not null or count(*) > $1";

/// Returns the apps that may have slugs which nothing needs; most have none, which costs an index entry per slug.
///
/// # Errors
/// A database that fails.
pub async fn apps_with_old_slugs(db: &mut Db) -> Result<Vec<AppId>> {
    let rows = sqlx::query(OLD_SLUGS).bind(big(keep::SLUGS as u64)).fetch_all(db).await?;
    rows.iter().map(|row| row.parsed("app_id")).collect()
}

/// Returns what decides which of the app's slugs are needed.
///
/// # Errors
/// An app that is not there, or a database that fails.
pub async fn app_slugs(db: &mut Db, app: AppId) -> Result<AppSlugs> {
    let row = sqlx::query("select deleted_at from apps where id = $1")
        .bind(app.to_string())
        .fetch_optional(&mut *db)
        .await?
        .ok_or(Error::Refused("the app is gone"))?;
    let destroyed = row.integer_or_none("deleted_at")?.is_some();
    let slugs = ids(db, "select id from slugs where app_id = $1 and collected_at is null", app).await?;
    let pinned = ids(
        db,
        "select r.slug_id as id from releases r where r.app_id = $1 and r.slug_id is not null and (\
         r.version = (select serving_version from apps where id = $1 and deleted_at is null) \
         or r.version in (select release_version from replicas where app_id = $1) \
         or r.version in (select fallback_version from watches where app_id = $1) \
         or r.version in (select release_version from operations where app_id = $1 and state = 'active'))",
        app,
    )
    .await?;
    let rows = sqlx::query(USES).bind(app.to_string()).fetch_all(db).await?;
    let uses = rows.iter().map(|row| {
        let status: ReleaseStatus = row.parsed("status")?;
        Ok(SlugUse {
            version: Version(row.number("version")?),
            succeeded: status == ReleaseStatus::Succeeded,
            slug: row.parsed("slug_id")?,
        })
    });
    Ok(AppSlugs { destroyed, slugs, uses: uses.collect::<Result<_>>()?, pinned })
}

async fn ids(db: &mut Db, query: &'static str, app: AppId) -> Result<BTreeSet<SlugId>> {
    let rows = sqlx::query(query).bind(app.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| row.parsed("id")).collect()
}

/// Notes that the slug's image goes: no release can be made of it until it is built again. Returns the image.
///
/// # Errors
/// A slug that is not there, or a database that fails.
pub async fn collect_slug(db: &mut Db, id: SlugId) -> Result<Digest> {
    let row = sqlx::query("update slugs set collected_at = $2 where id = $1 returning digest")
        .bind(id.to_string())
        .bind(now())
        .fetch_optional(db)
        .await?;
    row.ok_or(Error::Refused("the slug is gone"))?.parsed("digest")
}

/// Returns what the slugs of all apps say of an image.
///
/// # Errors
/// A database that fails.
pub async fn image_use(db: &mut Db, digest: &Digest) -> Result<ImageUse> {
    let row = sqlx::query(
        "select coalesce(sum(case when collected_at is null then 1 else 0 end), 0) as needed, \
         max(released_at) as released_at from slugs where digest = $1",
    )
    .bind(digest.as_str())
    .fetch_one(db)
    .await?;
    let released_at: Option<Timestamp> = row.time_or_none("released_at")?;
    Ok(ImageUse { needed: row.integer("needed")? > 0, released_at })
}

/// Returns the images of all slugs that are kept.
///
/// # Errors
/// A database that fails.
pub async fn kept_images(db: &mut Db) -> Result<BTreeSet<Digest>> {
    let rows = sqlx::query("select digest from slugs where collected_at is null").fetch_all(db).await?;
    rows.iter().map(|row| row.parsed("digest")).collect()
}

/// Returns those of the images that slugs have which are kept.
///
/// # Errors
/// A database that fails.
pub async fn kept_of(db: &mut Db, images: &BTreeSet<Digest>) -> Result<BTreeSet<Digest>> {
    let mut kept = BTreeSet::new();
    for digest in images {
        if image_use(db, digest).await?.needed {
            kept.insert(digest.clone());
        }
    }
    Ok(kept)
}

/// Returns builds that have ended and whose output is older than that of the app's newest ones, at most `max`.
///
/// # Errors
/// A database that fails.
pub async fn builds_to_silence(db: &mut Db, max: u32) -> Result<Vec<BuildId>> {
    beyond(db, 0, keep::BUILD_LOGS, max).await
}

/// Returns builds without output of which no more than what their release needs should be kept, at most `max`.
///
/// # Errors
/// A database that fails.
pub async fn builds_to_trim(db: &mut Db, max: u32) -> Result<Vec<BuildId>> {
    beyond(db, 1, keep::BUILDS - keep::BUILD_LOGS, max).await
}

/// Returns the ended builds at a level beyond the newest `kept` of their app.
async fn beyond(db: &mut Db, level: i64, kept: u32, max: u32) -> Result<Vec<BuildId>> {
    let apps = sqlx::query(
        "select app_id from builds where trimmed = $1 and trimmed < 2 group by app_id having count(*) > $2",
    )
    .bind(level)
    .bind(i64::from(kept))
    .fetch_all(&mut *db)
    .await?;
    let mut found = Vec::new();
    for app in apps {
        let rows = sqlx::query(
            "select id, state from builds where app_id = $1 and trimmed = $2 and trimmed < 2 \
             order by created_at desc, id desc limit $3 offset $4",
        )
        .bind(app.text("app_id")?)
        .bind(level)
        .bind(i64::from(max))
        .bind(i64::from(kept))
        .fetch_all(&mut *db)
        .await?;
        let ended =
            rows.iter().filter(|row| !matches!(row.text("state").as_deref(), Ok("queued" | "running")));
        found.extend(ended.map(|row| row.parsed("id")).collect::<Result<Vec<BuildId>>>()?);
        if found.len() >= max as usize {
            break;
        }
    }
    Ok(found)
}

/// Where the output of a build stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// The app.
    pub app: AppId,
    /// Nothing is added to it any more.
    pub ended: bool,
    /// The app is no more.
    pub destroyed: bool,
}

/// Returns the builds of all apps whose output is kept.
///
/// # Errors
/// A database that fails.
pub async fn kept_outputs(db: &mut Db) -> Result<BTreeMap<BuildId, BuildOutput>> {
    let rows = sqlx::query(
        "select b.id, b.app_id, case when b.state in ('queued', 'running') then 0 else 1 end as ended, \
         a.deleted_at from builds b join apps a on a.id = b.app_id where b.trimmed = 0 and b.trimmed < 2",
    )
    .fetch_all(db)
    .await?;
    let output = |row: &AnyRow| {
        let destroyed = row.integer_or_none("deleted_at")?.is_some();
        let output = BuildOutput { app: row.parsed("app_id")?, ended: row.flag("ended")?, destroyed };
        Ok((row.parsed("id")?, output))
    };
    rows.iter().map(output).collect()
}

/// Notes that a build's output was removed.
///
/// # Errors
/// A database that fails.
pub async fn silence_build(db: &mut Db, id: BuildId) -> Result<()> {
    sqlx::query("update builds set trimmed = 1 where id = $1 and trimmed = 0")
        .bind(id.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets a build, or all that its release does not need of it.
///
/// # Errors
/// A database that fails.
pub async fn trim_build(db: &mut Db, id: BuildId) -> Result<()> {
    let forgotten = sqlx::query(
        "delete from builds where id = $1 and not exists (select 1 from releases where build_id = $1)",
    )
    .bind(id.to_string())
    .execute(&mut *db)
    .await?;
    if forgotten.rows_affected() == 0 {
        sqlx::query("update builds set trimmed = 2, trace = null, options = '{}' where id = $1")
            .bind(id.to_string())
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Removes the steps of operations older than the newest of their app. Returns of how many.
///
/// # Errors
/// A database that fails.
pub async fn trim_operations(db: &mut Db) -> Result<u64> {
    let apps =
        sqlx::query("select app_id from operations where trimmed = 0 group by app_id having count(*) > $1")
            .bind(i64::from(keep::OPERATIONS))
            .fetch_all(&mut *db)
            .await?;
    let mut trimmed = 0;
    for app in apps {
        let rows = sqlx::query(
            "select id from operations where app_id = $1 and trimmed = 0 and state <> 'active' \
             order by created_at desc, id desc limit 1000 offset $2",
        )
        .bind(app.text("app_id")?)
        .bind(i64::from(keep::OPERATIONS))
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let id = row.text("id")?;
            sqlx::query("delete from operation_steps where operation_id = $1")
                .bind(id.as_str())
                .execute(&mut *db)
                .await?;
            sqlx::query("update operations set trimmed = 1 where id = $1").bind(id).execute(&mut *db).await?;
            trimmed += 1;
        }
    }
    Ok(trimmed)
}
