//! Decides what becomes of the instances of a cloud that hosts are: which are asked for, emptied, ended and forgotten. Nothing
//! here does it, and what runs on them is decided elsewhere.
//!
//! What was decided is written down before it is done, and one launch is for one instance, so that a lost answer, a crash
//! or a second look changes nothing. What may be wrong about the cloud is taken for wrong: when it does not answer, or
//! forgets more than fails at once, nothing is begun.

mod budget;
mod change;
mod enrolment;
mod follow;
mod grow;
mod machine;
mod pool;
mod refusal;
mod replace;
mod room;
mod schedule;
mod settings;
mod shrink;
mod trust;
mod view;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod toy;
#[cfg(test)]
mod toy_orders;

use jiff::{SignedDuration, Timestamp};

use crate::id::LaunchId;

pub use budget::{Budget, decide_within};
pub use change::{BadChange, Change, HEADROOM_MAX, HOSTS_MAX, REPLACED_MAX};
pub use enrolment::{Applicant, Document, NotAdmitted, Order, Shown, admit};
pub use machine::{Architecture, BadType};
pub use pool::{Lack, Lifecycle, Pool, Scope};
pub use refusal::{Consequence, Refusal, asked_at, consequence, pause};
pub use room::{Room, Sizes};
pub use schedule::{BadHours, Hours, Schedule};
pub use settings::{Bounds, InstanceType, Settings, usual_boot};
pub use view::{Cause, Instance, InstanceId, Past, Sight, State, Stray, Tenant, View, Wish};

/// One thing to do. Each may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write down that an instance is wanted. It is asked for when that is written.
    Launch {
        /// Where from.
        pool: Pool,
        /// Why, as a sentence.
        why: String,
    },
    /// Write down that a pool is left alone for a while.
    Avoid(Lack),
    /// Ask the cloud for the instance of a launch, each time in the same words and with the same token.
    Ask(LaunchId),
    /// Write down which instance a launch became.
    Adopt(LaunchId, InstanceId),
    /// Let the replicas of an instance move elsewhere.
    Drain {
        /// Which launch's.
        launch: LaunchId,
        /// Why.
        cause: Cause,
        /// The same as a sentence.
        why: String,
    },
    /// Let an instance that was to leave stay.
    Resume {
        /// Which launch's.
        launch: LaunchId,
        /// Why, as a sentence.
        why: String,
    },
    /// Write down that an instance should be there no more.
    End {
        /// Which launch's.
        launch: LaunchId,
        /// Why.
        cause: Cause,
        /// The same as a sentence.
        why: String,
    },
    /// Write down that an instance that nobody ordered is ended.
    Dismiss {
        /// Which one.
        id: InstanceId,
        /// Why, as a sentence.
        why: String,
    },
    /// End an instance at the cloud.
    Terminate {
        /// Which one.
        id: InstanceId,
        /// Why, as a sentence.
        why: String,
    },
    /// A launch is over: its instance is no more, or never was, and neither is its host.
    Forget {
        /// Which one.
        launch: LaunchId,
        /// Why.
        cause: Cause,
        /// The same as a sentence.
        why: String,
    },
}

/// Something that a person should know, for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    /// What tells it from others; it stays the same while the sentence's numbers change.
    pub about: String,
    /// The sentence.
    pub says: String,
}

/// What follows from a look at the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// What a person should know.
    pub alarms: Vec<Alarm>,
    /// Since when fewer hosts would suffice; to be shown to the next look.
    pub surplus_since: Option<Timestamp>,
}

/// Decides. Equal input gives an equal decision; one without actions means that all is as it should be, or under way.
#[must_use]
pub fn decide(view: &View) -> Decision {
    let mut deciding = Deciding { view: view.clone(), decision: Decision::default() };
    follow::believe(&mut deciding);
    let taken = deciding.view.instances.iter().filter(|instance| instance.notice || instance.risk);
    let lacks: Vec<Lack> =
        taken.filter_map(|instance| Lack::taken_back(&instance.pool, deciding.view.now)).collect();
    deciding.view.lacks.extend(lacks);
    if let Some(doubt) = trust::doubt(&deciding.view) {
        deciding.alarm(doubt);
        return deciding.decision;
    }
    follow::follow(&mut deciding);
    replace::replace(&mut deciding);
    grow::grow(&mut deciding);
    shrink::shrink(&mut deciding);
    follow::dismiss(&mut deciding);
    let alarms = &mut deciding.decision.alarms;
    alarms.sort();
    alarms.dedup();
    deciding.decision
}

/// A decision in the making. What was decided already is seen by what comes after it.
struct Deciding {
    view: View,
    decision: Decision,
}

impl Deciding {
    fn act(&mut self, action: Action) {
        self.decision.actions.push(action);
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.decision.alarms.push(alarm);
    }

    fn drain(&mut self, at: usize, cause: Cause, why: String) {
        let (since, instance) = (self.view.now, &mut self.view.instances[at]);
        instance.wish = Wish::Drain { since, cause };
        let launch = instance.launch;
        self.act(Action::Drain { launch, cause, why });
    }

    fn end(&mut self, at: usize, cause: Cause, why: String) {
        let (since, instance) = (self.view.now, &mut self.view.instances[at]);
        instance.wish = Wish::End { since, cause };
        let launch = instance.launch;
        self.act(Action::End { launch, cause, why });
    }

    fn forget(&mut self, at: usize, cause: Cause, why: String) {
        let Instance { launch, pool, notice, risk, .. } = self.view.instances[at].clone();
        if (notice || risk || matches!(cause, Cause::Reclaimed | Cause::AtRisk))
            && let Some(lack) = Lack::taken_back(&pool, self.view.now)
        {
            self.view.lacks.push(lack.clone());
            self.act(Action::Avoid(lack));
        }
        self.view.past.push(Past { zone: pool.zone, at: self.view.now, cause });
        self.act(Action::Forget { launch, cause, why });
    }

    /// Returns how long ago something was.
    fn ago(&self, then: Timestamp) -> SignedDuration {
        self.view.now.duration_since(then)
    }

    /// Tells whether one more may be replaced now, and says so where it may not.
    fn may_replace(&mut self) -> bool {
        let joined = self.view.instances.iter().filter(|instance| instance.host.is_some()).count();
        let leaving = self
            .view
            .instances
            .iter()
            .filter(|instance| instance.wish.cause().is_some_and(Cause::is_replacement));
        let leaving = leaving.count();
        let over = self.view.past.iter().filter(|past| past.cause.is_replacement()).count();
        let hour = over + leaving + self.view.dismissed.len();
        let allowed = self.view.settings.replaced_per_hour;
        if hour >= allowed as usize {
            self.alarm(Alarm {
                about: "replacements".to_owned(),
                says: format!(
                    "{hour} instances were replaced within an hour, which is the most allowed: others that fail, \
                     are out of date, due for maintenance or may be taken back stay until that hour is over; `paasctl hosts:bounds --replace-per-hour N` allows more"
                ),
            });
            return false;
        }
        leaving < (joined / 3).max(1)
    }
}
