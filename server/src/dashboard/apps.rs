//! The list of all apps, and making one.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use model::access::Scope;
use serde::Deserialize;
use serde_json::json;

use super::client::Refusal;
use super::glance::{self, AppRow};
use super::page::{Frame, Submitted, Visitor};

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    frame: Frame,
    apps: Vec<AppRow>,
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
    let apps = store::app_overviews(&mut *platform.store.read().await?, user).await?;
    Ok(AppsPage { frame: visitor.frame("Apps", "apps"), apps: glance::rows(&platform.facts, &apps) })
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
