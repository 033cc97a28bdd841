//! What a platform on a fleet costs, as far as that is decided beforehand: by the formations of its apps and by what was
//! decided about the fleet. What runs at a moment, and what a cloud bills in the end, is for others.
//!
//! An app is counted with its share of hosts of the preferred type, on demand, whether or not they are there: so the same
//! formation costs the same, whoever asks and whatever else runs.

use std::collections::BTreeMap;

use super::{Ground, Money, Prices, RegionPrices};
use crate::formation::Formation;
use crate::id::AppId;
use crate::instances::{Budget, Pool, Room, Settings, Sizes};
use crate::name::AppName;
use crate::size::Size;

/// Parts of a host, so that shares are whole numbers.
const PARTS: u64 = 1_000_000;

/// All that decides what a platform costs.
#[derive(Clone, Debug)]
pub struct Costs {
    /// What was decided about the fleet.
    pub settings: Settings,
    /// What it stands on.
    pub ground: Ground,
    /// What each app wants to run.
    pub apps: BTreeMap<AppId, (AppName, Formation)>,
    /// What each app, and with nothing in place of one the platform, may cost a month.
    pub caps: BTreeMap<Option<AppId>, Money>,
}

/// Why it is not known what something costs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// The table has no prices of the region.
    #[error("there are no prices of {0}")]
    Region(String),
    /// The table has no price of the type.
    #[error("there is no price of {0} in {1}")]
    Type(String, String),
    /// The fleet has no zone or no type.
    #[error("the fleet has no zone, or no type of instance")]
    Nothing,
}

/// What a platform costs a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Without any host.
    pub ground: Money,
    /// One more host of the preferred type.
    pub host: Money,
    /// With the fewest hosts at the busiest time.
    pub at_least: Money,
    /// With as many hosts as the formations of all apps need, and what is kept free beside them.
    pub claimed: Money,
}

impl Estimate {
    /// Returns what is decided to be paid, which is what the platform's cap is held against.
    #[must_use]
    pub fn committed(&self) -> Money {
        self.at_least.max(self.claimed)
    }
}

/// Returns which part of a host of this room a replica claims, in millionths: of memory or processor, whichever is more.
#[must_use]
pub fn share(size: Size, offers: Room) -> u64 {
    let of = |claimed: u64, offered: u64| (claimed * PARTS).div_ceil(offered.max(1));
    of(size.memory_mb(), offers.memory_mb).max(of(size.cpu_millicores(), offers.cpu_millicores))
}

impl Costs {
    /// Returns the prices of the fleet's region.
    ///
    /// # Errors
    /// There are none.
    pub fn region<'a>(&self, prices: &'a Prices) -> Result<(&'a str, &'a RegionPrices), NoPrice> {
        let zone = self.settings.zones.keys().next().ok_or(NoPrice::Nothing)?;
        prices.of_zone(zone).ok_or_else(|| NoPrice::Region(zone.clone()))
    }

    /// Returns what a host of a type costs a month, with all that it takes with it.
    ///
    /// # Errors
    /// Its price is not known.
    pub fn host(&self, instance_type: &str, prices: &Prices) -> Result<Money, NoPrice> {
        let (region, prices) = self.region(prices)?;
        let bill = self.ground.host(instance_type, prices);
        bill.map(|bill| bill.per_month())
            .ok_or_else(|| NoPrice::Type(instance_type.to_owned(), region.to_owned()))
    }

    /// Returns what a formation costs a month: its share of hosts of the preferred type.
    ///
    /// # Errors
    /// The type's price is not known.
    pub fn formation(&self, formation: &Formation, prices: &Prices) -> Result<Money, NoPrice> {
        let preferred = self.settings.types.first().ok_or(NoPrice::Nothing)?;
        let host = self.host(&preferred.name, prices)?;
        Ok(host.share(self.parts(formation), PARTS))
    }

    /// Returns what an app costs a month; nothing for one that is not there.
    ///
    /// # Errors
    /// The preferred type's price is not known.
    pub fn app(&self, app: AppId, prices: &Prices) -> Result<Money, NoPrice> {
        self.apps.get(&app).map_or(Ok(Money::ZERO), |(_, formation)| self.formation(formation, prices))
    }

    pub(super) fn parts(&self, formation: &Formation) -> u64 {
        let offers = self.settings.types.first().map(|preferred| preferred.offers).unwrap_or_default();
        formation.values().map(|scale| share(scale.size, offers) * u64::from(scale.quantity)).sum()
    }

    /// Returns what all of it costs a month, as far as that is decided.
    ///
    /// # Errors
    /// The preferred type's price is not known.
    pub fn estimate(&self, prices: &Prices) -> Result<Estimate, NoPrice> {
        let preferred = self.settings.types.first().ok_or(NoPrice::Nothing)?;
        let host = self.host(&preferred.name, prices)?;
        let ground = self.ground.bill(self.region(prices)?.1).per_month();
        let (least, claimed) = (self.least(), self.hosts());
        Ok(Estimate {
            ground,
            host,
            at_least: ground + host.times(least),
            claimed: ground + host.times(claimed),
        })
    }

    /// Returns what the most hosts cost a month, all of the dearest type, as if there were no cap.
    ///
    /// # Errors
    /// A type's price is not known.
    pub fn at_most(&self, prices: &Prices) -> Result<Money, NoPrice> {
        let hosts = self.settings.types.iter().map(|known| self.host(&known.name, prices));
        let dearest = hosts.collect::<Result<Vec<_>, _>>()?.into_iter().max().ok_or(NoPrice::Nothing)?;
        let most: u64 = self.settings.zones.values().map(|bounds| u64::from(bounds.max)).sum();
        Ok(self.ground.bill(self.region(prices)?.1).per_month() + dearest.times(most))
    }

    /// Returns what the platform's cap leaves for hosts, of these pools and of those that may be chosen; nothing without a cap.
    #[must_use]
    pub fn budget<'a>(&self, pools: impl Iterator<Item = &'a Pool>, prices: &Prices) -> Option<Budget> {
        let cap = *self.caps.get(&None)?;
        let types =
            pools.map(|pool| &pool.instance_type).chain(self.settings.types.iter().map(|known| &known.name));
        let priced = types.filter_map(|name| Some((name.clone(), self.host(name, prices).ok()?)));
        // Without prices of the region none is left.
        let hosts =
            self.region(prices).map_or(Money::ZERO, |(_, prices)| cap - self.ground.bill(prices).per_month());
        Some(Budget { hosts, cap, prices: priced.collect() })
    }

    /// Returns the fewest hosts at the busiest time.
    fn least(&self) -> u64 {
        self.settings.zones.keys().map(|zone| u64::from(self.settings.busiest_min(zone))).sum()
    }

    /// Returns how many hosts of the preferred type all formations need, with what is kept free beside them: packed as the
    /// fleet packs them. What is too large for any waits, and needs none.
    fn hosts(&self) -> u64 {
        let offers = self.settings.types.first().map(|preferred| preferred.offers).unwrap_or_default();
        let mut left = Sizes::default();
        for scale in self.apps.values().flat_map(|(_, formation)| formation.values()) {
            left.add_many(scale.size, scale.quantity);
        }
        left.extend(&left.share(self.settings.headroom_percent));
        Size::ALL.into_iter().filter(|size| offers.takes(*size) == 0).for_each(|size| left.forget(size));
        let mut hosts = 0;
        while !left.is_empty() {
            left.pour_into(offers);
            hosts += 1;
        }
        hosts
    }

    /// Returns which parts of hosts all formations claim.
    fn claimed(&self) -> u64 {
        self.apps.values().map(|(_, formation)| self.parts(formation)).sum()
    }

    /// Tells whether nothing costs more than before, whatever the prices are.
    pub(super) fn is_no_more_than(&self, before: &Self) -> bool {
        let of = |costs: &Self| {
            (costs.settings.types.clone(), costs.settings.headroom_percent, costs.ground.clone())
        };
        of(self) == of(before) && self.least() <= before.least() && self.claimed() <= before.claimed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::formation::Scale;
    use crate::instances::{Bounds, Change};

    pub(in crate::cost) fn shop() -> AppId {
        "01980000-0000-7000-8000-000000000001".parse().unwrap()
    }

    pub(in crate::cost) fn formation(quantity: u32) -> Formation {
        [("web".parse().unwrap(), Scale { quantity, size: Size::Standard1X })].into()
    }

    /// Three zones of m7g.large, of which one costs $66.42 with its disk and its address, and one app without replicas.
    pub(in crate::cost) fn costs() -> Costs {
        let zones = ["us-east-1a", "us-east-1b", "us-east-1c"];
        let settings = Settings {
            zones: zones.map(|zone| (zone.to_owned(), Bounds { min: 0, max: 3 })).into(),
            schedules: Vec::new(),
            types: vec!["m7g.large".parse().unwrap(), "m7g.2xlarge".parse().unwrap()],
            spot: false,
            headroom_percent: 10,
            replaced_per_hour: 6,
            patience: jiff::SignedDuration::from_mins(10),
            boot: crate::instances::usual_boot(),
        };
        let apps = [(shop(), ("shop".parse().unwrap(), formation(0)))].into();
        Costs { settings, ground: Ground::usual(3), apps, caps: BTreeMap::new() }
    }

    #[test]
    fn a_replica_costs_its_share_of_a_host_by_what_it_claims_more_of() {
        let offers = Room { memory_mb: 7_618, cpu_millicores: 2_000 };
        assert_eq!(share(Size::Standard1X, offers), 67_210, "512 of 7,618 MB");
        let narrow = Room { memory_mb: 100_000, cpu_millicores: 1_000 };
        assert_eq!(share(Size::Standard1X, narrow), 100_000, "a tenth of a core");
        assert!(share(Size::PerformanceL, offers) > PARTS, "more than there is");
    }

    #[test]
    fn what_is_decided_is_the_ground_and_the_hosts_that_are_kept_or_needed() {
        let prices = Prices::built_in();
        let mut costs = costs();
        let estimate = costs.estimate(&prices).unwrap();
        // 730 h of 0.0225 and of three addresses at 0.005; 730 h of 0.0816 and 0.005, 40 GB at 0.08.
        assert_eq!(
            (estimate.ground.to_string(), estimate.host.to_string()),
            ("$27.38".into(), "$66.42".into())
        );
        assert_eq!(estimate.committed(), estimate.ground);
        costs.apps.get_mut(&shop()).unwrap().1 = formation(14);
        let claimed = costs.estimate(&prices).unwrap();
        assert_eq!(claimed.committed(), claimed.ground + claimed.host.times(2), "and what is kept free");
        let schedule = Change::Schedule(
            crate::instances::Schedule::new("daily 8-20".parse().unwrap(), "UTC", 1).unwrap(),
        );
        costs.settings = costs.settings.changed(schedule).unwrap();
        let kept = costs.estimate(&prices).unwrap();
        assert_eq!(
            kept.committed(),
            kept.ground + kept.host.times(3),
            "one in each zone at the busiest time"
        );
        assert_eq!(costs.at_most(&prices).unwrap().to_string(), "$2233.47", "nine of the dearest type");
    }

    #[test]
    fn without_a_price_it_says_of_what() {
        let prices = Prices::built_in();
        let mut costs = costs();
        costs.settings.types[0].name = "x9.huge".to_owned();
        let error = costs.estimate(&prices).unwrap_err();
        assert_eq!(error.to_string(), "there is no price of x9.huge in us-east-1");
        costs.settings.zones = [("mars-1a".to_owned(), Bounds { min: 0, max: 1 })].into();
        assert_eq!(costs.estimate(&prices), Err(NoPrice::Region("mars-1a".to_owned())));
    }
}
