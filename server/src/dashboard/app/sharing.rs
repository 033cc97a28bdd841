//! Where an app answers and who else may use it: what the forms of its settings add and remove.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

use crate::dashboard::Dashboard;
use crate::dashboard::page::Submitted;

#[derive(Deserialize)]
struct NewDomain {
    hostname: String,
}

#[derive(Deserialize)]
struct OldDomain {
    domain: String,
    hostname: String,
}

#[derive(Deserialize)]
struct Invitation {
    email: String,
    scope: String,
}

#[derive(Deserialize)]
struct Withdrawal {
    email: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/domains/add", post(add_domain))
        .route("/apps/{app}/domains/remove", post(remove_domain))
        .route("/apps/{app}/collaborators/add", post(add_collaborator))
        .route("/apps/{app}/collaborators/remove", post(remove_collaborator))
}

async fn add_domain(Path(app): Path<String>, Submitted(visitor, new): Submitted<NewDomain>) -> Response {
    let hostname = new.hostname.trim();
    let added =
        visitor.send(Method::POST, &["apps", &app, "domains"], &json!({ "hostname": hostname })).await;
    let said = format!("{hostname} leads to {app} as soon as its DNS leads here.");
    visitor.done(&format!("/apps/{app}/settings"), added.map(|_| said))
}

async fn remove_domain(Path(app): Path<String>, Submitted(visitor, old): Submitted<OldDomain>) -> Response {
    let removed = visitor.send(Method::DELETE, &["apps", &app, "domains", &old.domain], &json!({})).await;
    let said = format!("{} leads here no more.", old.hostname);
    visitor.done(&format!("/apps/{app}/settings"), removed.map(|_| said))
}

async fn add_collaborator(
    Path(app): Path<String>,
    Submitted(visitor, Invitation { email, scope }): Submitted<Invitation>,
) -> Response {
    let email = email.trim();
    let body = json!({ "user": email, "scope": scope });
    let added = visitor.send(Method::POST, &["apps", &app, "collaborators"], &body).await;
    let said = format!("{email} may use {app} now.");
    visitor.done(&format!("/apps/{app}/settings"), added.map(|_| said))
}

async fn remove_collaborator(
    Path(app): Path<String>,
    Submitted(visitor, Withdrawal { email }): Submitted<Withdrawal>,
) -> Response {
    let path = ["apps", &app, "collaborators", &email];
    let removed = visitor.send(Method::DELETE, &path, &json!({})).await;
    let said = format!("{email} may not use {app} any more.");
    visitor.done(&format!("/apps/{app}/settings"), removed.map(|_| said))
}
