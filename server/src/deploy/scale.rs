//! Scaling: the wanted quantity and size of process types.

use std::collections::BTreeMap;

use fail_point::Step;
use model::formation::{Formation, Quantity, Scale};
use model::name::ProcessType;
use model::size::Size;
use model::wording::did_you_mean;
use store::App;

use super::change::ChangeError;
use crate::actor::Actor;
use crate::costs;
use crate::platform::Platform;

/// A change to one process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleUpdate {
    /// Which type.
    pub process: ProcessType,
    /// How many, if that changes.
    pub quantity: Option<Quantity>,
    /// How large, if that changes.
    pub size: Option<Size>,
}

/// Changes the formation, all updates or none. Returns the whole formation.
///
/// # Errors
/// A type the app does not have; a quantity beyond the bounds; more than the app or the platform may cost.
pub async fn scale(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    updates: &[ScaleUpdate],
) -> Result<Formation, ChangeError> {
    let mut tx = platform.store.write().await?;
    let before = store::find_formation(&mut tx, app.id).await?;
    let after = updated(app, &before, updates)?;
    costs::judge(platform, &mut tx, app, &after).await?;
    let changed: BTreeMap<&ProcessType, &Scale> =
        after.iter().filter(|(process, scale)| before.get(*process) != Some(*scale)).collect();
    for (process, scale) in &changed {
        store::set_scale(&mut tx, app.id, process, **scale).await?;
        if before.get(*process).is_some_and(|old| old.size != scale.size) {
            for replica in
                store::list_replicas(&mut tx, app.id).await?.iter().filter(|r| r.process == **process)
            {
                store::set_replace(&mut tx, replica.id, true).await?;
            }
        }
    }
    let words: Vec<String> = changed.iter().map(|(p, s)| format!("{p}@{}:{}", s.quantity, s.size)).collect();
    tx.commit().await?;
    fail_point::reach(Step::Scaled);
    if !words.is_empty() {
        platform.logs.event(app.id, "api", None, format!("Scaled to {} by {}", words.join(" "), actor.email));
        platform.wished();
    }
    Ok(after)
}

/// Returns the formation with all updates.
///
/// # Errors
/// A type the app does not have; a quantity beyond the bounds.
pub fn updated(app: &App, before: &Formation, updates: &[ScaleUpdate]) -> Result<Formation, ChangeError> {
    let mut after = before.clone();
    for update in updates {
        let scale = after.get_mut(&update.process).ok_or_else(|| unknown(app, &update.process, before))?;
        if let Some(quantity) = update.quantity {
            scale.quantity = quantity.applied_to(scale.quantity).map_err(|error| {
                ChangeError::invalid(error.to_string(), "`paasctl ps` shows the formation")
            })?;
        }
        scale.size = update.size.unwrap_or(scale.size);
    }
    Ok(after)
}

fn unknown(app: &App, process: &ProcessType, formation: &Formation) -> ChangeError {
    let types: Vec<&str> = formation.keys().map(ProcessType::as_str).collect();
    let message = format!("{} has no process type `{process}`", app.name);
    let hint = match (did_you_mean(process.as_str(), types.iter().copied()), types.as_slice()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "process types come with the first deploy: `git push paas main`".to_owned(),
        (None, types) => format!("it has {}; a Procfile adds others", types.join(", ")),
    };
    ChangeError::NotFound { message, hint: Some(hint) }
}
