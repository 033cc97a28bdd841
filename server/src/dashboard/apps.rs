//! The list of all apps, and making one.

use std::collections::BTreeMap;
use std::ops::Range;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use jiff::Timestamp;
use model::access::Scope;
use model::id::AppId;
use model::wording;
use serde::Deserialize;
use serde_json::json;
use store::Db;

use super::chart::Spark;
use super::client::Refusal;
use super::glance::{self, AppRow};
use super::page::{Frame, Submitted, Visitor};
use crate::metrics::minute_of;
use crate::platform::Platform;

/// The minutes that one step of an app's picture stands for.
const SLOT: u64 = 3;

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    frame: Frame,
    apps: Vec<AppRow>,
    /// Requests of the last hour, by the app's name.
    traffic: BTreeMap<String, Spark>,
}

#[derive(Deserialize)]
pub(super) struct NewApp {
    #[serde(default)]
    name: String,
}

pub(super) async fn list(visitor: Visitor) -> Response {
    visitor.page(view(&visitor).await)
}

async fn view(visitor: &Visitor) -> Result<AppsPage, Refusal> {
    let platform = &visitor.dashboard.platform;
    let all = visitor.session.role == Scope::Admin;
    let user = (!all).then_some(visitor.session.actor.user);
    let mut db = platform.store.read().await?;
    let counts = requests(platform, &mut db).await?;
    let apps = store::app_overviews(&mut db, user).await?;
    drop(db);
    let spark = |of: &store::AppOverview| {
        let counts = counts.get(&of.app.id)?;
        let total: u64 = counts.iter().sum();
        let title = format!("{} in the last hour", wording::count(usize::try_from(total).ok()?, "request"));
        (total > 0).then(|| (of.app.name.to_string(), Spark::of_counts(counts, title)))
    };
    let traffic = apps.iter().filter_map(spark).collect();
    Ok(AppsPage { frame: visitor.frame("Apps", "apps"), apps: glance::rows(&platform.facts, &apps), traffic })
}

/// Returns how many requests each app had in each slot of the last hour.
async fn requests(platform: &Platform, db: &mut Db) -> Result<BTreeMap<AppId, Vec<u64>>, Refusal> {
    let window = window(minute_of(Timestamp::now()));
    let still = platform.metrics.hold_still().await;
    let mut counts = store::requests_of_apps(db, window.clone(), SLOT).await?;
    let unwritten = platform.metrics.pending_requests();
    drop(still);
    let slots = usize::try_from((window.end - window.start) / SLOT).unwrap_or_default();
    for (app, requests) in unwritten {
        if let Some(last) = counts.entry(app).or_insert_with(|| vec![0; slots]).last_mut() {
            *last += requests;
        }
    }
    Ok(counts)
}

/// Returns the last hour in whole slots, the minute that is under way in the last of them.
fn window(now: u64) -> Range<u64> {
    let end = (now + 1).next_multiple_of(SLOT);
    end.saturating_sub(60)..end
}

pub(super) async fn create(Submitted(visitor, new): Submitted<NewApp>) -> Response {
    let name = new.name.trim();
    let body = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
    match visitor.send(Method::POST, &["apps"], &body).await {
        Ok(app) => {
            let name = app["name"].as_str().unwrap_or_default();
            visitor.done(&format!("/apps/{name}"), Ok(format!("Created {name}.")))
        }
        Err(refusal) => visitor.done("", Err(refusal)),
    }
}
