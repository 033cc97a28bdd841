//! Releases: a slug and a snapshot of the config vars under a number. Only their status ever changes.

use jiff::Timestamp;
use model::config::ConfigVars;
use model::id::{AppId, BuildId, ReleaseId, SlugId, UserId};
use model::release::{CommitRef, ReleaseStatus, Version};
use sqlx::any::AnyRow;

use crate::builds::commit;
use crate::error::{Error, Result};
use crate::row::{Columns as _, big, json, now, unjson, words};
use crate::slugs::{SlugRef, slug_ref};
use crate::transaction::Db;
use crate::vault::Vault;

words! {
    /// What made a release.
    ReleaseKind: "kind of release" {
        /// A new slug.
        Deploy = "deploy",
        /// Slug and config vars of an older release.
        Rollback = "rollback",
        /// Changed config vars.
        Config = "config",
    }
}

/// A release, without its config vars; [`release_config`] opens those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its identity.
    pub id: ReleaseId,
    /// The app.
    pub app_id: AppId,
    /// Its number.
    pub version: Version,
    /// What made it.
    pub kind: ReleaseKind,
    /// The same for people, such as `Deploy 3f2a9c1b` or `Set A, B config vars`.
    pub description: String,
    /// Who made it.
    pub user_id: UserId,
    /// Their address.
    pub user_email: String,
    /// What it runs; nothing before the first deploy.
    pub slug: Option<SlugRef>,
    /// The commit the slug was built from.
    pub commit: Option<CommitRef>,
    /// The build that made the slug for it.
    pub build_id: Option<BuildId>,
    /// The release it goes back to.
    pub rollback_of: Option<Version>,
    /// Where it stands.
    pub status: ReleaseStatus,
    /// Why it failed or expired.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its status became final.
    pub finished_at: Option<Timestamp>,
}

/// A release to be made.
#[derive(Clone, Debug)]
pub struct NewRelease<'a> {
    /// The app.
    pub app: AppId,
    /// What makes it.
    pub kind: ReleaseKind,
    /// The same for people.
    pub description: String,
    /// Who makes it.
    pub user: UserId,
    /// What it runs.
    pub slug: Option<SlugId>,
    /// The config vars of its processes.
    pub config: &'a ConfigVars,
    /// The commit the slug was built from.
    pub commit: Option<CommitRef>,
    /// The build that made the slug for it.
    pub build: Option<BuildId>,
    /// The release it goes back to.
    pub rollback_of: Option<Version>,
}

/// Which releases of an app are wanted.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseRange {
    /// The lowest number.
    pub from: u64,
    /// The highest number.
    pub to: u64,
    /// The highest first instead of the lowest.
    pub newest_first: bool,
    /// Most releases.
    pub max: u32,
}

impl ReleaseRange {
    /// Returns the range of the newest releases, newest first.
    #[must_use]
    pub fn newest(max: u32) -> Self {
        Self { from: 0, to: u64::MAX, newest_first: true, max }
    }
}

macro_rules! select_release {
    ($rest:literal) => {
        concat!(
            "select r.id, r.app_id, r.version, r.kind, r.description, r.user_id, r.slug_id, r.commit_id, \
             r.commit_subject, r.commit_author, r.build_id, r.rollback_of, r.status, r.reason, r.created_at, \
             r.finished_at, u.email as user_email, s.digest as slug_digest, s.bytes as slug_bytes, s.release_command as slug_command, \
             s.collected_at as slug_collected \
             from releases r join users u on u.id = r.user_id left join slugs s on s.id = r.slug_id ",
            $rest
        )
    };
}

/// What every change asks.
pub(crate) const NEWEST_THAT_COUNTS: &str = select_release!(
    "where r.app_id = $1 and r.status in ('pending', 'succeeded') order by r.version desc limit 1"
);

fn release(row: &AnyRow) -> Result<Release> {
    Ok(Release {
        id: row.parsed("id")?,
        app_id: row.parsed("app_id")?,
        version: Version(row.number("version")?),
        kind: row.parsed("kind")?,
        description: row.text("description")?,
        user_id: row.parsed("user_id")?,
        user_email: row.text("user_email")?,
        slug: slug_ref(row)?,
        commit: commit(row)?,
        build_id: row.parsed_or_none("build_id")?,
        rollback_of: row.number_or_none("rollback_of")?.map(Version),
        status: row.parsed("status")?,
        reason: row.text_or_none("reason")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_or_none("finished_at")?,
    })
}

/// Makes a pending release with the app's next number.
///
/// # Errors
/// An app that is not there or was deleted; a slug whose image was removed.
pub async fn create_release(db: &mut Db, vault: &Vault, new: NewRelease<'_>) -> Result<Release> {
    if let Some(slug) = new.slug {
        check_kept(db, slug).await?;
    }
    let id = ReleaseId::new();
    let version = take_version(db, new.app).await?;
    let config = vault.seal(&belongs_to(id), json(new.config)?.as_bytes())?;
    sqlx::query(
        "insert into releases (id, app_id, version, kind, description, user_id, slug_id, config, commit_id, \
         commit_subject, commit_author, build_id, rollback_of, status, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'pending', $14)",
    )
    .bind(id.to_string())
    .bind(new.app.to_string())
    .bind(big(version.0))
    .bind(new.kind.as_str())
    .bind(new.description)
    .bind(new.user.to_string())
    .bind(new.slug.map(|slug| slug.to_string()))
    .bind(config)
    .bind(new.commit.as_ref().map(|commit| commit.id.clone()))
    .bind(new.commit.as_ref().map(|commit| commit.subject.clone()))
    .bind(new.commit.as_ref().map(|commit| commit.author.clone()))
    .bind(new.build.map(|build| build.to_string()))
    .bind(new.rollback_of.map(|version| big(version.0)))
    .bind(now())
    .execute(&mut *db)
    .await?;
    find_release(db, new.app, version).await?.ok_or(Error::Refused("the release that was just made is gone"))
}

/// The collector marks a slug before it removes the image, in a transaction like this one.
async fn check_kept(db: &mut Db, slug: SlugId) -> Result<()> {
    let kept = sqlx::query("select 1 as kept from slugs where id = $1 and collected_at is null")
        .bind(slug.to_string())
        .fetch_optional(db)
        .await?;
    kept.map(drop).ok_or(Error::Refused("the slug of that release is no longer kept"))
}

async fn take_version(db: &mut Db, app: AppId) -> Result<Version> {
    let row = sqlx::query(
        "update apps set release_counter = release_counter + 1, released_at = $2 \
         where id = $1 and deleted_at is null returning release_counter",
    )
    .bind(app.to_string())
    .bind(now())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::Refused("the app was destroyed"))?.number("release_counter").map(Version)
}

/// What a release's config vars are sealed to.
pub(crate) fn belongs_to(id: ReleaseId) -> String {
    format!("config of release {id}")
}

/// Opens the config vars of the release.
///
/// # Errors
/// A release that is not there, or config vars that cannot be opened with this key.
pub async fn release_config(db: &mut Db, vault: &Vault, id: ReleaseId) -> Result<ConfigVars> {
    let row = sqlx::query("select config from releases where id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?;
    open_config(vault, id, &row.ok_or(Error::Refused("the release is gone"))?.text("config")?)
}

pub(crate) fn open_config(vault: &Vault, id: ReleaseId, sealed: &str) -> Result<ConfigVars> {
    let plain = vault.open(&belongs_to(id), sealed)?;
    unjson("config", &String::from_utf8_lossy(&plain))
}

/// Returns the release that serves of each app that has one.
///
/// # Errors
/// A database that fails.
pub(crate) async fn releases_that_serve(db: &mut Db) -> Result<Vec<Release>> {
    let rows = sqlx::query(select_release!(
        "join apps a on a.id = r.app_id and a.serving_version = r.version where a.deleted_at is null"
    ))
    .fetch_all(db)
    .await?;
    rows.iter().map(release).collect()
}

/// Returns the release of this number.
///
/// # Errors
/// A database that fails.
pub async fn find_release(db: &mut Db, app: AppId, version: Version) -> Result<Option<Release>> {
    let row = sqlx::query(select_release!("where r.app_id = $1 and r.version = $2"))
        .bind(app.to_string())
        .bind(big(version.0))
        .fetch_optional(db)
        .await?;
    row.as_ref().map(release).transpose()
}

/// Returns the app's release of this id.
///
/// # Errors
/// A database that fails.
pub async fn find_release_by_id(db: &mut Db, app: AppId, id: ReleaseId) -> Result<Option<Release>> {
    let row = sqlx::query(select_release!("where r.app_id = $1 and r.id = $2"))
        .bind(app.to_string())
        .bind(id.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(release).transpose()
}

/// Returns the newest release that is pending or succeeded: its slug and config vars are the app's. A release that
/// failed changes nothing.
///
/// # Errors
/// A database that fails.
pub async fn newest_release_that_counts(db: &mut Db, app: AppId) -> Result<Option<Release>> {
    let row = sqlx::query(NEWEST_THAT_COUNTS).bind(app.to_string()).fetch_optional(db).await?;
    row.as_ref().map(release).transpose()
}

/// Returns the app's config vars: those of its newest release that counts.
///
/// # Errors
/// Config vars that cannot be opened with this key.
pub async fn current_config(db: &mut Db, vault: &Vault, app: AppId) -> Result<ConfigVars> {
    match newest_release_that_counts(db, app).await? {
        Some(release) => release_config(db, vault, release.id).await,
        None => Ok(ConfigVars::default()),
    }
}

/// Returns the app's releases in the range.
///
/// # Errors
/// A database that fails.
pub async fn list_releases(db: &mut Db, app: AppId, range: ReleaseRange) -> Result<Vec<Release>> {
    let query = if range.newest_first {
        select_release!(
            "where r.app_id = $1 and r.version between $2 and $3 order by r.version desc limit $4"
        )
    } else {
        select_release!("where r.app_id = $1 and r.version between $2 and $3 order by r.version limit $4")
    };
    let rows = sqlx::query(query)
        .bind(app.to_string())
        .bind(big(range.from))
        .bind(big(range.to))
        .bind(i64::from(range.max))
        .fetch_all(db)
        .await?;
    rows.iter().map(release).collect()
}

/// Makes a pending release succeed, fail or expire. Returns whether it was pending.
///
/// # Errors
/// A database that fails.
pub async fn set_release_status(
    db: &mut Db,
    app: AppId,
    version: Version,
    status: ReleaseStatus,
    reason: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query(
        "update releases set status = $3, reason = $4, finished_at = $5 \
         where app_id = $1 and version = $2 and status = 'pending'",
    )
    .bind(app.to_string())
    .bind(big(version.0))
    .bind(status.as_str())
    .bind(reason)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
