//! What a turn found out: the balancers' word on each replica, and what a person should know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use model::entrance::TargetHealth;
use model::id::{AppId, ReplicaId};
use model::instances::InstanceId;

use super::provider::Listed;

/// The balancers' word on a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// How it finds its target; nothing if it has no such target.
    pub health: Option<TargetHealth>,
    /// When the list that says so was asked for.
    pub at: Timestamp,
}

/// Whether anything answers the balancers at an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// One of its targets does.
    pub answers: bool,
    /// When the list was asked for that says so.
    pub at: Timestamp,
}

/// What a person should know for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about: an app, or the load balancers.
    pub about: String,
    /// What it says.
    pub says: String,
}

/// What a turn found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The balancers' word on the replicas of which there is one.
    pub words: BTreeMap<ReplicaId, Word>,
    /// Whether the instances that it was asked of answer the balancers, as far as they say.
    pub answers: BTreeMap<InstanceId, Answer>,
    /// Strays that are among the targets of an app, those included that drain; nothing before all were listed.
    pub visited: Option<BTreeSet<InstanceId>>,
    /// Replicas to which no balancer sends anything any more, by a list that was made after they were told to leave.
    pub let_go: BTreeSet<ReplicaId>,
    /// The apps whose targets were listed since this server began.
    pub listed: BTreeSet<AppId>,
    /// The balancers; nothing before they were seen.
    pub balancers: Option<Vec<Listed>>,
    /// The name in DNS of the balancer that visitors of an app are to come to, for each app that has a place.
    pub addresses: BTreeMap<AppId, String>,
    /// The apps whose balancer speaks TLS.
    pub tls: BTreeSet<AppId>,
    /// The replicas of apps for which no balancer has room, with what is to be done about it, as a sentence.
    pub without: BTreeMap<ReplicaId, String>,
    /// What is not as it should be.
    pub alarms: Vec<Notice>,
    /// What happened in this turn.
    pub events: Vec<Notice>,
    /// When the next turn is worth taking, if nothing else happens.
    pub next: Duration,
}

impl Outcome {
    pub(super) fn alarm(&mut self, about: &str, says: impl Into<String>) {
        self.alarms.push(Notice { about: about.to_owned(), says: says.into() });
    }

    pub(super) fn event(&mut self, about: &str, says: impl Into<String>) {
        self.events.push(Notice { about: about.to_owned(), says: says.into() });
    }
}
