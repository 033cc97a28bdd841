//! Everything the reconcile loop needs to know of the apps that are not idle, in a few statements however many there
//! are. Releases never change, so their slugs and config vars are read once and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::config::ConfigVars;
use model::formation::Formation;
use model::id::{AppId, ReleaseId};
use model::name::Hostname;
use model::release::Version;
use model::slug::SlugManifest;
use model::watch::Watch;
use sqlx::any::AnyRow;

use crate::apps::{App, app, select_app};
use crate::error::{Error, Result};
use crate::formation::formation_entry;
use crate::operations::{Operation, operation};
use crate::releases::open_config;
use crate::replicas::{Replica, replica};
use crate::row::{Columns as _, big};
use crate::slugs::{SlugRef, slug_ref};
use crate::transaction::Db;
use crate::vault::Vault;
use crate::watches::watch;

/// An app that serves, changes, or still has replicas.
#[derive(Clone, Debug)]
pub struct DesiredApp {
    /// The app; with `deleted_at` it should end all its replicas.
    pub app: App,
    /// The change that is being brought about.
    pub operation: Option<Operation>,
    /// The watch over what serves, while it lasts.
    pub watch: Option<Watch>,
    /// How many replicas of each process type are wanted.
    pub formation: Formation,
    /// The replicas that exist as wishes, by type and number.
    pub replicas: Vec<Replica>,
    /// Those releases that serve, are rolled out, or have replicas.
    pub releases: BTreeMap<Version, Arc<DesiredRelease>>,
    /// Those of them that cannot be read, and why.
    pub unreadable: BTreeMap<Version, String>,
    /// Its host names beside its own.
    pub domains: Vec<Hostname>,
}

/// What replicas of a release need.
#[derive(Debug)]
pub struct DesiredRelease {
    /// Its identity.
    pub id: ReleaseId,
    /// Its number.
    pub version: Version,
    /// The image and its manifest; nothing before the first deploy.
    pub slug: Option<(SlugRef, SlugManifest)>,
    /// The config vars.
    pub config: ConfigVars,
}

/// The releases read so far; kept between turns.
#[derive(Debug, Default)]
pub struct ReleaseCache {
    read: BTreeMap<(AppId, Version), Arc<DesiredRelease>>,
    /// Why others could not be read the last time; each turn tries again.
    unreadable: BTreeMap<(AppId, Version), String>,
}

/// The ids of apps that are not idle.
macro_rules! busy {
    () => {
        "(select id from apps where serving_version is not null \
         union select app_id from operations where state = 'active' union select app_id from replicas)"
    };
}

/// What is read in every turn of the reconcile loop.
pub(crate) const OPERATIONS: &str = "select * from operations where state = 'active'";
pub(crate) const FORMATION: &str = concat!("select * from formation where app_id in ", busy!());
pub(crate) const REPLICAS: &str = "select * from replicas order by type, number, id";
pub(crate) const DOMAINS: &str = concat!("select * from domains where app_id in ", busy!(), " order by id");
pub(crate) const APPS: &str = concat!(select_app!("where a.id in "), busy!());

/// Returns the apps that are not idle, by id.
///
/// # Errors
/// A database that fails. A release that cannot be read is its app's alone: see [`DesiredApp::unreadable`].
pub async fn desired_apps(db: &mut Db, vault: &Vault, cache: &mut ReleaseCache) -> Result<Vec<DesiredApp>> {
    let mut apps = read_apps(db).await?;
    for row in rows(db, OPERATIONS).await? {
        let operation = operation(&row)?;
        if let Some(desired) = apps.get_mut(&operation.app_id) {
            desired.operation = Some(operation);
        }
    }
    for row in rows(db, "select * from watches").await? {
        if let Some(desired) = apps.get_mut(&row.parsed("app_id")?) {
            desired.watch = Some(watch(&row)?);
        }
    }
    for row in rows(db, FORMATION).await? {
        let entry = formation_entry(&row)?;
        if let Some(desired) = apps.get_mut(&entry.app_id) {
            desired.formation.insert(entry.process, entry.scale);
        }
    }
    for row in rows(db, REPLICAS).await? {
        let replica = replica(&row)?;
        if let Some(desired) = apps.get_mut(&replica.app_id) {
            desired.replicas.push(replica);
        }
    }
    for row in rows(db, DOMAINS).await? {
        if let Some(desired) = apps.get_mut(&row.parsed("app_id")?) {
            desired.domains.push(row.parsed("hostname")?);
        }
    }
    cache.fill(db, vault, &apps).await?;
    cache.share(&mut apps);
    Ok(apps.into_values().collect())
}

async fn rows(db: &mut Db, query: &'static str) -> Result<Vec<AnyRow>> {
    Ok(sqlx::query(query).fetch_all(db).await?)
}

async fn read_apps(db: &mut Db) -> Result<BTreeMap<AppId, DesiredApp>> {
    let idle = |app: App| DesiredApp {
        app,
        operation: None,
        watch: None,
        formation: Formation::new(),
        replicas: Vec::new(),
        releases: BTreeMap::new(),
        unreadable: BTreeMap::new(),
        domains: Vec::new(),
    };
    let apps = rows(db, APPS).await?;
    apps.iter().map(|row| app(row).map(|app| (app.id, idle(app)))).collect()
}

impl ReleaseCache {
    /// Reads the releases that are needed and not known, and forgets those that are known and not needed.
    async fn fill(&mut self, db: &mut Db, vault: &Vault, apps: &BTreeMap<AppId, DesiredApp>) -> Result<()> {
        let needed: BTreeSet<_> =
            apps.values().flat_map(|d| versions(d).map(|version| (d.app.id, version))).collect();
        self.read.retain(|key, _| needed.contains(key));
        self.unreadable.clear();
        for key in needed {
            if self.read.contains_key(&key) {
                continue;
            }
            match read_release(db, vault, key).await {
                Ok(release) => drop(self.read.insert(key, Arc::new(release))),
                Err(error @ (Error::Vault(_) | Error::Damaged { .. } | Error::Refused(_))) => {
                    self.unreadable.insert(key, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives each app its releases.
    fn share(&self, apps: &mut BTreeMap<AppId, DesiredApp>) {
        for ((app, version), release) in &self.read {
            if let Some(desired) = apps.get_mut(app) {
                desired.releases.insert(*version, Arc::clone(release));
            }
        }
        for ((app, version), why) in &self.unreadable {
            if let Some(desired) = apps.get_mut(app) {
                desired.unreadable.insert(*version, why.clone());
            }
        }
    }
}

fn versions(desired: &DesiredApp) -> impl Iterator<Item = Version> {
    let serving = desired.app.serving.map(|serving| serving.version);
    let rolling = desired.operation.as_ref().map(|operation| operation.version);
    let fallback = desired.watch.as_ref().map(|watch| watch.fallback);
    serving
        .into_iter()
        .chain(rolling)
        .chain(fallback)
        .chain(desired.replicas.iter().map(|replica| replica.version))
}

async fn read_release(
    db: &mut Db,
    vault: &Vault,
    (app, version): (AppId, Version),
) -> Result<DesiredRelease> {
    let row = sqlx::query(
        "select r.id, r.config, r.slug_id, s.digest as slug_digest, s.bytes as slug_bytes, s.release_command as slug_command, \
             s.collected_at as slug_collected, s.manifest \
         from releases r left join slugs s on s.id = r.slug_id where r.app_id = $1 and r.version = $2",
    )
    .bind(app.to_string())
    .bind(big(version.0))
    .fetch_optional(db)
    .await?
    .ok_or(Error::Refused("a release that should run is gone"))?;
    let id = row.parsed("id")?;
    let slug = match slug_ref(&row)? {
        Some(slug) => Some((slug, row.json("manifest")?)),
        None => None,
    };
    Ok(DesiredRelease { id, version, slug, config: open_config(vault, id, &row.text("config")?)? })
}
