//! What was decided about the fleet beforehand: how many hosts in each zone, of which types, and how fast they change.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pool::{Lifecycle, Pool};
use super::room::Room;
use super::schedule::Schedule;

/// The fewest and the most hosts of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// So many are there although nothing needs them.
    pub min: u32,
    /// There are never more, whatever needs them.
    pub max: u32,
}

/// A type of instance, and what one of it offers to replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceType {
    /// Its name, such as `m7g.large`.
    pub name: String,
    /// What one offers.
    pub offers: Room,
}

/// What was decided about the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The zones.
    pub zones: BTreeMap<String, Bounds>,
    /// Times at which more are kept.
    pub schedules: Vec<Schedule>,
    /// The types, the preferred first.
    pub types: Vec<InstanceType>,
    /// Whether spot instances are tried first.
    pub spot: bool,
    /// How much is kept free, in hundredths of what replicas claim.
    pub headroom_percent: u32,
    /// The most hosts that are replaced within an hour.
    pub replaced_per_hour: u32,
    /// How long fewer hosts must suffice before one goes.
    pub patience: SignedDuration,
    /// How long an instance may take until a host joined from it, from the last time that it was asked for: a cloud that takes no orders for
    /// a while has not given it before.
    #[serde(default = "usual_boot")]
    pub boot: SignedDuration,
}

/// How long an instance may take to become a host unless somebody says otherwise.
#[must_use]
pub fn usual_boot() -> SignedDuration {
    SignedDuration::from_mins(10)
}

impl Settings {
    /// Returns the bounds of a zone at a moment; nothing where no host should be.
    #[must_use]
    pub fn bounds(&self, zone: &str, now: Timestamp) -> Bounds {
        let Some(bounds) = self.zones.get(zone) else { return Bounds { min: 0, max: 0 } };
        let scheduled =
            self.schedules.iter().filter(|schedule| schedule.is_on(now)).map(|schedule| schedule.min);
        let min = scheduled.fold(bounds.min, u32::max).min(bounds.max);
        Bounds { min, max: bounds.max }
    }

    /// Returns what an instance of a pool offers.
    #[must_use]
    pub fn offers(&self, pool: &Pool) -> Option<Room> {
        self.types.iter().find(|known| known.name == pool.instance_type).map(|known| known.offers)
    }

    /// Returns the pools of a zone in the order in which they are tried: spot before on-demand, then by preference.
    pub fn pools<'a>(&'a self, zone: &'a str) -> impl Iterator<Item = (Pool, Room)> + 'a {
        let spot = self.spot.then_some(Lifecycle::Spot);
        spot.into_iter().chain([Lifecycle::OnDemand]).flat_map(move |lifecycle| {
            self.types.iter().map(move |known| {
                let pool = Pool { zone: zone.to_owned(), instance_type: known.name.clone(), lifecycle };
                (pool, known.offers)
            })
        })
    }

    /// Returns how late in the order of preference a pool is.
    #[must_use]
    pub fn rank(&self, pool: &Pool) -> usize {
        self.pools(&pool.zone).position(|(known, _)| known == *pool).unwrap_or(usize::MAX)
    }
}
