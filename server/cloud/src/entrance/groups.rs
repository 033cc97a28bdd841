//! Which app has which group, and that each group is as its app's settings have it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::entrance::{Balancer, CLOSED, Front, group_name, shard};
use model::id::AppId;
use model::name::Hostname;

use super::calls::{Calls, limited};
use super::hands::{ALL, Entrance};
use super::outcome::{Notice, Outcome};
use super::provider::{Check, Group, NewGroup, Refused};
use super::refusals::Step;
use super::sight::LOOK;
use super::wanted::{Shown, Wanted};

/// How long a group stays of whose app nothing is known any more.
const ASTRAY: SignedDuration = SignedDuration::from_secs(60);

/// How long the group of an app that has moved stays: its visitors' DNS records lead there for a while.
const MOVED: SignedDuration = SignedDuration::from_hours(1);

/// Returns what is said of an app for which none of so many balancers has room.
fn no_room(balancers: usize) -> String {
    let more = balancers + 1;
    format!("no load balancer has room for all of it; `paasctl aws:up --balancers {more}` makes another one")
}

impl Entrance {
    /// Gives each app its balancer.
    pub(super) fn places(&self, wanted: &Wanted, outcome: &mut Outcome) -> BTreeMap<AppId, String> {
        let on = |shown: &Shown| self.sight.balancer_of(shown.view.id);
        let fronts: Vec<Front> = wanted.apps.iter().map(|shown| shown.front(on(shown))).collect();
        let balancers: Vec<Balancer> = self.sight.balancers.iter().map(|one| self.load(&one.name)).collect();
        let mut sharding = shard(&fronts, &balancers, self.limits);
        let mut places = BTreeMap::new();
        for shown in &wanted.apps {
            let app = shown.view.id;
            if let Some(place) = sharding.places.remove(&app) {
                if let Some(why) = place.moved.filter(|_| self.sight.group_on(app, &place.balancer).is_none())
                {
                    let to = self.sight.balancer(&place.balancer).map_or("", |balancer| &balancer.address);
                    outcome.event(&shown.name, format!("it moves: {why}; its names must now point to {to}"));
                }
                places.insert(app, place.balancer);
                continue;
            }
            if !balancers.is_empty() {
                let says = no_room(balancers.len());
                outcome.alarm(&shown.name, says.clone());
                outcome.without.extend(wanted.web(shown).map(|(replica, _)| (replica, says.clone())));
            }
            // What it has it keeps.
            let stays = on(shown).filter(|name| self.sight.balancer(name).is_some());
            places.extend(stays.map(|name| (app, name.to_owned())));
        }
        places
    }

    /// Returns what of a balancer is not ours.
    fn load(&self, name: &str) -> Balancer {
        let rules = self.sight.rules.get(name).into_iter().flatten().filter(|rule| !rule.ours);
        let groups = rules.clone().filter_map(|rule| rule.group.as_ref().filter(|group| *group != CLOSED));
        let other_groups = groups.collect::<BTreeSet<_>>().len();
        Balancer { name: name.to_owned(), other_rules: rules.count(), other_groups }
    }

    /// Makes what groups are missing, sets what is not as wanted, and removes those that belong nowhere. What is refused of one holds
    /// up no other.
    pub(super) async fn keep_groups(
        &mut self,
        wanted: &Wanted,
        places: &BTreeMap<AppId, String>,
        calls: &mut Calls<'_>,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let mut steps = BTreeSet::new();
        for shown in &wanted.apps {
            let Some(place) = places.get(&shown.view.id) else { continue };
            let Some(step) = self.step_of(shown, place, outcome) else { continue };
            self.take_step(&step, Some(shown), calls, now, outcome).await;
            steps.insert(step);
        }
        self.find_strays(places, wanted, now);
        for arn in self.strays() {
            if !self.is_led_to(&arn) {
                let step = Step::Remove(arn);
                self.take_step(&step, None, calls, now, outcome).await;
                steps.insert(step);
            }
        }
        self.refusals.keep(&steps);
    }

    /// Returns what is to be done about an app's group on its balancer.
    fn step_of(&mut self, shown: &Shown, place: &str, outcome: &mut Outcome) -> Option<Step> {
        let app = shown.view.id;
        match self.sight.group_on(app, place) {
            Some(group) => {
                if self.right.note_group(app, place, &group.arn) {
                    outcome.event(&shown.name, "its target group was removed by hand and is made again");
                }
                let is_so = group.check == shown.check;
                if self.right.checks.entry(group.arn.clone()).or_default().note(&shown.check, is_so) {
                    outcome.event(&shown.name, "its health check was changed by hand and is put back");
                }
                (!is_so).then(|| Step::Check(app, group.arn.clone(), shown.check.clone()))
            }
            None => {
                let network = self.sight.balancer(place)?.network.clone();
                let name = group_name(&self.cluster, app, place);
                let (balancer, check) = (place.to_owned(), shown.check.clone());
                Some(Step::Make(NewGroup { name, app, balancer, network, check }))
            }
        }
    }

    /// Takes a step unless it was refused a moment ago.
    async fn take_step(
        &mut self,
        step: &Step,
        shown: Option<&Shown>,
        calls: &mut Calls<'_>,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        if !calls.go_on() || !self.refusals.allow(step, now) {
            return;
        }
        let about = shown.map_or(ALL, |shown| &shown.name);
        let (answer, what) = match step {
            Step::Make(new) => (self.make_group(new, about, calls, outcome).await, "it has no target group"),
            Step::Check(_, arn, check) => {
                (self.set_check(arn, check, calls).await, "its health check cannot be set")
            }
            Step::Remove(arn) => {
                (self.remove_group(arn, calls).await, "a group that nobody needs cannot be removed")
            }
        };
        let Err(refused) = answer else { return self.refusals.done(step) };
        let notice = Notice { about: about.to_owned(), says: format!("{what}: {refused}") };
        self.refusals.note(step.clone(), notice, &refused, now);
        // It may have been done all the same.
        self.sight.touch_groups();
    }

    async fn make_group(
        &mut self,
        new: &NewGroup,
        about: &str,
        calls: &mut Calls<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Refused> {
        let arn = calls.change(calls.balancers.create_group(new)).await?;
        let NewGroup { name, app, balancer, check, .. } = new.clone();
        let is_first = self.sight.balancers.first().is_some_and(|first| first.name == balancer);
        if !is_first && self.sight.groups_of(app).next().is_none() {
            let to = self.sight.balancer(&balancer).map_or("", |balancer| &balancer.address);
            outcome.event(about, format!("it is on {balancer}: its names must point to {to}"));
        }
        let group = Group { arn: arn.clone(), name, app: Some(app), balancer, check };
        self.sight.groups.insert(arn, group);
        self.sight.touch_groups();
        Ok(())
    }

    async fn set_check(&mut self, arn: &str, check: &Check, calls: &mut Calls<'_>) -> Result<(), Refused> {
        let set = calls.change(calls.balancers.set_check(arn, check)).await;
        self.right.checks.entry(arn.to_owned()).or_default().asked(&set);
        set?;
        if let Some(group) = self.sight.groups.get_mut(arn) {
            group.check = check.clone();
        }
        Ok(())
    }

    async fn remove_group(&mut self, arn: &str, calls: &mut Calls<'_>) -> Result<(), Refused> {
        calls.change(calls.balancers.delete_group(arn)).await?;
        self.sight.groups.remove(arn);
        self.sight.known.remove(arn);
        Ok(())
    }

    /// Lets a group treat its targets as wanted. Whether it does is asked now and then where there is `time` for it.
    pub(super) async fn keep_manners(
        &mut self,
        shown: &Shown,
        arn: &str,
        (calls, time): (&mut Calls<'_>, bool),
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let step = (arn.to_owned(), shown.manners);
        if !self.manners_refusals.allow(&step, now) {
            return;
        }
        let known = self.sight.known(arn);
        let is_old = known.manners_at.is_none_or(|at| now.duration_since(at).abs() >= LOOK);
        let present = match known.manners.filter(|_| !(time && is_old)) {
            Some(manners) => Ok(manners),
            None => {
                known.manners_at = Some(now);
                limited(calls.balancers.manners(arn)).await
            }
        };
        let guarded = self.right.manners.entry(arn.to_owned()).or_default();
        let set = match present {
            Ok(manners) => {
                known.manners = Some(manners);
                let is_so = manners == shown.manners;
                if guarded.note(&shown.manners, is_so) {
                    outcome
                        .event(&shown.name, "how its targets are let go was changed by hand and is put back");
                }
                if is_so {
                    return self.manners_refusals.done(&step);
                }
                let set = calls.change(calls.balancers.set_manners(arn, &shown.manners)).await;
                guarded.asked(&set);
                set
            }
            Err(refused) => Err(refused),
        };
        match set {
            Ok(()) => {
                known.manners = Some(shown.manners);
                self.manners_refusals.done(&step);
            }
            Err(refused) => {
                let says = format!("how its targets are let go cannot be set: {refused}");
                let notice = Notice { about: shown.name.clone(), says };
                self.manners_refusals.note(step, notice, &refused, now);
            }
        }
    }

    /// Takes note of since when groups belong nowhere.
    fn find_strays(&mut self, places: &BTreeMap<AppId, String>, wanted: &Wanted, now: Timestamp) {
        let living: BTreeMap<AppId, &Shown> =
            wanted.apps.iter().map(|shown| (shown.view.id, shown)).collect();
        let of = |group: &Group| living.get(&group.app?).copied();
        let lives = |group: &Group| of(group).is_some();
        let at_home = |group: &Group| {
            let Some(shown) = of(group) else { return false };
            // An app that has no place just now may get one again.
            let Some(place) = places.get(&shown.view.id) else { return true };
            // It stays until the app has all that it needs where it goes.
            let is_made = || self.leads_all(shown, place) && !self.refusals.concern(shown.view.id);
            *place == group.balancer || !is_made()
        };
        let homes: Vec<(String, bool)> =
            self.sight.groups.values().map(|group| (group.arn.clone(), at_home(group))).collect();
        for (arn, at_home) in homes {
            let known = self.sight.known(&arn);
            known.astray = (!at_home).then(|| known.astray.unwrap_or(now));
        }
        for group in self.sight.groups.values() {
            if let Some(known) = self.sight.known.get_mut(&group.arn) {
                let stay = if lives(group) { MOVED } else { ASTRAY };
                known.ripe = known.astray.is_some_and(|since| now.duration_since(since) >= stay);
            }
        }
    }

    /// Returns the groups that have belonged nowhere for long enough.
    fn strays(&self) -> Vec<String> {
        self.sight.known.iter().filter(|(_, known)| known.ripe).map(|(arn, _)| arn.clone()).collect()
    }

    /// Tells whether all names of an app lead to its group on a balancer.
    fn leads_all(&self, shown: &Shown, place: &str) -> bool {
        let Some(group) = self.sight.group_on(shown.view.id, place) else { return false };
        let rules = self.sight.rules.get(place).into_iter().flatten();
        let led: BTreeSet<&Hostname> = rules
            .filter(|rule| rule.group.as_ref() == Some(&group.arn))
            .flat_map(|rule| &rule.hosts)
            .collect();
        shown.hosts.iter().all(|host| led.contains(host))
    }

    fn is_led_to(&self, arn: &str) -> bool {
        self.sight.rules.values().flatten().any(|rule| rule.group.as_deref() == Some(arn))
    }
}
