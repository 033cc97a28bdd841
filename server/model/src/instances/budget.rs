//! Keeps the fleet within what it may cost: no more is started than there is money for, whatever needs it. Nothing is ended
//! because of it, so that a lower cap takes nothing away that serves.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::grow::{self, FULL};
use super::pool::{Lack, Lifecycle, Scope};
use super::replace::NO_REPLACEMENT;
use super::view::{Instance, View};
use super::{Action, Alarm, Decision, decide};
use crate::cost::Money;
use crate::id::LaunchId;

/// What hosts may cost a month, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For hosts.
    pub hosts: Money,
    /// The platform's cap, of which that is left without hosts, for sentences.
    pub cap: Money,
    /// What a host of each type costs, spot ones at most; a type that is not here is not started.
    pub prices: BTreeMap<String, Money>,
}

/// Decides as [`decide`] does, and starts nothing that costs more than the budget allows.
#[must_use]
pub fn decide_within(view: &View, budget: &Budget) -> Decision {
    let bounded = budget.bound(view);
    let mut decision = decide(&bounded);
    let spent_up = budget.refuse(view, &mut decision);
    if spent_up && view.settings.zones != bounded.settings.zones {
        budget.explain(view, &mut decision);
    }
    decision
}

impl Budget {
    /// Returns what instances cost a month, as far as that is known.
    fn spent<'a>(&self, mut on: impl Iterator<Item = &'a Instance>) -> Option<Money> {
        on.try_fold(Money::ZERO, |sum, one| Some(sum + *self.prices.get(&one.pool.instance_type)?))
    }

    /// Returns the same view with so few allowed in each zone that decisions are made within the budget: what is there, and
    /// what there is money for, shared out to the zones that have the fewest. Zones from which nothing comes just now wait.
    fn bound(&self, view: &View) -> View {
        let spent = self.spent(view.instances.iter().filter(|one| one.may_exist()));
        let mut bounded = view.clone();
        bounded.lacks.extend(self.too_dear(view, spent.map_or(Money::ZERO, |spent| self.hosts - spent)));
        let existing = |zone: &String| {
            let here = |one: &&Instance| one.pool.zone == *zone && one.may_exist();
            u32::try_from(view.instances.iter().filter(here).count()).unwrap_or(u32::MAX)
        };
        let mut zones: Vec<(bool, u32, String)> = view
            .settings
            .zones
            .keys()
            .map(|zone| (grow::is_unfit(&bounded, zone), existing(zone), zone.clone()))
            .collect();
        for (_, count, zone) in &zones {
            if let Some(bounds) = bounded.settings.zones.get_mut(zone) {
                bounds.max = bounds.max.min(*count);
            }
        }
        for _ in 0..spent.map_or(0, |spent| self.more(view, spent)) {
            zones.sort();
            let full = |zone: &str| bounded.settings.zones[zone].max >= view.settings.zones[zone].max;
            let Some(at) = zones.iter().position(|(_, _, zone)| !full(zone)) else { break };
            zones[at].1 += 1;
            if let Some(bounds) = bounded.settings.zones.get_mut(&zones[at].2) {
                bounds.max += 1;
            }
        }
        bounded
    }

    /// Returns how many more of the cheapest type there is money for when so much is spent.
    fn more(&self, view: &View, spent: Money) -> u64 {
        let prices = view.settings.types.iter().filter_map(|known| self.prices.get(&known.name));
        prices.min().map_or(0, |price| (self.hosts - spent).whole(*price))
    }

    /// Returns what is not to be had for the money that is left: others are tried in its place, as where a cloud lacks it.
    fn too_dear(&self, view: &View, left: Money) -> Vec<Lack> {
        let is_dear = |name: &str| self.prices.get(name).is_none_or(|price| *price > left);
        let dear = view.settings.types.iter().filter(|known| is_dear(&known.name));
        let lack = |instance_type: &String, lifecycle| Lack {
            of: Scope::Type { instance_type: instance_type.clone(), lifecycle },
            reason: format!("the platform's cap of {} a month has no room for {instance_type}", self.cap),
            until: view.now + SignedDuration::from_mins(1),
        };
        dear.flat_map(|known| {
            [Lifecycle::Spot, Lifecycle::OnDemand].map(|lifecycle| lack(&known.name, lifecycle))
        })
        .collect()
    }

    /// Takes back launches that the money is not enough for, at the price of the pool that was chosen. Tells whether there is
    /// none left for another host.
    fn refuse(&self, view: &View, decision: &mut Decision) -> bool {
        let gone: Vec<LaunchId> = decision
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Forget { launch, .. } => Some(*launch),
                _ => None,
            })
            .collect();
        let stays = |one: &&Instance| one.may_exist() && !gone.contains(&one.launch);
        let mut spent = self.spent(view.instances.iter().filter(stays));
        let mut refused = false;
        decision.actions.retain(|action| {
            let Action::Launch { pool, .. } = action else { return true };
            let price = self.prices.get(&pool.instance_type);
            let after =
                spent.zip(price).map(|(spent, price)| spent + *price).filter(|after| *after <= self.hosts);
            refused |= after.is_none();
            spent = after.or(spent);
            after.is_some()
        });
        refused || spent.is_none_or(|spent| self.more(view, spent) == 0)
    }

    /// Says that it is the cap, where it would be said that zones are full.
    fn explain(&self, view: &View, decision: &mut Decision) {
        let is_lack = |alarm: &Alarm| alarm.about == FULL || alarm.about == NO_REPLACEMENT;
        let before = decision.alarms.len();
        decision.alarms.retain(|alarm| !is_lack(alarm));
        if decision.alarms.len() < before {
            decision.alarms.push(Alarm { about: "the cap".to_owned(), says: self.reason(view) });
            decision.alarms.sort();
        }
    }

    fn reason(&self, view: &View) -> String {
        let there = view.instances.iter().filter(|one| one.may_exist()).map(|one| &one.pool.instance_type);
        let preferred = view.settings.types.first().map(|known| &known.name);
        match there.chain(preferred).find(|name| !self.prices.contains_key(*name)) {
            Some(unknown) => format!(
                "the platform's cap of {} a month cannot be held, since there is no price of {unknown}: no instance is \
                 started until `paasd serve --prices FILE` has it",
                self.cap
            ),
            None => format!(
                "the platform's cap of {} a month allows no more instances; `paasctl cost` shows what is paid for, and \
                 `paasctl cost:cap` raises it",
                self.cap
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instances::properties::{Happening, happen, happenings};
    use crate::instances::toy::{List, Toy, settings};
    use crate::size::Size;

    const ZONES: [&str; 3] = ["a", "b", "c"];

    fn dollars(dollars: u32) -> Money {
        Money::from_dollars(dollars.into()).unwrap()
    }

    /// One of `small` costs $10, one of `other` $14.
    fn budget(hosts: u32) -> Budget {
        let prices = [("small".to_owned(), dollars(10)), ("other".to_owned(), dollars(14))].into();
        Budget { hosts: dollars(hosts), cap: dollars(hosts + 27), prices }
    }

    fn turn(toy: &mut Toy, budget: &Budget) -> Decision {
        toy.pass();
        let decision = decide_within(&toy.view(), budget);
        toy.act(&decision);
        decision
    }

    fn spent(toy: &Toy, budget: &Budget) -> Money {
        budget.spent(toy.rows.iter().map(|row| &row.instance).filter(|one| one.may_exist())).unwrap()
    }

    #[test]
    fn as_many_start_as_there_is_money_for_and_it_says_why_no_more_do() {
        let mut toy = Toy::new(settings(&ZONES, 0, 5));
        toy.want(60, Size::Standard1X);
        let budget = budget(45);
        let mut alarms = Vec::new();
        for _ in 0..60 {
            alarms = turn(&mut toy, &budget).alarms;
        }
        assert_eq!(toy.rows.len(), 4);
        assert!(alarms[0].says.contains("the platform's cap of $72.00 a month allows no more"), "{alarms:?}");
        assert_eq!(alarms.len(), 1, "not also that zones are full: {alarms:?}");
    }

    #[test]
    fn with_money_enough_nothing_is_decided_otherwise() {
        let mut toy = Toy::new(settings(&ZONES, 1, 5));
        toy.want(40, Size::Standard1X);
        for _ in 0..30 {
            toy.pass();
            let decision = decide_within(&toy.view(), &budget(100_000));
            assert_eq!(decision, decide(&toy.view()));
            toy.act(&decision);
        }
        assert!(toy.rows.len() > 4);
    }

    #[test]
    fn the_last_that_there_is_money_for_starts_where_it_can() {
        let mut toy = Toy::new(settings(&ZONES, 0, 5));
        // Nothing comes from the first two zones.
        toy.full =
            ["a", "b"].iter().flat_map(|zone| toy.settings.pools(zone).map(|(pool, _)| pool)).collect();
        toy.want(4, Size::Standard1X);
        let budget = budget(10);
        for _ in 0..60 {
            turn(&mut toy, &budget);
        }
        assert_eq!(toy.placed(), 4);
    }

    #[test]
    fn a_type_without_a_price_is_not_started() {
        let mut toy = Toy::new(settings(&ZONES, 1, 5));
        let mut budget = budget(1_000);
        budget.prices.clear();
        toy.want(1, Size::Standard1X);
        let decision = turn(&mut toy, &budget);
        assert!(decision.actions.is_empty(), "{:?}", decision.actions);
        assert!(decision.alarms[0].says.contains("there is no price of small"), "{:?}", decision.alarms);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn in_any_history_nothing_is_started_beyond_the_budget(
            all in happenings(), min in 0u32..2, hosts in prop::collection::vec(0u32..160, 1..4),
        ) {
            let mut toy = Toy::new(settings(&ZONES, min, 5));
            for (at, happening) in all.iter().enumerate() {
                let budget = budget(hosts[at % hosts.len()]);
                let turns = match happening {
                    Happening::Quiet(turns) => *turns,
                    other => happen(&mut toy, other),
                };
                for _ in 0..turns {
                    let before = spent(&toy, &budget);
                    turn(&mut toy, &budget);
                    let after = spent(&toy, &budget);
                    prop_assert!(after <= budget.hosts || after <= before, "{before} => {after} of {}", budget.hosts);
                }
                toy.list = List::True;
            }
        }
    }
}
