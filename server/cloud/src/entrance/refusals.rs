//! What was refused of one thing alone, such as a group. It is told for as long as it is so, tried again after a while, and holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::id::AppId;

use super::outcome::Notice;
use super::provider::{Check, NewGroup, Refused};
use super::sight::{LOOK, pause};

/// What is to be done about a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Make it.
    Make(NewGroup),
    /// Let the group of this ARN, which is an app's, check its targets like this.
    Check(AppId, String, Check),
    /// Remove the one of this ARN.
    Remove(String),
}

impl Step {
    fn app(&self) -> Option<AppId> {
        match self {
            Self::Make(new) => Some(new.app),
            Self::Check(app, ..) => Some(*app),
            Self::Remove(_) => None,
        }
    }
}

#[derive(Debug)]
struct Refusal {
    notice: Notice,
    times: u32,
    again_at: Timestamp,
}

/// The steps that were refused. One that is wanted otherwise is another step.
#[derive(Debug)]
pub(super) struct Refusals<S>(BTreeMap<S, Refusal>);

impl<S> Default for Refusals<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl Refusals<Step> {
    /// Tells whether something of an app was refused.
    pub(super) fn concern(&self, app: AppId) -> bool {
        self.0.keys().any(|step| step.app() == Some(app))
    }
}

impl<S: Ord> Refusals<S> {
    /// Tells whether a step may be taken now.
    pub(super) fn allow(&self, step: &S, now: Timestamp) -> bool {
        let most = now + LOOK;
        self.0.get(step).is_none_or(|refusal| now >= refusal.again_at || refusal.again_at > most)
    }

    /// Tells whether a step was refused when it was last taken.
    pub(super) fn has(&self, step: &S) -> bool {
        self.0.contains_key(step)
    }

    /// Takes note that a step was refused. What was refused in plain words is not asked for again before others would look again.
    pub(super) fn note(&mut self, step: S, notice: Notice, refused: &Refused, now: Timestamp) {
        let times = self.0.get(&step).map_or(0, |refusal| refusal.times);
        let rest = if refused.clear { LOOK } else { pause(times) };
        self.0.insert(step, Refusal { notice, times: times.saturating_add(1), again_at: now + rest });
    }

    /// Forgets a step that was taken.
    pub(super) fn done(&mut self, step: &S) {
        self.0.remove(step);
    }

    /// Forgets the steps that are not wanted any more.
    pub(super) fn keep(&mut self, wanted: &BTreeSet<S>) {
        self.0.retain(|step, _| wanted.contains(step));
    }

    /// Returns what there is to tell.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        self.0.values().map(|refusal| refusal.notice.clone())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn what_is_unclear_is_tried_again_soon_and_what_was_refused_only_with_the_next_look() {
        let step = Step::Remove("group/a".to_owned());
        let notice = || Notice { about: "load balancers".to_owned(), says: "no".to_owned() };
        for (clear, rests) in [(false, [2, 4, 8, 16, 32, 60, 60]), (true, [300; 7])] {
            let (mut refusals, mut now) = (Refusals::default(), Timestamp::UNIX_EPOCH);
            for rest in rests {
                assert!(refusals.allow(&step, now));
                let refused = Refused { says: "no".to_owned(), unknown: false, clear };
                refusals.note(step.clone(), notice(), &refused, now);
                assert!(!refusals.allow(&step, now + SignedDuration::from_secs(rest - 1)), "{rest}");
                now += SignedDuration::from_secs(rest);
            }
            assert_eq!(refusals.notices().count(), 1);
            refusals.keep(&BTreeSet::new());
            assert_eq!(refusals.notices().count(), 0);
        }
    }
}
