//! Who did what: of the whole platform, or of one app.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Dashboard;
use super::app::AppHead;
use super::client::Refusal;
use super::page::{Frame, Visitor};
use super::words;

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "app/activity.html")]
struct AppActivityPage {
    frame: Frame,
    head: AppHead,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Activity {
    at: Timestamp,
    actor: Option<Actor>,
    token: Option<Named>,
    action: String,
    app: Option<Named>,
    #[serde(default)]
    detail: Map<String, Value>,
    remote: Option<String>,
}

#[derive(Deserialize)]
struct Actor {
    email: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

/// One change.
struct Row {
    at: String,
    ago: String,
    who: String,
    /// With which token, and from where.
    how: String,
    action: String,
    app: Option<String>,
    detail: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/activity", get(show)).route("/apps/{app}/activity", get(show_of_app))
}

async fn show(visitor: Visitor) -> Response {
    let page = async {
        let rows = rows(visitor.get(&["activity"]).await?);
        Ok(ActivityPage { frame: visitor.frame("Activity", "activity"), rows })
    };
    visitor.page(page.await)
}

async fn show_of_app(visitor: Visitor, Path(app): Path<String>) -> Response {
    let page = async {
        let head = AppHead::of(&visitor, &app, "activity").await?;
        let rows = rows(visitor.get(&["apps", &app, "activity"]).await?);
        Ok::<_, Refusal>(AppActivityPage {
            frame: visitor.frame(format!("Activity of {app}"), "apps"),
            head,
            rows,
        })
    };
    visitor.page(page.await)
}

fn rows(activities: Vec<Activity>) -> Vec<Row> {
    activities.into_iter().map(row).collect()
}

fn row(activity: Activity) -> Row {
    let token = activity.token.and_then(|token| token.name).map(|name| format!("token {name}"));
    let how: Vec<_> = token.into_iter().chain(activity.remote).collect();
    let who = activity.actor.and_then(|actor| actor.email);
    Row {
        at: activity.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ago: words::ago(activity.at),
        who: who.unwrap_or_else(|| "the platform".to_owned()),
        how: how.join(", "),
        action: activity.action,
        app: activity.app.and_then(|app| app.name),
        detail: detail(&activity.detail),
    }
}

/// Puts what is known of a change in one line.
fn detail(detail: &Map<String, Value>) -> String {
    let says = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    let shown = detail.iter().filter(|(_, value)| says(value)).map(|(name, value)| match value {
        Value::String(id) if name == "commit" => format!("commit {}", id.get(..8).unwrap_or(id)),
        Value::String(text) => format!("{name} {text}"),
        Value::Array(items) => format!("{name} {}", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<_> = fields.map(|(name, value)| format!("{name} {}", plain(value))).collect();
            format!("{name}: {}", fields.join(", "))
        }
        other => format!("{name} {other}"),
    });
    shown.collect::<Vec<_>>().join("; ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn details_are_words() {
        let of = |value: Value| detail(value.as_object().unwrap());
        assert_eq!(of(json!({ "web": { "quantity": "4", "size": null } })), "web: quantity 4");
        assert_eq!(of(json!({ "names": ["A", "B"], "release": 3 })), "names A, B; release 3");
        assert_eq!(of(json!({ "set": ["A"], "removed": [] })), "set A");
        assert_eq!(of(json!({ "commit": "b81785464e5cf2296d268a2aa0e45277a7f9d4a0" })), "commit b8178546");
        assert_eq!(of(json!({})), "");
    }
}
