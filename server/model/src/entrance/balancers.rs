//! Which balancer has which app. Each has room for so many groups, rules and targets; an app stays where it is for as long as it
//! fits there, since its visitors' DNS records point at that balancer.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::AppId;
use crate::name::Hostname;

use super::rules::rules_needed;

/// How much a balancer holds. These are `ELBv2`'s defaults, of which rules can be raised on request and groups cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Target groups.
    pub groups: usize,
    /// Rules that lead to apps.
    pub rules: usize,
    /// Targets.
    pub targets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Of 100 rules some are kept for names of apps in maintenance, five names each.
        Self { groups: 100, rules: 95, targets: 1_000 }
    }
}

/// How much of a limit may be used by apps that come: what is there may grow into the rest.
const NEAR_PERCENT: usize = 80;

/// A shared balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its name.
    pub name: String,
    /// Rules on it that are not ours.
    pub other_rules: usize,
    /// Groups on it that are not ours.
    pub other_groups: usize,
}

/// What an app shows to visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Whose it is.
    pub app: AppId,
    /// The names under which it answers.
    pub hosts: BTreeSet<Hostname>,
    /// The most targets it may have at once, a rollout included.
    pub targets: usize,
    /// The balancer that it is on.
    pub on: Option<String>,
}

/// Where an app is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// On which balancer.
    pub balancer: String,
    /// Why it is not where it was, as a sentence.
    pub moved: Option<String>,
}

/// Where all apps are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharding {
    /// Those that have a place.
    pub places: BTreeMap<AppId, Place>,
    /// Those for which no balancer has room: another one is needed.
    pub without: BTreeSet<AppId>,
}

#[derive(Clone, Copy, Default)]
struct Load {
    groups: usize,
    rules: usize,
    targets: usize,
}

impl Load {
    fn and(self, other: Self) -> Self {
        Self {
            groups: self.groups + other.groups,
            rules: self.rules + other.rules,
            targets: self.targets + other.targets,
        }
    }

    fn within(self, limits: Limits, percent: usize) -> bool {
        let within = |load: usize, limit: usize| load * 100 <= limit * percent;
        within(self.groups, limits.groups)
            && within(self.rules, limits.rules)
            && within(self.targets, limits.targets)
    }
}

fn load_of(front: &Front) -> Load {
    Load { groups: 1, rules: rules_needed(&front.hosts), targets: front.targets }
}

/// Gives each app its place: those that have one keep it while the balancer is there and holds them; the others go, in the order
/// of their ids, to the first balancer that is not nearly full, or else to one that has room at all.
#[must_use]
pub fn shard(fronts: &[Front], balancers: &[Balancer], limits: Limits) -> Sharding {
    let mut loads: BTreeMap<&str, Load> = BTreeMap::new();
    for balancer in balancers {
        let (groups, rules) = (balancer.other_groups, balancer.other_rules);
        loads.insert(&balancer.name, Load { groups, rules, targets: 0 });
    }
    let mut sharding = Sharding::default();
    let mut fronts: Vec<&Front> = fronts.iter().collect();
    fronts.sort_by_key(|front| front.app);
    let mut homeless = Vec::new();
    for front in fronts {
        let kept = front.on.as_deref().and_then(|name| Some((name, loads.get_mut(name)?)));
        match kept {
            Some((name, load)) if load.and(load_of(front)).within(limits, 100) => {
                *load = load.and(load_of(front));
                sharding.places.insert(front.app, Place { balancer: name.to_owned(), moved: None });
            }
            Some((name, _)) => {
                homeless.push((front, Some(format!("{name} has no room for all its names and replicas"))))
            }
            None => homeless
                .push((front, front.on.as_ref().map(|name| format!("there is no balancer {name} any more")))),
        }
    }
    for (front, moved) in homeless {
        let room = |percent: usize| {
            let fits = |balancer: &&Balancer| {
                loads[balancer.name.as_str()].and(load_of(front)).within(limits, percent)
            };
            balancers.iter().find(fits).map(|balancer| balancer.name.as_str())
        };
        let Some(name) = room(NEAR_PERCENT).or_else(|| room(100)) else {
            sharding.without.insert(front.app);
            continue;
        };
        let load = loads.entry(name).or_default();
        *load = load.and(load_of(front));
        sharding.places.insert(front.app, Place { balancer: name.to_owned(), moved });
    }
    sharding
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn front(n: u128, names: usize, targets: usize) -> Front {
        let hosts = (0..names).map(|m| format!("h{m}.a{n}.example.com").parse().unwrap()).collect();
        Front { app: AppId(Uuid::from_u128(n)), hosts, targets, on: None }
    }

    fn balancers(count: usize) -> Vec<Balancer> {
        let one = |n| Balancer { name: format!("paas-{n}"), other_rules: n, other_groups: 0 };
        (0..count).map(one).collect()
    }

    fn settle(fronts: &mut [Front], sharding: &Sharding) {
        for front in fronts {
            front.on = sharding.places.get(&front.app).map(|place| place.balancer.clone());
        }
    }

    #[test]
    fn apps_go_to_the_next_balancer_when_one_is_nearly_full_and_wait_when_all_are() {
        let mut fronts: Vec<Front> = (0..250).map(|n| front(n, 2, 4)).collect();
        let sharding = shard(&fronts, &balancers(2), Limits::default());
        let on = |name: &str| sharding.places.values().filter(|place| place.balancer == name).count();
        assert_eq!((on("paas-0"), on("paas-1"), sharding.without.len()), (95, 94, 61));
        settle(&mut fronts, &sharding);
        let sharding = shard(&fronts, &balancers(3), Limits::default());
        assert_eq!(sharding.without.len(), 0);
        assert!(sharding.places.values().all(|place| place.moved.is_none()));
    }

    #[test]
    fn an_app_moves_when_its_balancer_holds_it_no_more_and_says_why() {
        let mut fronts: Vec<Front> = (0..76).map(|n| front(n, 5, 10)).collect();
        let sharding = shard(&fronts, &balancers(2), Limits::default());
        settle(&mut fronts, &sharding);
        fronts[75] = Front { on: fronts[75].on.clone(), ..front(75, 125, 10) };
        let place = shard(&fronts, &balancers(2), Limits::default()).places.remove(&fronts[75].app).unwrap();
        assert_eq!(place.balancer, "paas-1");
        assert_eq!(place.moved.unwrap(), "paas-0 has no room for all its names and replicas");
        fronts[0].on = Some("paas-9".to_owned());
        let place = shard(&fronts, &balancers(2), Limits::default()).places.remove(&fronts[0].app).unwrap();
        assert_eq!(place.moved.unwrap(), "there is no balancer paas-9 any more");
    }

    proptest! {
        #[test]
        fn limits_hold_and_nobody_who_fits_moves(
            sizes in prop::collection::vec((1usize..20, 1usize..80), 1..150),
            later in prop::collection::vec((0usize..150, 1usize..20, 1usize..80), 0..20),
            count in 1usize..5,
        ) {
            let mut fronts: Vec<Front> = (0u128..).zip(sizes).map(|(n, (names, targets))| front(n, names, targets)).collect();
            let limits = Limits::default();
            let first = shard(&fronts, &balancers(count), limits);
            settle(&mut fronts, &first);
            let before = fronts.clone();
            for (at, names, targets) in later {
                if let Some(one) = fronts.get_mut(at) {
                    *one = Front { on: one.on.clone(), ..front(one.app.0.as_u128(), names, targets) };
                }
            }
            let second = shard(&fronts, &balancers(count), limits);
            for (fronts, sharding) in [(&before, &first), (&fronts, &second)] {
                prop_assert_eq!(sharding.places.len() + sharding.without.len(), fronts.len());
                for balancer in balancers(count) {
                    let here = fronts.iter().filter(|front| {
                        sharding.places.get(&front.app).is_some_and(|place| place.balancer == balancer.name)
                    });
                    let load = here.map(load_of).fold(Load::default(), Load::and);
                    prop_assert!(load.rules + balancer.other_rules <= limits.rules);
                    prop_assert!(load.groups <= limits.groups && load.targets <= limits.targets);
                }
            }
            if before == fronts {
                prop_assert!(second.places.values().all(|place| place.moved.is_none()));
                prop_assert_eq!(second.without, first.without);
            }
        }
    }
}
