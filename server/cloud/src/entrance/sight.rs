//! What was last seen of the balancers. All of it can be seen again, so that nothing is written down: whose a group is stands in
//! its tags.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::entrance::{Target, TargetHealth};
use model::id::AppId;
use model::instances::InstanceId;

use super::outcome::Answer;
use super::provider::{Group, Listed, Manners, Rule};
use super::wanted::Wanted;

/// How old the picture of balancers, and of how groups let targets go, may get: what somebody changes by hand is seen by then.
pub(super) const LOOK: SignedDuration = SignedDuration::from_secs(300);

/// How old that of groups and rules may get. An app whose rule was removed by hand has no visitors until then; it is one call for each
/// balancer, and one for some hundred groups.
const GLANCE: SignedDuration = SignedDuration::from_secs(60);

/// How long it is waited after a look or a change that failed; twice as long each time.
const AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// Not longer than this.
const AGAIN_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Returns how long it is waited after so many failures and one more.
pub(super) fn pause(failures: u32) -> SignedDuration {
    (AGAIN * i32::try_from(1_u32 << failures.min(5)).unwrap_or(i32::MAX)).min(AGAIN_MAX)
}

/// What is known of a group beside how it was listed.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) manners: Option<Manners>,
    /// When they were last asked for.
    pub(super) manners_at: Option<Timestamp>,
    pub(super) list: Option<List>,
    /// Since when it belongs nowhere.
    pub(super) astray: Option<Timestamp>,
    /// It has belonged nowhere for long enough.
    pub(super) ripe: bool,
    /// Something was asked for that the list does not show.
    pub(super) touched: bool,
    /// Why the last change of its targets was refused, if it was.
    pub(super) failed: Option<String>,
}

/// What of the picture is to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Everything, with what the rest says.
    pub(super) all: bool,
    pub(super) groups: bool,
    /// The rules of these balancers.
    pub(super) rules: BTreeSet<String>,
}

impl Due {
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A group's targets at one moment.
#[derive(Debug)]
pub(super) struct List {
    pub(super) at: Timestamp,
    /// The step before it was asked for.
    pub(super) step: u64,
    pub(super) targets: BTreeMap<Target, TargetHealth>,
}

/// The balancers with what is on them.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) balancers: Vec<Listed>,
    pub(super) groups: BTreeMap<String, Group>,
    /// By the balancer's name.
    pub(super) rules: BTreeMap<String, Vec<Rule>>,
    pub(super) known: BTreeMap<String, Known>,
    /// Why the last look failed, if it did.
    pub(super) blind: Option<String>,
    seen_at: Option<Timestamp>,
    /// When all groups and rules were last looked at.
    glanced_at: Option<Timestamp>,
    failures: u32,
    again_at: Option<Timestamp>,
    /// What was changed by us, so that another look has to show it.
    touched: Due,
    /// The last look showed nothing where something had been.
    doubted: bool,
}

/// What a look brings.
pub(super) struct Look {
    pub(super) balancers: Vec<Listed>,
    pub(super) groups: Vec<Group>,
    pub(super) rules: BTreeMap<String, Vec<Rule>>,
}

impl Sight {
    /// Returns what is to be looked at: all of it now and then, and in between what was changed.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        let all = match self.again_at {
            Some(at) => now >= at || at > now + AGAIN_MAX,
            None => self.seen_at.is_none_or(|seen| now.duration_since(seen).abs() >= LOOK),
        };
        match all || self.is_spoilt() {
            true => Due { all, ..Due::default() },
            false if self.glanced_at.is_none_or(|at| now.duration_since(at).abs() >= GLANCE) => {
                Due { all, groups: true, rules: self.balancers.iter().map(|one| one.name.clone()).collect() }
            }
            false => self.touched.clone(),
        }
    }

    /// Tells whether something of it is known to be wrong.
    pub(super) fn is_spoilt(&self) -> bool {
        self.failures > 0 && self.again_at.is_some()
    }

    /// Tells whether it was ever seen what there is.
    pub(super) fn is_there(&self) -> bool {
        self.seen_at.is_some()
    }

    /// Takes note that something was not done as it should have been: the picture may be wrong. However much else fails meanwhile, a
    /// look that is to come does not come later.
    pub(super) fn spoil(&mut self, now: Timestamp) {
        let again = now + pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.again_at = Some(self.again_at.filter(|at| *at > now).map_or(again, |at| at.min(again)));
    }

    /// Tells whether the last look was so long after a moment.
    pub(super) fn was_seen_after(&self, moment: Timestamp, pause: SignedDuration) -> bool {
        self.seen_at.is_some_and(|seen| seen.duration_since(moment) >= pause)
    }

    /// Takes note that all of it is to be looked at once more.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        self.again_at.get_or_insert(now);
    }

    /// Takes note that a group was made, or may have been made, changed or removed.
    pub(super) fn touch_groups(&mut self) {
        self.touched.groups = true;
    }

    /// Takes note that rules of a balancer were changed: what they are called now only a look tells.
    pub(super) fn touch_rules(&mut self, balancer: &str) {
        self.touched.rules.insert(balancer.to_owned());
    }

    /// Takes a look in. One that shows nothing where something was is not believed before it is repeated.
    pub(super) fn take(&mut self, look: Look, due: &Due, now: Timestamp) {
        let vanished = look.balancers.is_empty() && !self.balancers.is_empty()
            || look.groups.is_empty() && self.groups.len() > 1;
        if vanished && !std::mem::replace(&mut self.doubted, true) {
            return self.spoil(now);
        }
        self.doubted = false;
        let nothing = look.balancers.is_empty();
        self.balancers = look.balancers;
        self.groups = look.groups.into_iter().map(|group| (group.arn.clone(), group)).collect();
        self.rules = look.rules;
        let groups: BTreeSet<&String> = self.groups.keys().collect();
        self.known.retain(|arn, _| groups.contains(arn));
        if due.all {
            self.seen_at = Some(now);
        }
        if due.all || (due.groups && self.balancers.iter().all(|one| due.rules.contains(&one.name))) {
            self.glanced_at = Some(now);
        }
        (self.again_at, self.blind, self.touched) = (None, None, Due::default());
        if nothing {
            self.spoil(now);
        }
    }

    /// Takes note that nothing failed since the last look.
    pub(super) fn is_sound(&mut self) {
        self.failures = 0;
    }

    pub(super) fn known(&mut self, arn: &str) -> &mut Known {
        self.known.entry(arn.to_owned()).or_default()
    }

    pub(super) fn list(&self, arn: &str) -> Option<&List> {
        self.known.get(arn)?.list.as_ref()
    }

    /// Returns whether instances answer the balancers, as far as the lists say. One answer is enough, as of the latest list with one;
    /// that there is none is known as of the oldest.
    pub(super) fn answers_of(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Answer> {
        let mut found = BTreeMap::<InstanceId, Answer>::new();
        for list in self.known.values().filter_map(|known| known.list.as_ref()) {
            for (target, health) in
                list.targets.iter().filter(|(target, _)| instances.contains(&target.instance))
            {
                let Some(answers) = health.answers() else { continue };
                let answer = Answer { answers, at: list.at };
                let known = found.entry(target.instance.clone()).or_insert(answer);
                *known = match (known.answers, answers) {
                    (true, true) => Answer { at: known.at.max(list.at), ..answer },
                    (false, false) => Answer { at: known.at.min(list.at), ..answer },
                    (true, false) => *known,
                    (false, true) => answer,
                };
            }
        }
        found
    }

    /// Returns the strays that are among the targets of an app; nothing before each of its groups was listed.
    pub(super) fn visited(&self, wanted: &Wanted) -> Option<BTreeSet<InstanceId>> {
        let groups = wanted.apps.iter().flat_map(|shown| self.groups_of(shown.view.id));
        let lists: Option<Vec<&List>> = groups.map(|group| self.list(&group.arn)).collect();
        let listed = lists?.into_iter().flat_map(|list| list.targets.keys().map(|target| &target.instance));
        Some(listed.filter(|instance| wanted.strays.contains(*instance)).cloned().collect())
    }

    /// Returns the groups of an app.
    pub(super) fn groups_of(&self, app: AppId) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(move |group| group.app == Some(app))
    }

    /// Returns the balancer that an app is on: of two, the one that leads to its group.
    pub(super) fn balancer_of(&self, app: AppId) -> Option<&str> {
        let leads = |group: &&Group| {
            let mut rules = self.rules.get(&group.balancer).into_iter().flatten();
            rules.any(|rule| rule.ours && rule.group.as_ref() == Some(&group.arn))
        };
        let group = self.groups_of(app).find(leads).or_else(|| self.groups_of(app).next());
        group.map(|group| group.balancer.as_str())
    }

    /// Returns the group of an app on a balancer.
    pub(super) fn group_on(&self, app: AppId, balancer: &str) -> Option<&Group> {
        self.groups_of(app).find(|group| group.balancer == balancer)
    }

    pub(super) fn balancer(&self, name: &str) -> Option<&Listed> {
        self.balancers.iter().find(|balancer| balancer.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: TargetHealth = TargetHealth::Healthy;

    fn timeout() -> TargetHealth {
        TargetHealth::of("unhealthy", "Target.Timeout")
    }

    fn answer(lists: &[(i64, &TargetHealth)]) -> Option<(bool, i64)> {
        let instance: InstanceId = "i-0123456789abcdef0".parse().unwrap();
        let mut sight = Sight::default();
        for (n, (second, health)) in lists.iter().enumerate() {
            let target = Target { instance: instance.clone(), port: 20_000 };
            let (at, targets) =
                (Timestamp::from_second(*second).unwrap(), [(target, (*health).clone())].into());
            sight.known(&n.to_string()).list = Some(List { at, step: 0, targets });
        }
        let found = sight.answers_of(&[instance.clone()].into()).get(&instance).copied();
        assert_eq!(sight.answers_of(&BTreeSet::new()), BTreeMap::new(), "nobody asked");
        found.map(|answer| (answer.answers, answer.at.as_second()))
    }

    #[test]
    fn one_answer_is_enough_and_silence_is_as_old_as_the_oldest_list() {
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&[(1, &TargetHealth::Initial)]), None);
        assert_eq!(answer(&[(1, &timeout()), (9, &timeout()), (5, &timeout())]), Some((false, 1)));
        assert_eq!(answer(&[(9, &timeout()), (3, &HEALTHY), (5, &HEALTHY)]), Some((true, 5)));
        assert_eq!(answer(&[(3, &HEALTHY), (9, &timeout())]), Some((true, 3)));
    }
}
