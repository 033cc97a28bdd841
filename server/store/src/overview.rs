//! All apps that somebody may see, with what says how they are, in a few statements however many there are.

use std::collections::BTreeMap;

use model::formation::Formation;
use model::id::{AppId, UserId};

use crate::apps::{App, list_apps, list_apps_of};
use crate::error::Result;
use crate::formation::{find_formation, formation_entry};
use crate::operations::{Operation, active_operation, operation};
use crate::releases::{Release, find_release, releases_that_serve};
use crate::replicas::{Replica, list_replicas, replica};
use crate::transaction::Db;

/// One app as a list of all shows it.
#[derive(Clone, Debug)]
pub struct AppOverview {
    /// The app.
    pub app: App,
    /// The release that serves.
    pub release: Option<Release>,
    /// The change that is being brought about.
    pub operation: Option<Operation>,
    /// How many replicas of each type are wanted.
    pub formation: Formation,
    /// The replicas that exist as wishes.
    pub replicas: Vec<Replica>,
}

/// Returns the apps of a user, or all, by name.
///
/// # Errors
/// A database that fails.
pub async fn app_overviews(db: &mut Db, user: Option<UserId>) -> Result<Vec<AppOverview>> {
    let apps = match user {
        Some(user) => list_apps_of(db, user).await?,
        None => list_apps(db).await?,
    };
    let mut by_app: BTreeMap<AppId, AppOverview> = apps.into_iter().map(|app| (app.id, plain(app))).collect();
    for release in releases_that_serve(db).await? {
        if let Some(overview) = by_app.get_mut(&release.app_id) {
            overview.release = Some(release);
        }
    }
    for row in sqlx::query("select * from operations where state = 'active'").fetch_all(&mut *db).await? {
        let operation = operation(&row)?;
        if let Some(overview) = by_app.get_mut(&operation.app_id) {
            overview.operation = Some(operation);
        }
    }
    for row in sqlx::query("select * from formation").fetch_all(&mut *db).await? {
        let entry = formation_entry(&row)?;
        if let Some(overview) = by_app.get_mut(&entry.app_id) {
            overview.formation.insert(entry.process, entry.scale);
        }
    }
    for row in sqlx::query("select * from replicas order by type, number, id").fetch_all(&mut *db).await? {
        let replica = replica(&row)?;
        if let Some(overview) = by_app.get_mut(&replica.app_id) {
            overview.replicas.push(replica);
        }
    }
    let mut overviews: Vec<_> = by_app.into_values().collect();
    overviews.sort_by(|a, b| a.app.name.cmp(&b.app.name));
    Ok(overviews)
}

/// Returns one app as a list of all shows it.
///
/// # Errors
/// A database that fails.
pub async fn app_overview(db: &mut Db, app: App) -> Result<AppOverview> {
    let release = match app.serving {
        Some(serving) => find_release(db, app.id, serving.version).await?,
        None => None,
    };
    Ok(AppOverview {
        release,
        operation: active_operation(db, app.id).await?,
        formation: find_formation(db, app.id).await?,
        replicas: list_replicas(db, app.id).await?,
        app,
    })
}

fn plain(app: App) -> AppOverview {
    AppOverview { app, release: None, operation: None, formation: Formation::new(), replicas: Vec::new() }
}
