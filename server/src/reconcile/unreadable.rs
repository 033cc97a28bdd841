//! Releases that cannot be read: what runs of them goes on, nothing new of them is started, and their owners and the
//! server's log are told once.

use std::collections::BTreeMap;

use model::id::AppId;
use model::plan::Action;
use model::release::Version;
use store::DesiredApp;
use tracing::{error, info};

use crate::platform::Platform;

/// What was told last.
#[derive(Default)]
pub(super) struct Unreadable {
    told: BTreeMap<(AppId, Version), String>,
}

impl Unreadable {
    /// Tells of releases that have become unreadable, and of those that can be read again.
    pub(super) fn tell(&mut self, platform: &Platform, apps: &[DesiredApp]) {
        let now = all(apps);
        for ((app, version), why) in now.iter().filter(|(key, why)| self.told.get(key) != Some(why)) {
            error!(app.id = %app, release = %version, "a release cannot be read; what runs of it goes on: {why}");
            let text =
                format!("{version} cannot be read; what runs of it goes on, nothing new is started: {why}");
            platform.logs.event(*app, "platform", Some(*version), text);
        }
        for (app, version) in self.told.keys().filter(|key| !now.contains_key(key)) {
            info!(app.id = %app, release = %version, "no unreadable release is needed any more");
        }
        self.told = now;
    }
}

fn all(apps: &[DesiredApp]) -> BTreeMap<(AppId, Version), String> {
    let of_app = |desired: &DesiredApp| {
        let app = desired.app.id;
        desired
            .unreadable
            .iter()
            .map(move |(version, why)| ((app, *version), why.clone()))
            .collect::<Vec<_>>()
    };
    apps.iter().flat_map(of_app).collect()
}

/// Ends the rollout of what cannot be read, and takes back what would start it.
pub(super) fn amend(apps: &[DesiredApp], actions: &mut Vec<Action>) {
    let unreadable = all(apps);
    if unreadable.is_empty() {
        return;
    }
    actions.retain(|action| match action {
        Action::Create(new) => !unreadable.contains_key(&(new.app, new.version)),
        _ => true,
    });
    for desired in apps.iter().filter(|desired| desired.app.deleted_at.is_none()) {
        let Some(operation) = &desired.operation else { continue };
        if let Some(why) = desired.unreadable.get(&operation.version) {
            actions.push(Action::Fail(operation.id, format!("the release cannot be read: {why}")));
        }
    }
}
