//! What changes an app as a whole: maintenance, another name, its end.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::Submitted;

#[derive(Deserialize)]
struct Maintenance {
    on: bool,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/maintenance", post(maintenance))
        .route("/apps/{app}/rename", post(rename))
        .route("/apps/{app}/destroy", post(destroy))
}

async fn maintenance(Path(app): Path<String>, Submitted(visitor, form): Submitted<Maintenance>) -> Response {
    let changed = visitor.send(Method::PATCH, &["apps", &app], &json!({ "maintenance": form.on })).await;
    let said = if form.on { "Visitors see the maintenance page." } else { "Visitors reach the app again." };
    visitor.done(&format!("/apps/{app}/settings"), changed.map(|_| said.to_owned()))
}

async fn rename(Path(app): Path<String>, Submitted(visitor, form): Submitted<Name>) -> Response {
    let name = form.name.trim();
    match visitor.send(Method::PATCH, &["apps", &app], &json!({ "name": name })).await {
        Err(refusal) => visitor.done(&format!("/apps/{app}/settings"), Err(refusal)),
        Ok(_) => {
            let said = format!(
                "{app} is called {name} now, with its address and its git remote: `paasctl git:remote -a {name}`."
            );
            visitor.done(&format!("/apps/{name}/settings"), Ok(said))
        }
    }
}

/// Destroys the app if its name was typed.
async fn destroy(Path(app): Path<String>, Submitted(visitor, form): Submitted<Name>) -> Response {
    if form.name.trim() != app {
        let refusal = Refusal::invalid(format!("nothing was destroyed: that is not the name {app}"));
        return visitor.done(&format!("/apps/{app}/settings"), Err(refusal));
    }
    match visitor.send(Method::DELETE, &["apps", &app], &json!({})).await {
        Ok(_) => visitor.done("", Ok(format!("{app} is destroyed; its replicas are ending."))),
        Err(refusal) => visitor.done(&format!("/apps/{app}/settings"), Err(refusal)),
    }
}
