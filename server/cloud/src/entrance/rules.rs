//! That each name leads to its app's group, or lets nobody in. Rules of others are left alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::entrance::{CLOSED, ObservedRule, RuleChange, rule_changes};
use model::id::AppId;
use model::name::Hostname;

use super::calls::Calls;
use super::hands::Entrance;
use super::outcome::{Notice, Outcome};
use super::provider::{Leads, Listed, Refused, Rule};
use super::wanted::Wanted;

/// What a rule of ours leads to whose group is not one of ours any more.
const NOWHERE: &str = "";

/// What is to be done about a rule of a listener.
pub(super) type RuleStep = (String, RuleChange);

impl Entrance {
    /// Makes the rules of all balancers what they should be.
    pub(super) async fn keep_rules(
        &mut self,
        wanted: &Wanted,
        places: &BTreeMap<AppId, String>,
        calls: &mut Calls<'_>,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let waiting = self.waiting(wanted, places);
        let mut steps = BTreeSet::new();
        for balancer in self.sight.balancers.clone() {
            let names = self.names(wanted, places, &balancer.name);
            let rules = self.sight.rules.get(&balancer.name).cloned().unwrap_or_default();
            let observed: Vec<_> = rules.iter().map(|rule| self.observed(rule, &waiting)).collect();
            let changes = rule_changes(&names, &observed);
            let unlike = changes.iter().filter_map(|change| group_of(change, &observed)).collect();
            if self.right.note_rules(&balancer.listener, &names, &unlike) {
                outcome.event(&balancer.name, "its rules were changed by hand and are put back");
            }
            let of_it = |change| (balancer.listener.clone(), change);
            let mut changes: Vec<RuleStep> = changes.into_iter().map(of_it).collect();
            // What was refused is asked for after all else, which it would hold up.
            changes.sort_by_key(|step| self.rule_refusals.has(step));
            for step in &changes {
                if calls.go_on()
                    && self.rule_refusals.allow(step, now)
                    && !self.is_held(step, &changes, &observed)
                {
                    self.change_rule(&balancer, step, &observed, calls, now).await;
                }
            }
            let waits = |step| self.rule_refusals.has(step) || self.is_held(step, &changes, &observed);
            if changes.iter().all(waits) {
                self.clear_others(wanted, &balancer, calls, now).await;
            }
            steps.extend(changes);
        }
        self.rule_refusals.keep(&steps);
    }

    /// Tells whether a rule is to stay because another one was refused that should take its names over.
    fn is_held(&self, step: &RuleStep, steps: &[RuleStep], observed: &[ObservedRule]) -> bool {
        let (_, RuleChange::Delete { arn }) = step else { return false };
        let Some(rule) = observed.iter().find(|rule| rule.arn == *arn) else { return false };
        let refused = steps.iter().filter(|step| self.rule_refusals.has(step));
        let takes_over = |(_, change): &RuleStep| match change {
            RuleChange::Create { hosts, group, .. } | RuleChange::Modify { hosts, group, .. } => {
                rule.group.as_ref() == Some(group) && !hosts.is_disjoint(&rule.hosts)
            }
            RuleChange::Delete { .. } => false,
        };
        refused.into_iter().any(takes_over)
    }

    async fn change_rule(
        &mut self,
        balancer: &Listed,
        step: &RuleStep,
        observed: &[ObservedRule],
        calls: &mut Calls<'_>,
        now: Timestamp,
    ) {
        let (listener, change) = step;
        let made = make(listener, change, calls).await;
        let group = group_of(change, observed).unwrap_or_default();
        if let Some(guarded) = self.right.rules.get_mut(&(listener.clone(), group.to_owned())) {
            guarded.asked(&made);
        }
        self.sight.touch_rules(&balancer.name);
        let Err(refused) = made else { return self.rule_refusals.done(step) };
        let notice = Notice { about: balancer.name.clone(), says: format!("{}: {refused}", about(change)) };
        // Lists lag: what they say of groups may be wrong, or that there is no such rule.
        self.sight.touch_groups();
        self.rule_refusals.note(step.clone(), notice, &Refused { clear: false, ..refused }, now);
    }

    /// Returns which names should lead where on a balancer, by the groups' ARNs.
    fn names(
        &self,
        wanted: &Wanted,
        places: &BTreeMap<AppId, String>,
        balancer: &str,
    ) -> BTreeMap<String, BTreeSet<Hostname>> {
        let mut names: BTreeMap<String, BTreeSet<Hostname>> = BTreeMap::new();
        for shown in &wanted.apps {
            let app = shown.view.id;
            if places.get(&app).is_some_and(|place| place == balancer)
                && let Some(group) = self.sight.group_on(app, balancer)
            {
                names.insert(group.arn.clone(), shown.hosts.clone());
            }
        }
        let taken: BTreeSet<Hostname> = names.values().flatten().cloned().collect();
        // Those that are about to go keep what they had, unless it is somebody else's by now.
        let mut strays: BTreeMap<String, BTreeSet<Hostname>> = BTreeMap::new();
        for rule in self.sight.rules.get(balancer).into_iter().flatten().filter(|rule| rule.ours) {
            let Some(group) = rule.group.as_ref().filter(|group| !names.contains_key(*group)) else {
                continue;
            };
            if self.sight.groups.contains_key(group)
                && self.sight.known.get(group).is_none_or(|known| !known.ripe)
            {
                strays.entry(group.clone()).or_default().extend(rule.hosts.difference(&taken).cloned());
            }
        }
        names.extend(strays);
        let closed = self.closed(wanted, places, balancer);
        if !closed.is_empty() {
            names.insert(CLOSED.to_owned(), closed);
        }
        names
    }

    /// Returns the names that let no visitor in. Those of an app that has moved do not do so where it was, either.
    fn closed(
        &self,
        wanted: &Wanted,
        places: &BTreeMap<AppId, String>,
        balancer: &str,
    ) -> BTreeSet<Hostname> {
        let is_here = |app: AppId| {
            let at_home = places.get(&app).is_some_and(|place| place == balancer);
            at_home || self.sight.group_on(app, balancer).is_some()
        };
        let closed = wanted.apps.iter().filter(|shown| shown.closed && is_here(shown.view.id));
        closed.flat_map(|shown| shown.hosts.iter().cloned()).collect()
    }

    /// Returns the names of apps of which no group is known where they are to be.
    fn waiting<'a>(&self, wanted: &'a Wanted, places: &BTreeMap<AppId, String>) -> BTreeSet<&'a Hostname> {
        let has_group =
            |app: AppId| places.get(&app).is_some_and(|on| self.sight.group_on(app, on).is_some());
        let waiting = wanted.apps.iter().filter(|shown| !has_group(shown.view.id));
        waiting.flat_map(|shown| &shown.hosts).collect()
    }

    fn observed(&self, rule: &Rule, waiting: &BTreeSet<&Hostname>) -> ObservedRule {
        let is_known = |group: &String| group == CLOSED || self.sight.groups.contains_key(group);
        let group = rule.group.clone().filter(is_known);
        // Where the names lead of an app whose group could not be made is left alone: the list may have missed that it is there.
        let is_left = group.is_none() && rule.hosts.iter().any(|host| waiting.contains(host));
        let group = (rule.ours && !is_left).then(|| group.unwrap_or_else(|| NOWHERE.to_owned()));
        ObservedRule { arn: rule.arn.clone(), priority: rule.priority, hosts: rule.hosts.clone(), group }
    }
}

async fn make(listener: &str, change: &RuleChange, calls: &mut Calls<'_>) -> Result<(), Refused> {
    let leads =
        |hosts: &BTreeSet<Hostname>, group: &str| Leads { hosts: hosts.clone(), group: group.to_owned() };
    match change {
        RuleChange::Create { priority, hosts, group } => {
            calls.change(calls.balancers.create_rule(listener, *priority, &leads(hosts, group))).await
        }
        RuleChange::Modify { arn, hosts, group } => {
            calls.change(calls.balancers.set_rule(arn, &leads(hosts, group))).await
        }
        RuleChange::Delete { arn } => calls.change(calls.balancers.delete_rule(arn)).await,
    }
}

/// Returns the group that a change is about.
fn group_of<'a>(change: &'a RuleChange, observed: &'a [ObservedRule]) -> Option<&'a str> {
    match change {
        RuleChange::Create { group, .. } | RuleChange::Modify { group, .. } => Some(group),
        RuleChange::Delete { arn } => observed.iter().find(|rule| rule.arn == *arn)?.group.as_deref(),
    }
}

fn about(change: &RuleChange) -> String {
    let names =
        |hosts: &BTreeSet<Hostname>| hosts.iter().map(Hostname::as_str).collect::<Vec<_>>().join(", ");
    match change {
        RuleChange::Create { hosts, .. } => format!("there is no rule for {}", names(hosts)),
        RuleChange::Modify { hosts, .. } => format!("there may be no rule for {}", names(hosts)),
        RuleChange::Delete { .. } => "a rule that nobody needs cannot be removed".to_owned(),
    }
}
