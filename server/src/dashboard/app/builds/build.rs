//! One build: how it went, how it was found out what the app is, what it wrote; and stopping it.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::TAB;
use super::detection::Detection;
use super::facts::{BuildJson, Facts};
use super::output::Shown;
use crate::dashboard::app::AppHead;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Submitted, Visitor};

#[derive(Template)]
#[template(path = "app/build.html")]
struct BuildPage {
    frame: Frame,
    head: AppHead,
    build: Facts,
    detection: Option<Detection>,
    output: Shown,
}

/// A form with nothing but its mark.
#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn show(visitor: Visitor, Path((app, id)): Path<(String, String)>) -> Response {
    visitor.page(view(&visitor, &app, &id).await)
}

async fn view(visitor: &Visitor, app: &str, id: &str) -> Result<BuildPage, Refusal> {
    let head = AppHead::of(visitor, app, TAB).await?;
    let mut build: BuildJson = visitor.get(&["apps", app, "builds", id]).await?;
    let detection = build.trace.take().map(Detection::of);
    let build = Facts::of(build);
    Ok(BuildPage {
        frame: visitor.frame(format!("Build {} of {app}", build.short), "apps"),
        head,
        output: Shown::of(visitor, app, id, build.is_open).await?,
        build,
        detection,
    })
}

pub(super) async fn cancel(
    Path((app, id)): Path<(String, String)>,
    Submitted(visitor, Nothing {}): Submitted<Nothing>,
) -> Response {
    let path = ["apps", &app, "builds", &id, "actions", "cancel"];
    let asked = visitor.send(Method::POST, &path, &json!({})).await;
    let said = "The build is being cancelled; what serves is not touched.".to_owned();
    visitor.done(&format!("/apps/{app}/builds/{id}"), asked.map(|_| said))
}
