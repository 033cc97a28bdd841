//! What people are told when the cloud does not say what was set up for hosts.

use cloud::Causes;
use jiff::Timestamp;
use store::FleetEvent;
use tracing::warn;

use crate::platform::Platform;

/// Says why, in the events of the fleet when that is another reason than before, and to those whose replicas wait for a host.
/// `is_known` tells that it was found before, which serves as long as it is not found again.
pub(super) async fn tell(platform: &Platform, causes: &mut Causes, is_known: bool, why: &str) {
    let what = if is_known {
        "what was set up for hosts cannot be looked at, and is taken for unchanged"
    } else {
        platform.outlook.set_instances(Some(format!("waits for an instance, of which none comes: {why}")));
        "what was set up for hosts is not found, so that none is started"
    };
    if !causes.is_news("site", why, Timestamp::now()) {
        return;
    }
    if let Err(error) = write(platform, &format!("{what}: {why}")).await {
        warn!(%error, "that what was set up for hosts is not found is not written down");
    }
}

/// Writes it down if this server leads.
async fn write(platform: &Platform, says: &str) -> store::Result<()> {
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    let (about, message) = ("set-up".to_owned(), model::wording::plain(says, 500));
    store::add_fleet_event(&mut tx, &FleetEvent { at: Timestamp::now(), about, message }).await?;
    tx.commit().await
}
