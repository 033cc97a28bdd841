//! What an owner sets for an app, where it answers, which versions it keeps, and who else may use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use model::app::bounds;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::AppHead;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Submitted, Visitor};

/// The settings: where each is in their JSON, what it is called, and what it is for.
const SETTINGS: [(&str, &str, &str); 12] = [
    ("/deploy_branch", "Deploy branch", "A push to this branch deploys; main or master when empty."),
    ("/health/path", "Health check path", "A replica is healthy when this answers below 400."),
    ("/health/boot_seconds", "Time to boot", "A replica that is not healthy by then fails the rollout."),
    ("/health/timeout_seconds", "Health check time-out", "How long one check may take."),
    (
        "/rollout_seconds",
        "Time of a rollout",
        "One that is not done by then has failed, and nothing changed.",
    ),
    (
        "/release_command_seconds",
        "Time of the release command",
        "One that is not done by then fails its release.",
    ),
    (
        "/watch_seconds",
        "Watch after a rollout",
        "A release that fails in this time is reverted by itself; 0 turns that off.",
    ),
    ("/drain_seconds", "Time to drain", "How long a leaving web replica may finish its requests."),
    ("/stop_seconds", "Time to stop", "Between SIGTERM and SIGKILL."),
    ("/build_seconds", "Time of a build", "One that is not done by then has failed."),
    ("/connection_limit", "Requests in flight", "More are turned away with 503; no limit when empty."),
    ("/sticky_sessions", "Sticky sessions", "A visitor comes back to the same replica, by a cookie."),
];

#[derive(Template)]
#[template(path = "app/settings.html")]
struct SettingsPage {
    frame: Frame,
    head: AppHead,
    settings: Vec<Setting>,
    domains: Vec<Domain>,
    pins: Vec<(String, PinLine)>,
    collaborators: Vec<Collaborator>,
}

/// One field of the form.
struct Setting {
    /// Where it is in the settings.
    pointer: &'static str,
    label: &'static str,
    help: &'static str,
    value: String,
    default: String,
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    /// Between two bounds, of a unit.
    Number(u32, u32, &'static str),
}

#[derive(Deserialize)]
struct Domain {
    id: String,
    hostname: String,
    kind: String,
}

#[derive(Deserialize)]
struct PinLine {
    version: String,
    origin: String,
}

#[derive(Deserialize)]
struct Collaborator {
    email: String,
    role: String,
    scope: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/settings", get(show).post(change))
        .route("/apps/{app}/pins/upgrade", post(upgrade_pins))
}

async fn show(visitor: Visitor, Path(app): Path<String>) -> Response {
    visitor.page(view(&visitor, &app).await)
}

async fn view(visitor: &Visitor, app: &str) -> Result<SettingsPage, Refusal> {
    let head = AppHead::of(visitor, app, "settings").await?;
    let present: Value = visitor.get(&["apps", app, "settings"]).await?;
    let mut pins: BTreeMap<String, PinLine> = visitor.get(&["apps", app, "pins"]).await?;
    for pin in pins.values_mut() {
        // A list of packages is as long as it is.
        let lines = pin.version.lines().count();
        if lines > 1 {
            pin.version = format!("{lines} packages");
        }
    }
    Ok(SettingsPage {
        frame: visitor.frame(format!("Settings of {app}"), "apps"),
        head,
        settings: SETTINGS.iter().map(|setting| field(setting, &present)).collect(),
        domains: visitor.get(&["apps", app, "domains"]).await?,
        pins: pins.into_iter().collect(),
        collaborators: visitor.get(&["apps", app, "collaborators"]).await?,
    })
}

fn field(&(pointer, label, help): &(&'static str, &'static str, &'static str), present: &Value) -> Setting {
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let default = present.pointer(&format!("/defaults{pointer}"));
    let kind = match (bounds(pointer), default) {
        (Some((_, range, unit)), _) => Kind::Number(*range.start(), *range.end(), unit),
        (None, Some(Value::Bool(_))) => Kind::Flag,
        _ => Kind::Text,
    };
    let value = text(present.pointer(pointer));
    Setting { pointer, label, help, value, default: text(default), kind }
}

async fn change(
    Path(app): Path<String>,
    Submitted(visitor, form): Submitted<BTreeMap<String, String>>,
) -> Response {
    let outcome = async {
        let present: Value = visitor.get(&["apps", &app, "settings"]).await?;
        let changes = changes(&form, &present);
        if changes.is_empty() {
            return Ok("Nothing was changed.".to_owned());
        }
        let names: Vec<_> = changes.keys().map(|name| name.replace('_', " ")).collect();
        let said = format!("Changed: {}.", names.join(", "));
        visitor.send(Method::PATCH, &["apps", &app, "settings"], &Value::Object(changes)).await?;
        Ok(said)
    };
    visitor.done(&format!("/apps/{app}/settings"), outcome.await)
}

/// Returns what differs between a form and what is set; an empty field asks for the default.
fn changes(form: &BTreeMap<String, String>, present: &Value) -> Map<String, Value> {
    let mut changes = Map::new();
    for setting in SETTINGS.iter().map(|setting| field(setting, present)) {
        let given = form.get(setting.pointer).map(|text| text.trim()).unwrap_or_default();
        let value = match setting.kind {
            Kind::Flag => Value::Bool(given == "true"),
            _ if given.is_empty() => Value::Null,
            // What is no number is refused by the API, in words.
            Kind::Number(..) => given.parse::<u64>().map_or_else(|_| json!(given), Value::from),
            Kind::Text => json!(given),
        };
        let now = present.pointer(setting.pointer).unwrap_or(&Value::Null);
        let default = present.pointer(&format!("/defaults{}", setting.pointer));
        if value == *now || value.is_null() && Some(now) == default {
            continue;
        }
        match setting.pointer.trim_start_matches('/').split_once('/') {
            Some((outer, inner)) => changes.entry(outer).or_insert(json!({}))[inner] = value,
            None => drop(changes.insert(setting.pointer[1..].to_owned(), value)),
        }
    }
    changes
}

#[derive(Deserialize)]
struct Upgrade {
    #[serde(default)]
    pin: String,
}

/// Lets go of pins: the next build chooses anew.
async fn upgrade_pins(
    Path(app): Path<String>,
    Submitted(visitor, Upgrade { pin }): Submitted<Upgrade>,
) -> Response {
    let body = if pin.is_empty() { json!({}) } else { json!({ "names": [pin] }) };
    let path = ["apps", &app, "pins", "actions", "upgrade"];
    let upgraded = visitor.send(Method::POST, &path, &body).await;
    let said =
        "The next build chooses the newest versions that the source allows, and keeps them from then on.";
    visitor.done(&format!("/apps/{app}/settings"), upgraded.map(|_| said.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::app::AppSettings;

    fn present() -> Value {
        let mut present =
            serde_json::to_value(AppSettings { drain_seconds: 7, ..AppSettings::default() }).unwrap();
        present["defaults"] = serde_json::to_value(AppSettings::default()).unwrap();
        present
    }

    fn as_shown(present: &Value) -> BTreeMap<String, String> {
        SETTINGS.iter().map(|s| field(s, present)).map(|s| (s.pointer.to_owned(), s.value)).collect()
    }

    #[test]
    fn each_field_is_a_setting_and_a_form_sent_back_changes_nothing() {
        let present = present();
        for (pointer, ..) in SETTINGS {
            assert!(present.pointer(pointer).is_some(), "{pointer}");
        }
        assert_eq!(changes(&as_shown(&present), &present), Map::new());
    }

    #[test]
    fn what_differs_is_changed_and_an_empty_field_asks_for_the_default() {
        let present = present();
        let mut form = as_shown(&present);
        form.insert("/drain_seconds".to_owned(), String::new());
        form.insert("/health/path".to_owned(), " /up ".to_owned());
        form.insert("/watch_seconds".to_owned(), "soon".to_owned());
        form.insert("/sticky_sessions".to_owned(), "true".to_owned());
        let expected = json!({
            "drain_seconds": null, "health": { "path": "/up" }, "watch_seconds": "soon", "sticky_sessions": true,
        });
        assert_eq!(Value::Object(changes(&form, &present)), expected);
    }
}
