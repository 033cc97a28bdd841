//! What the fleet stands on, as the server that leads sees it: written down, so that each server counts it in what the platform costs.

use cloud::Site;
use model::cost::Ground;

use crate::platform::Platform;

/// Writes down what the fleet stands on if that is something else than before, unless another server leads.
pub(super) async fn note(platform: &Platform, site: &Site) -> store::Result<()> {
    let balancers = platform.facts.witness().and_then(|witness| witness.balancers());
    // What was adopted is paid for already.
    let balancers = balancers.map(|all| all.iter().filter(|balancer| balancer.ours).count());
    let balancers = balancers.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let before = cloud::find_ground(&mut *platform.store.read().await?).await?;
    let now = seen(before.clone(), site, balancers);
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(()) };
    cloud::set_ground(&mut tx, &now).await?;
    tx.commit().await
}

/// Returns what is there. What nobody knows just now is as it was before, or as it usually is.
fn seen(before: Option<Ground>, site: &Site, balancers: Option<u32>) -> Ground {
    let zones = site.zones.len();
    let before = before.unwrap_or_else(|| Ground::usual(zones));
    let nats = site.nats.unwrap_or(before.nats);
    let disk_gb = site.disk_gb.unwrap_or(before.disk_gb);
    let control = site.control.clone().unwrap_or_else(|| before.control.clone());
    let now = Ground { nats, disk_gb, host_addresses: site.public_addresses, control, ..before };
    match balancers {
        Some(balancers) => now.with_balancers(balancers, zones),
        None => now,
    }
}

#[cfg(test)]
mod tests {
    use model::cost::Control;
    use model::instances::{InstanceType, Room};

    use super::*;

    fn site(nats: Option<u32>) -> Site {
        Site {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            zones: ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).to_vec(),
            image: "ami-1".to_owned(),
            usual: InstanceType { name: "small".to_owned(), offers: Room::default() },
            nats,
            public_addresses: nats == Some(0),
            disk_gb: None,
            control: None,
        }
    }

    #[test]
    fn what_is_seen_counts_and_what_is_not_is_as_it_was() {
        assert_eq!(seen(None, &site(Some(0)), None), Ground::usual(3));
        let two = seen(None, &site(Some(3)), Some(2));
        assert_eq!((two.balancers, two.balancer_addresses), (2, 6));
        assert_eq!((two.nats, two.host_addresses), (3, false));
        assert_eq!(seen(Some(two.clone()), &site(None), None), two);
        assert_eq!(seen(Some(two), &site(Some(0)), Some(1)), Ground::usual(3));
        let control = Control { types: vec!["small".to_owned()], addresses: 1, disk_gb: 20 };
        let with = seen(None, &Site { control: Some(control.clone()), ..site(Some(0)) }, None);
        assert_eq!(
            (&with.control, seen(Some(with.clone()), &site(Some(0)), None).control),
            (&control, control.clone())
        );
    }
}
