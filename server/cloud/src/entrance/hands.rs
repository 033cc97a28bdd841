//! One turn of the entrance: look, decide, do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::entrance::{Limits, Target, TargetHealth, has_failed_open};
use model::id::AppId;

use super::calls::{Budget, Calls, limited};
use super::others::Others;
use super::outcome::{Notice, Outcome, Word};
use super::provider::{Balancers, Group, Listed, Manners};
use super::refusals::{Refusals, Step};
use super::right::Right;
use super::rules::RuleStep;
use super::sight::{Due, List, Look, Sight};
use super::targets::Dismissal;
use super::wanted::Wanted;

/// When the next turn is worth taking while nothing is under way.
const QUIET: Duration = Duration::from_secs(10);

/// How long after an app was seen to have no group it must be seen again, until it is believed that no balancer knows it: lists lag, and
/// may lie.
const GROUPLESS: SignedDuration = SignedDuration::from_secs(60);

/// What alarms about no app are about.
pub(super) const ALL: &str = "load balancers";

/// The hands of the entrance.
pub struct Entrance {
    pub(super) balancers: Arc<dyn Balancers>,
    pub(super) cluster: String,
    pub(super) limits: Limits,
    pub(super) sight: Sight,
    pub(super) dismissals: BTreeMap<(String, Target), Dismissal>,
    pub(super) budget: Budget,
    pub(super) right: Right,
    pub(super) refusals: Refusals<Step>,
    /// Of rules, with their listeners.
    pub(super) rule_refusals: Refusals<RuleStep>,
    /// Of how targets are let go, with the group's ARN.
    pub(super) manners_refusals: Refusals<(String, Manners)>,
    pub(super) others: Others,
    /// Since when apps have had no group.
    groupless: BTreeMap<AppId, Timestamp>,
    /// Counts what was asked and what was done, so that it is known which came first.
    pub(super) step: u64,
}

impl Entrance {
    /// Makes the hands for the platform of this name, whose balancers hold so much each.
    #[must_use]
    pub fn new(balancers: Arc<dyn Balancers>, cluster: &str, limits: Limits) -> Self {
        Self {
            balancers,
            cluster: cluster.to_owned(),
            limits,
            sight: Sight::default(),
            dismissals: BTreeMap::new(),
            budget: Budget::default(),
            right: Right::default(),
            refusals: Refusals::default(),
            rule_refusals: Refusals::default(),
            manners_refusals: Refusals::default(),
            others: Others::default(),
            groupless: BTreeMap::new(),
            step: 0,
        }
    }

    /// Takes one turn. It may be cut short anywhere; `may` tells whether this server still decides, without which nothing is
    /// changed. What goes wrong is among the alarms, and is tried again in a later turn.
    pub async fn turn(
        &mut self,
        wanted: &Wanted,
        now: Timestamp,
        may: &(dyn Fn() -> bool + Send + Sync),
    ) -> Outcome {
        let mut outcome = Outcome { next: QUIET, ..Outcome::default() };
        let balancers = Arc::clone(&self.balancers);
        let mut calls = Calls { balancers: &balancers, may, failed: 0, refused: 0 };
        self.look(now, &mut outcome).await;
        if !self.sight.is_there() {
            return outcome;
        }
        outcome.balancers = Some(self.sight.balancers.clone());
        self.others.keep(&self.sight.balancers);
        let places = self.places(wanted, &mut outcome);
        // By a picture that is known to be wrong nothing is made or removed; targets go by lists of their own.
        if !self.sight.is_spoilt() {
            self.keep_groups(wanted, &places, &mut calls, now, &mut outcome).await;
        }
        outcome.alarms.extend(self.refusals.notices());
        calls.turn_to_others();
        if !self.sight.is_spoilt() {
            self.keep_rules(wanted, &places, &mut calls, now, &mut outcome).await;
        }
        outcome.alarms.extend(self.rule_refusals.notices().chain(self.others.notices()));
        calls.turn_to_others();
        self.keep_targets(wanted, &mut calls, now, &mut outcome).await;
        outcome.alarms.extend(self.manners_refusals.notices());
        if calls.failed == 0 && !self.sight.is_spoilt() {
            self.sight.is_sound();
        }
        self.find_groupless(wanted, now);
        self.tell(wanted, &places, now, &mut outcome);
        outcome.answers = self.sight.answers_of(&wanted.questioned);
        outcome.visited = self.sight.visited(wanted);
        outcome
    }

    /// Looks at what there is if it is time to.
    async fn look(&mut self, now: Timestamp, outcome: &mut Outcome) {
        let due = self.sight.due(now);
        if !due.is_nothing() {
            match look(self.balancers.as_ref(), &due, &self.sight).await {
                Ok(look) => self.sight.take(look, &due, now),
                Err(refused) => {
                    self.sight.spoil(now);
                    self.sight.blind = Some(format!("they cannot be looked at: {refused}"));
                }
            }
        }
        if let Some(says) = &self.sight.blind {
            outcome.alarm(ALL, says.clone());
        } else if self.sight.is_there() && self.sight.balancers.is_empty() {
            outcome.alarm(
                ALL,
                "there is none with the platform's tag and a listener, so that no visitor gets to an app; \
                 `paasctl aws:up` puts back what is missing",
            );
        }
    }

    fn find_groupless(&mut self, wanted: &Wanted, now: Timestamp) {
        let before = std::mem::take(&mut self.groupless);
        let apps = wanted.apps.iter().map(|shown| shown.view.id);
        let without = apps.filter(|app| self.sight.groups_of(*app).next().is_none());
        self.groupless = without.map(|app| (app, before.get(&app).copied().unwrap_or(now))).collect();
        let waits = |since: &Timestamp| !self.sight.was_seen_after(*since, GROUPLESS);
        if self.groupless.values().any(|since| now.duration_since(*since) >= GROUPLESS && waits(since)) {
            self.sight.look_again(now);
        }
    }

    /// Tells whether no balancer can know an app.
    pub(super) fn is_unknown(&self, app: AppId) -> bool {
        self.groupless.get(&app).is_some_and(|since| self.sight.was_seen_after(*since, GROUPLESS))
    }

    /// Returns the balancer that visitors of an app are to come to: the one that it moves to only once it serves there.
    fn leads(&self, app: AppId, place: Option<&String>) -> Option<&Listed> {
        let wanted = place.and_then(|name| self.sight.balancer(name));
        let serves = |group: &&Group| {
            let list = self.sight.list(&group.arn);
            let rules = self.sight.rules.get(&group.balancer).into_iter().flatten();
            list.is_some_and(|list| list.targets.values().any(|health| *health == TargetHealth::Healthy))
                && rules.filter(|rule| rule.ours).any(|rule| rule.group.as_deref() == Some(&group.arn))
        };
        let serving: Vec<&Group> = self.sight.groups_of(app).filter(serves).collect();
        let is_there = wanted.is_some_and(|wanted| serving.iter().any(|group| group.balancer == wanted.name));
        let elsewhere = serving.first().filter(|_| !is_there);
        elsewhere.and_then(|group| self.sight.balancer(&group.balancer)).or(wanted)
    }

    /// Says what is known of each replica.
    fn tell(&self, wanted: &Wanted, places: &BTreeMap<AppId, String>, now: Timestamp, outcome: &mut Outcome) {
        for shown in &wanted.apps {
            let app = shown.view.id;
            let place = places.get(&app);
            if let Some(balancer) = self.leads(app, place) {
                outcome.addresses.insert(app, balancer.address.clone());
                outcome.tls.extend(balancer.tls.then_some(app));
            }
            for (replica, target) in wanted.leaving(shown) {
                if target.is_none_or(|target| self.has_let_go(shown, target, now)) {
                    outcome.let_go.insert(replica);
                }
            }
            for group in self.sight.groups_of(app) {
                let failed = self.sight.known.get(&group.arn).and_then(|known| known.failed.as_ref());
                outcome
                    .alarms
                    .extend(failed.map(|says| Notice { about: shown.name.clone(), says: says.clone() }));
            }
            if self.is_unknown(app) {
                outcome.listed.insert(app);
            }
            let Some(list) = place.and_then(|name| self.sight.group_on(app, name)) else { continue };
            let Some(list) = self.sight.list(&list.arn) else { continue };
            outcome.listed.insert(app);
            if has_failed_open(list.targets.values()) {
                outcome.alarm(&shown.name, failed_open(list));
            }
            for (replica, target) in wanted.web(shown) {
                let health = list.targets.get(target).cloned();
                outcome.words.insert(replica, Word { health, at: list.at });
            }
        }
    }
}

/// Returns what is said of an app of which no replica passes the checks. When none is reached at all, it is rather the way there.
fn failed_open(list: &List) -> String {
    let says = "no replica passes the load balancer's checks, so that it sends requests to all of them";
    let unreached =
        list.targets.len() > 1 && list.targets.values().all(|health| health.answers() == Some(false));
    match unreached {
        true => format!(
            "{says}; none of them is reached, and `paasctl aws:plan` shows whether the way there was changed"
        ),
        false => says.to_owned(),
    }
}

/// Asks for what is due; the rest is as it was. What failed leaves no picture.
async fn look(balancers: &dyn Balancers, due: &Due, before: &Sight) -> Result<Look, super::Refused> {
    let listed = match due.all {
        true => limited(balancers.balancers()).await?,
        false => before.balancers.clone(),
    };
    let groups = match due.all || due.groups {
        true => limited(balancers.groups()).await?,
        false => before.groups.values().cloned().collect(),
    };
    let mut rules = BTreeMap::new();
    for balancer in &listed {
        let known =
            before.rules.get(&balancer.name).filter(|_| !due.all && !due.rules.contains(&balancer.name));
        let of_it = match known {
            Some(known) => known.clone(),
            None => limited(balancers.rules(&balancer.listener)).await?,
        };
        rules.insert(balancer.name.clone(), of_it);
    }
    Ok(Look { balancers: listed, groups, rules })
}
