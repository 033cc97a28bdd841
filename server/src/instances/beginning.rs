//! How many hosts there are before anybody has said so.

use cloud::Site;
use jiff::SignedDuration;
use model::instances::{Bounds, Settings};
use tracing::info;

use crate::platform::Platform;

/// One in each zone, so that the loss of a zone is no outage, and not so many that a mistake is expensive.
const BOUNDS: Bounds = Bounds { min: 1, max: 3 };

/// Writes down how many there should be, unless that was done before or another server leads.
pub(super) async fn settle(platform: &Platform, site: &Site) -> store::Result<()> {
    if cloud::find_settings(&mut *platform.store.read().await?).await?.is_some() {
        return Ok(());
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    if cloud::find_settings(&mut tx).await?.is_some() {
        return Ok(());
    }
    cloud::set_settings(&mut tx, &settings(site)).await?;
    tx.commit().await?;
    let (Bounds { min, max }, zones) = (BOUNDS, site.zones.len());
    info!(
        "nobody said how many hosts there should be: {min} to {max} of {} in each of {zones} zones",
        site.usual.name
    );
    Ok(())
}

fn settings(site: &Site) -> Settings {
    Settings {
        zones: site.zones.iter().map(|zone| (zone.clone(), BOUNDS)).collect(),
        schedules: Vec::new(),
        types: vec![site.usual.clone()],
        spot: false,
        headroom_percent: 20,
        replaced_per_hour: 6,
        patience: SignedDuration::from_mins(10),
    }
}
