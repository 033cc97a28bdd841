//! The pages of one app. Each has a file here and a template of the same name in `web/templates/app/`.

mod builds;
mod config;
mod danger;
mod logs;
mod overview;
mod releases;
mod settings;
mod sharing;
mod traffic;

use std::sync::Arc;

use axum::Router;
use serde::Deserialize;

use super::Dashboard;
use super::client::Refusal;
use super::page::Visitor;
use crate::auth::Access;

/// What the head of an app's pages shows, and what who looks may do.
pub(super) struct AppHead {
    pub(super) name: String,
    pub(super) web_url: String,
    pub(super) git_url: String,
    /// The page that is shown, one of [`TABS`].
    pub(super) tab: &'static str,
    pub(super) can_write: bool,
    /// May destroy it and say who else may use it.
    pub(super) owns: bool,
    pub(super) maintenance: bool,
}

/// The pages: the last part of their address, and what they are called.
const TABS: [(&str, &str); 7] = [
    ("", "Overview"),
    ("releases", "Releases"),
    ("builds", "Builds"),
    ("logs", "Logs"),
    ("config", "Config"),
    ("settings", "Settings"),
    ("activity", "Activity"),
];

#[derive(Deserialize)]
struct AppJson {
    name: String,
    git_url: String,
    web_url: String,
    maintenance: bool,
}

/// Returns the pages as a part of the dashboard.
pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .merge(overview::routes())
        .merge(releases::routes())
        .merge(builds::routes())
        .merge(logs::routes())
        .merge(config::routes())
        .merge(settings::routes())
        .merge(sharing::routes())
        .merge(danger::routes())
}

impl AppHead {
    /// Returns the head for one page of an app.
    ///
    /// # Errors
    /// There is no such app for who looks.
    pub(super) async fn of(visitor: &Visitor, name: &str, tab: &'static str) -> Result<Self, Refusal> {
        let app: AppJson = visitor.get(&["apps", name]).await?;
        let mut db = visitor.dashboard.platform.store.read().await?;
        let found = store::find_app(&mut db, name).await?.ok_or_else(Refusal::not_found)?;
        let access = visitor.session.access(&mut db, &found).await?;
        Ok(Self {
            name: app.name,
            web_url: app.web_url,
            git_url: app.git_url,
            tab,
            can_write: access >= Some(Access::Write),
            owns: access >= Some(Access::Own),
            maintenance: app.maintenance,
        })
    }

    /// Returns the addresses and names of all pages.
    pub(super) fn tabs(&self) -> impl Iterator<Item = (String, &'static str, bool)> {
        TABS.iter().map(|(tab, name)| {
            let slash = if tab.is_empty() { "" } else { "/" };
            (format!("/dashboard/apps/{}{slash}{tab}", self.name), *name, *tab == self.tab)
        })
    }
}
