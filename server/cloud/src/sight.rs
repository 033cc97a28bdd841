//! What the cloud last said of each order. It is kept in memory: after a restart one that is missing is looked out for anew, which
//! only takes longer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::id::LaunchId;
use model::instances::{InstanceId, Sight, State};
use store::Launch;

use crate::provider::Listed;

/// What is known of the cloud's instances.
#[derive(Default)]
pub(crate) struct Seen {
    told_at: Option<Timestamp>,
    listed: BTreeMap<LaunchId, Listed>,
    missing: BTreeMap<LaunchId, Timestamp>,
    strays: BTreeMap<InstanceId, Timestamp>,
}

impl Seen {
    /// Takes a list in; `launches` are the orders that are not over.
    pub(crate) fn take(&mut self, list: Vec<Listed>, launches: &[Launch], now: Timestamp) {
        self.told_at = Some(now);
        let orders: BTreeMap<LaunchId, &Launch> = launches.iter().map(|launch| (launch.id, launch)).collect();
        let by_instance: BTreeMap<&InstanceId, LaunchId> =
            launches.iter().filter_map(|launch| Some((launch.instance.as_ref()?, launch.id))).collect();
        let mut strays = BTreeSet::new();
        self.listed.clear();
        for one in list {
            let known = by_instance.get(&one.id).copied();
            // An order that became another instance did not become this one, whatever its mark says.
            let named = one.launch.filter(|launch| {
                orders.get(launch).is_some_and(|order| order.instance.as_ref().is_none_or(|id| *id == one.id))
            });
            match known.or(named) {
                Some(launch) => drop(self.listed.insert(launch, one)),
                None if one.state != State::Ended => drop(strays.insert(one.id)),
                None => {}
            }
        }
        self.strays.retain(|id, _| strays.contains(id));
        for id in strays {
            self.strays.entry(id).or_insert(now);
        }
        let absent = |launch: &&Launch| launch.shown_at.is_some() && !self.listed.contains_key(&launch.id);
        let absent: BTreeSet<LaunchId> = launches.iter().filter(absent).map(|launch| launch.id).collect();
        self.missing.retain(|launch, _| absent.contains(launch));
        for launch in absent {
            self.missing.entry(launch).or_insert(now);
        }
    }

    /// Returns when the cloud last said what there is.
    pub(crate) fn told_at(&self) -> Option<Timestamp> {
        self.told_at
    }

    /// Returns what it said of an order.
    pub(crate) fn of(&self, launch: LaunchId) -> (Sight, bool) {
        if let Some(listed) = self.listed.get(&launch) {
            return (Sight::Seen { id: listed.id.clone(), state: listed.state }, listed.notice);
        }
        match self.missing.get(&launch) {
            Some(since) => (Sight::Missing { since: *since }, false),
            None => (Sight::Unseen, false),
        }
    }

    /// Returns why it says that an order's instance ended.
    pub(crate) fn says(&self, launch: LaunchId) -> Option<String> {
        self.listed.get(&launch)?.says.clone()
    }

    /// Returns the orders that it shows for the first time.
    pub(crate) fn new_among<'a>(
        &'a self,
        launches: &'a [Launch],
    ) -> impl Iterator<Item = (LaunchId, &'a InstanceId)> {
        let new = launches.iter().filter(|launch| launch.shown_at.is_none());
        new.filter_map(|launch| Some((launch.id, &self.listed.get(&launch.id)?.id)))
    }

    /// Returns those that belong to no order, and since when they are known.
    pub(crate) fn strays(&self) -> &BTreeMap<InstanceId, Timestamp> {
        &self.strays
    }
}
