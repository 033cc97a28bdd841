//! How many hosts there are in a zone before anybody has said so.

use cloud::Site;
use jiff::{SignedDuration, Timestamp};
use model::instances::{Bounds, Settings, usual_boot};
use store::FleetEvent;
use tracing::info;

use crate::platform::Platform;

/// One in each zone, so that the loss of a zone is no outage, and not so many that a mistake is expensive.
const BOUNDS: Bounds = Bounds { min: 1, max: 3 };

/// Writes down how many there should be, and the zones that were set up since, unless that was done before or another server leads.
pub(super) async fn settle(platform: &Platform, site: &Site) -> store::Result<()> {
    let known = cloud::find_settings(&mut *platform.store.read().await?).await?;
    if known.is_some_and(|mut known| known.add_zones(&site.zones).is_empty()) {
        return Ok(());
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    let known = cloud::find_settings(&mut tx).await?;
    let is_first = known.is_none();
    let mut settings = known.unwrap_or_else(|| settings(site));
    let new = settings.add_zones(&site.zones);
    for zone in &new {
        let message = format!(
            "hosts can be there now; `paasctl hosts:bounds --zone {zone} --min 1 --max {}` has some started",
            BOUNDS.max
        );
        let event = FleetEvent { at: Timestamp::now(), about: zone.clone(), message };
        store::add_fleet_event(&mut tx, &event).await?;
    }
    cloud::set_settings(&mut tx, &settings).await?;
    tx.commit().await?;
    if is_first {
        let (Bounds { min, max }, zones) = (BOUNDS, site.zones.len());
        info!(
            "nobody said how many hosts there should be: {min} to {max} of {} in each of {zones} zones",
            site.usual.name
        );
    }
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
        boot: usual_boot(),
    }
}
