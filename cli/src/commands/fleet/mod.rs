//! What a fleet is told: how many hosts, of which types, when; and what it did. A platform without one says so.

pub(crate) mod bounds;
pub(crate) mod events;
pub(crate) mod headroom;
pub(crate) mod patience;
pub(crate) mod schedule;
pub(crate) mod show;
pub(crate) mod spot;
pub(crate) mod types;
pub(crate) mod unschedule;

use serde_json::Value;

use crate::api::fleet::FleetSettings;
use crate::api::read;
use crate::context::{Context, JsonOption};
use crate::error::Result;

/// What is said where hosts are added by hand.
const NO_FLEET: &str = "This platform has no fleet; its hosts are added by `paasctl hosts:add`.";

/// Says what a change would cost, makes it, and says what holds from then on.
fn change(
    context: &Context,
    json: JsonOption,
    body: &Value,
    says: impl FnOnce(&FleetSettings) -> String,
) -> Result<()> {
    let api = context.api()?;
    if let Some(says) = api.post("/fleet/quote", body)?.body["says"].as_str() {
        context.screen.say(says);
    }
    let body = api.patch("/fleet", body)?.body;
    context.screen.say(&says(&read(&body)?));
    json.print(context, &body)
}
