//! That each group has the targets it should have, by a list made just now, and what is known of those that were told to leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use model::entrance::{Target, TargetHealth, is_drained, target_changes};

use super::calls::{Calls, limited};
use super::hands::Entrance;
use super::outcome::Outcome;
use super::provider::Refused;
use super::sight::List;
use super::wanted::{Shown, Wanted};

/// How often a group is listed in which a replica fails its checks, or one is on a host that is not heard of.
const SICK: SignedDuration = SignedDuration::from_secs(10);

/// How often a group is listed in which nothing is under way, and how much that is at least for each group that there is: so many
/// calls a minute are enough, however many groups there are.
const QUIET: SignedDuration = SignedDuration::from_secs(60);
const QUIET_EACH: SignedDuration = SignedDuration::from_secs(2);

/// When the next turn is worth taking while something is under way.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Lists that are asked for at a time.
const AT_ONCE: usize = 4;

/// How much longer than it was given a target may be asked until it is certain that it is not.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// That a target was told to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dismissal {
    /// The step in which that was answered.
    step: u64,
    at: Timestamp,
}

/// How urgently a group is to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    UnderWay,
    Sick,
    Quiet,
}

impl Entrance {
    /// Lists the groups in which something is under way, and those whose turn it is, and makes them what they should be.
    pub(super) async fn keep_targets(
        &mut self,
        wanted: &Wanted,
        calls: &mut Calls<'_>,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let due = self.due(wanted, now, outcome);
        self.step += 1;
        let step = self.step;
        let asked = due.iter().map(|(_, arn, _)| arn.clone()).enumerate().collect::<Vec<_>>();
        let answers = futures::stream::iter(asked).map(|(at, arn)| {
            let balancers = Arc::clone(&self.balancers);
            async move { (at, limited(balancers.health(&arn)).await) }
        });
        let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
        for (at, answer) in answers {
            let Some((shown, arn, need)) = due.get(at) else { continue };
            match answer {
                Ok(targets) => {
                    self.sight.known(arn).list = Some(List { at: now, step, targets });
                    // What somebody changed by hand is looked for when there is nothing else to do.
                    self.keep_manners(shown, arn, (calls, *need == Need::Quiet), now, outcome).await;
                    self.change_targets((wanted, shown), arn, calls, now, outcome).await;
                }
                Err(refused) => {
                    self.sight.spoil(now);
                    outcome.alarm(&shown.name, format!("its targets cannot be listed: {refused}"));
                }
            }
        }
        let exist = &self.sight.groups;
        self.dismissals.retain(|(arn, _), _| exist.contains_key(arn));
        self.right.keep_groups(|arn| exist.contains_key(arn));
        let manners = |shown: &Shown| {
            let groups = self.sight.groups_of(shown.view.id);
            groups.map(|group| (group.arn.clone(), shown.manners)).collect::<Vec<_>>()
        };
        self.manners_refusals.keep(&wanted.apps.iter().flat_map(manners).collect());
    }

    /// Returns the groups to be listed, the most urgent first, and those first that were not for long.
    fn due<'a>(
        &mut self,
        wanted: &'a Wanted,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Vec<(&'a Shown, String, Need)> {
        let count = i32::try_from(self.sight.groups.len()).unwrap_or(i32::MAX);
        let quiet = QUIET.max(QUIET_EACH * count);
        let mut due = Vec::new();
        for shown in &wanted.apps {
            for group in self.sight.groups_of(shown.view.id) {
                let (need, at) = (self.need((wanted, shown), &group.arn, now), self.sight.list(&group.arn));
                let age = at.map(|list| now.duration_since(list.at).abs());
                let is_due = match need {
                    Need::UnderWay => true,
                    Need::Sick => age.is_none_or(|age| age >= SICK),
                    Need::Quiet => age.is_none_or(|age| age >= quiet),
                };
                if need == Need::UnderWay {
                    outcome.next = UNDER_WAY;
                }
                if is_due {
                    due.push((need, at.map(|list| list.at), group.arn.clone(), shown));
                }
            }
        }
        due.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let budget = &mut self.budget;
        due.into_iter()
            .take_while(|_| budget.take(now))
            .map(|(need, _, arn, shown)| (shown, arn, need))
            .collect()
    }

    fn need(&self, (wanted, shown): (&Wanted, &Shown), arn: &str, now: Timestamp) -> Need {
        let Some(list) = self.sight.list(arn) else { return Need::UnderWay };
        let wish = self.wish((wanted, shown), &list.targets);
        let gone = |(_, target): (_, Option<&Target>)| {
            target.is_none_or(|target| self.has_let_go(shown, target, now))
        };
        let touched = self.sight.known.get(arn).is_some_and(|known| known.touched);
        if self.sight.known.get(arn).is_some_and(|known| known.failed.is_some()) {
            return Need::Sick;
        }
        if touched || !target_changes(&wish, &list.targets).is_empty() || !wanted.leaving(shown).all(gone) {
            return Need::UnderWay;
        }
        let health = || wish.iter().filter_map(|target| list.targets.get(target));
        if health().any(|health| matches!(health, TargetHealth::Initial | TargetHealth::Unavailable)) {
            return Need::UnderWay;
        }
        let is_asked_about = wish.iter().any(|target| wanted.questioned.contains(&target.instance));
        match health().all(|health| *health == TargetHealth::Healthy) && !is_asked_about {
            true => Need::Quiet,
            false => Need::Sick,
        }
    }

    /// Returns the targets that a group should have which has these.
    fn wish(
        &self,
        (wanted, shown): (&Wanted, &Shown),
        listed: &BTreeMap<Target, TargetHealth>,
    ) -> BTreeSet<Target> {
        let mut wish = wanted.targets(shown, |target| listed.contains_key(target));
        let healthy = |target: &&Target| listed.get(*target) == Some(&TargetHealth::Healthy);
        let served = wish.iter().filter(healthy).count() >= wish.len().max(shown.web());
        let stays = |(target, health): &(&Target, &TargetHealth)| {
            **health != TargetHealth::Draining && wanted.stays(target, served)
        };
        wish.extend(listed.iter().filter(stays).map(|(target, _)| target.clone()));
        wish
    }

    async fn change_targets(
        &mut self,
        (wanted, shown): (&Wanted, &Shown),
        arn: &str,
        calls: &mut Calls<'_>,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let Some(list) = self.sight.list(arn) else { return };
        let wish = self.wish((wanted, shown), &list.targets);
        let mut changes = target_changes(&wish, &list.targets);
        let guarded = self.right.targets.entry(arn.to_owned()).or_default();
        // One that is not in the list may have been registered a moment ago: that it must leave is said in any case.
        let leaves = wanted.leaving(shown).filter_map(|(_, target)| target);
        let leaves: BTreeSet<&Target> = leaves.filter(|target| !wish.contains(*target)).collect();
        if guarded.note(&wish, &changes, wanted.may_run(shown), &leaves) {
            outcome.event(&shown.name, "its targets were changed by hand and are put back");
        }
        let untold = |target: &Target| !self.dismissals.contains_key(&(arn.to_owned(), target.clone()));
        let unlisted = |target: &&&Target| !list.targets.contains_key(**target) && untold(target);
        let more: Vec<Target> = leaves.iter().filter(unlisted).map(|target| (*target).clone()).collect();
        if !more.is_empty() {
            changes.deregister.push(more);
        }
        let draining =
            |target: &&&Target| list.targets.get(**target) == Some(&TargetHealth::Draining) && untold(target);
        let draining: Vec<Target> = leaves.iter().filter(draining).map(|target| (*target).clone()).collect();
        // Those that are neither in the list nor told to leave are of the past.
        let leaves: BTreeSet<Target> = leaves.into_iter().cloned().collect();
        let listed: BTreeSet<Target> = list.targets.keys().cloned().collect();
        self.dismissals
            .retain(|(of, target), _| of != arn || leaves.contains(target) || listed.contains(target));
        self.dismiss(arn, draining, now);
        let known = self.sight.known(arn);
        (known.touched, known.failed) = (!changes.is_empty(), None);
        for batch in &changes.register {
            if calls.go_on()
                && let Err(refused) = self.register(arn, batch, calls).await
            {
                self.sight.known(arn).failed = Some(format!("replicas cannot be registered: {refused}"));
            }
        }
        for batch in changes.deregister {
            if !calls.go_on() {
                return;
            }
            match calls.change(calls.balancers.deregister(arn, &batch)).await {
                Ok(()) => self.dismiss(arn, batch, now),
                Err(refused) => {
                    let says = "replicas that should stop stay, because they cannot be deregistered";
                    self.sight.known(arn).failed = Some(format!("{says}: {refused}"));
                }
            }
        }
    }

    /// Registers targets; if one of them is not known, the others alone.
    async fn register(
        &mut self,
        arn: &str,
        targets: &[Target],
        calls: &mut Calls<'_>,
    ) -> Result<(), Refused> {
        // Whatever the answer is, they may be asked again from now on.
        for target in targets {
            self.dismissals.remove(&(arn.to_owned(), target.clone()));
        }
        let answer = calls.change(calls.balancers.register(arn, targets)).await;
        let Err(refused) = answer else { return Ok(()) };
        if !refused.unknown || targets.len() == 1 {
            return Err(refused);
        }
        for target in targets {
            if calls.go_on() {
                // That one of them fails is what is told.
                let _ = calls.change(calls.balancers.register(arn, std::slice::from_ref(target))).await;
            }
        }
        Err(refused)
    }

    fn dismiss(&mut self, arn: &str, targets: Vec<Target>, at: Timestamp) {
        self.step += 1;
        let step = self.step;
        self.dismissals
            .extend(targets.into_iter().map(|target| ((arn.to_owned(), target), Dismissal { step, at })));
    }

    /// Tells whether no balancer sends a target of an app anything any more: a list says so that was asked for after it was told to
    /// leave, or all the time is over that it had to finish.
    pub(super) fn has_let_go(&self, shown: &Shown, target: &Target, now: Timestamp) -> bool {
        let lets_go = |arn: &str| {
            let Some(told) = self.dismissals.get(&(arn.to_owned(), target.clone())) else { return false };
            let list = self.sight.list(arn).filter(|list| list.step > told.step);
            let most = SignedDuration::from_secs(i64::from(shown.manners.drain_seconds)) + MARGIN;
            list.is_some_and(|list| is_drained(list.targets.get(target)))
                || now.duration_since(told.at) >= most
        };
        let mut groups = self.sight.groups_of(shown.view.id).peekable();
        match groups.peek() {
            Some(_) => groups.all(|group| lets_go(&group.arn)),
            None => self.is_unknown(shown.view.id),
        }
    }
}
