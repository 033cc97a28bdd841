//! What the platform and its apps cost a month, and what they may.

pub(crate) mod cap;
pub(crate) mod show;

use model::name::AppName;
use serde_json::{Value, json};

use crate::api::Api;
use crate::screen::Screen;

/// What is said where machines are one's own.
const OWN_MACHINES: &str =
    "This platform runs on machines of your own: they cost what they cost, whatever runs on them.";

/// Says what a change of a formation adds or saves, where that is known. It never keeps the change from being made.
pub(crate) fn quote(screen: &Screen, api: &Api, app: &AppName, updates: &[Value]) {
    let answer = api.post(&format!("/apps/{app}/cost/quote"), &json!({ "updates": updates }));
    if let Some(says) = answer.as_ref().ok().and_then(|answer| answer.body["says"].as_str()) {
        screen.say(says);
    }
}
