//! What apps and the fleet cost, and whether a cap forbids a change. It is read and judged in the transaction that makes the
//! change: of many at once none goes by what another is about to change.

use model::cost::Costs;
use model::formation::Formation;
use store::{App, Db};

use crate::deploy::ChangeError;
use crate::fleet_source::FleetSource;
use crate::platform::Platform;

/// Returns all that decides what the platform costs; nothing where there is no fleet, or nothing was decided about it yet.
///
/// # Errors
/// A database that fails.
pub async fn find(platform: &Platform, db: &mut Db) -> store::Result<Option<Costs>> {
    match platform.options.fleet {
        FleetSource::None => Ok(None),
        FleetSource::Aws(_) => cloud::find_costs(db).await,
    }
}

/// Judges a formation that an app is about to have.
///
/// # Errors
/// It would cost more than the app, or the platform, may.
pub(crate) async fn judge(
    platform: &Platform,
    db: &mut Db,
    app: &App,
    formation: &Formation,
) -> Result<(), ChangeError> {
    let Some(before) = find(platform, db).await? else { return Ok(()) };
    let mut after = before.clone();
    after.apps.insert(app.id, (app.name.clone(), formation.clone()));
    Ok(after.judge(&before, &platform.options.prices)?)
}
