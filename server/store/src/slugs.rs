//! Built apps by their digest.

use jiff::Timestamp;
use model::id::{AppId, SlugId};
use model::name::ProcessType;
use model::slug::{Digest, SlugManifest};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, big, json, now};
use crate::transaction::Db;

/// A built app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    /// Its identity; the same content of the same app has the same.
    pub id: SlugId,
    /// The app.
    pub app_id: AppId,
    /// The image's SHA-256.
    pub digest: Digest,
    /// The image's size.
    pub bytes: u64,
    /// What it holds.
    pub manifest: SlugManifest,
    /// When it was first built.
    pub created_at: Timestamp,
}

/// What identifies a slug, where more is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlugRef {
    /// Its identity.
    pub id: SlugId,
    /// The image's SHA-256.
    pub digest: Digest,
    /// The image's size.
    pub bytes: u64,
    /// A command runs before each rollout.
    pub has_release_command: bool,
    /// Its image is there: releases can be made of it.
    pub kept: bool,
}

fn slug(row: &AnyRow) -> Result<Slug> {
    Ok(Slug {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        digest: row.parsed("digest")?,
        bytes: row.number("bytes")?,
        manifest: row.json("manifest")?,
        created_at: row.time("created_at")?,
    })
}

/// Reads the columns `slug_id`, `slug_digest`, `slug_bytes`, `slug_command` and `slug_collected` of a join.
pub(crate) fn slug_ref(row: &AnyRow) -> Result<Option<SlugRef>> {
    let Some(id) = row.parsed_or_none("slug_id")? else { return Ok(None) };
    Ok(Some(SlugRef {
        id,
        digest: row.parsed("slug_digest")?,
        bytes: row.number("slug_bytes")?,
        has_release_command: row.flag("slug_command")?,
        kept: row.integer_or_none("slug_collected")?.is_none(),
    }))
}

/// Returns the app's slug of this digest, made if it is not there. A release is made of it now, so its image is kept.
///
/// # Errors
/// A database that fails.
pub async fn upsert_slug(
    db: &mut Db,
    app: AppId,
    digest: &Digest,
    bytes: u64,
    manifest: &SlugManifest,
) -> Result<Slug> {
    let row = sqlx::query(
        "insert into slugs (id, app_id, digest, bytes, manifest, release_command, created_at, released_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $7) \
         on conflict (app_id, digest) do update set bytes = excluded.bytes, released_at = excluded.released_at, \
         collected_at = null returning *",
    )
    .bind(SlugId::new().to_string())
    .bind(app.to_string())
    .bind(digest.as_str())
    .bind(big(bytes))
    .bind(json(manifest)?)
    .bind(i64::from(manifest.processes.contains_key(&ProcessType::release())))
    .bind(now())
    .fetch_one(db)
    .await?;
    slug(&row)
}

/// Returns the slug.
///
/// # Errors
/// A database that fails.
pub async fn find_slug(db: &mut Db, id: SlugId) -> Result<Option<Slug>> {
    let row =
        sqlx::query("select * from slugs where id = $1").bind(id.to_string()).fetch_optional(db).await?;
    row.as_ref().map(slug).transpose()
}
