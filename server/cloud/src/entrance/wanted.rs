//! What the entrance should be, as the database and the hosts have it at one moment.

use std::collections::{BTreeMap, BTreeSet};

use model::app::AppSettings;
use model::entrance::{Front, Target, register_wish};
use model::id::ReplicaId;
use model::instances::InstanceId;
use model::name::{Hostname, ProcessType};
use model::plan::{AppView, ReplicaView, ReplicaWish};

use super::provider::{Check, Manners};

/// What the entrance should be.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The apps that are not destroyed.
    pub apps: Vec<Shown>,
    /// Where replicas are: nothing for one of which its host says that it is nowhere. One that is missing here may be anywhere.
    pub targets: BTreeMap<ReplicaId, Option<Target>>,
    /// The platform's instances; what is registered of others is somebody else's.
    pub instances: BTreeSet<InstanceId>,
    /// Instances of which nobody knows just now what is on them: what is registered there stays.
    pub unheard: BTreeSet<InstanceId>,
    /// Instances of the platform of which it has forgotten the launch, as after a restore from an older backup. What is registered
    /// there serves until what is known does.
    pub strays: BTreeSet<InstanceId>,
    /// Instances of which it is asked whether they answer the balancers, because nothing else is heard of them.
    pub questioned: BTreeSet<InstanceId>,
}

/// An app as visitors come to it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What people call it.
    pub name: String,
    /// What is wanted of it, and what is there.
    pub view: AppView,
    /// The names under which it answers.
    pub hosts: BTreeSet<Hostname>,
    /// How its replicas are checked.
    pub check: Check,
    /// How they are let go, and whether visitors stay with one.
    pub manners: Manners,
    /// No visitor is let in; its replicas are targets all the same, so that they go on being checked.
    pub closed: bool,
}

impl Check {
    /// Returns the check that an app's settings ask for, within what `ELBv2` allows: 2 to 120 seconds for an answer, and a
    /// longer time from one check to the next.
    #[must_use]
    pub fn of(settings: &AppSettings) -> Self {
        let timeout = settings.health.timeout_seconds.clamp(2, 120);
        let path = settings.health.path.clone();
        Self { path, interval: (timeout + 1).max(5), timeout, good: 2, bad: 2, plain: true }
    }
}

impl Manners {
    /// Returns what an app's settings ask for.
    #[must_use]
    pub fn of(settings: &AppSettings) -> Self {
        let drain_seconds = settings.drain_seconds_of(&ProcessType::web()).min(3_600);
        Self { drain_seconds, sticky: settings.sticky_sessions }
    }
}

impl Shown {
    /// Returns how many web replicas it should have.
    pub(super) fn web(&self) -> usize {
        self.view.formation.get(&ProcessType::web()).map_or(0, |scale| scale.quantity) as usize
    }

    /// Returns what a balancer must have room for.
    pub(super) fn front(&self, on: Option<&str>) -> Front {
        // A rollout has both sets at once.
        Front {
            app: self.view.id,
            hosts: self.hosts.clone(),
            targets: 2 * self.web(),
            on: on.map(str::to_owned),
        }
    }
}

impl Wanted {
    /// Tells whether an app keeps a target that is none of those that it should have; `served` says whether those are all there.
    pub(super) fn stays(&self, target: &Target, served: bool) -> bool {
        match self.instances.contains(&target.instance) {
            true => self.unheard.contains(&target.instance),
            // What is neither is somebody else's.
            false => !(served && self.strays.contains(&target.instance)),
        }
    }

    fn target_of(&self, replica: &ReplicaView) -> Option<&Target> {
        self.targets.get(&replica.id)?.as_ref()
    }

    /// Returns the targets that an app should have, `is_listed` being those that it has.
    pub(super) fn targets(&self, shown: &Shown, is_listed: impl Fn(&Target) -> bool) -> BTreeSet<Target> {
        let is_target = |replica: &ReplicaView| self.target_of(replica).is_some_and(&is_listed);
        register_wish(&shown.view, is_target).filter_map(|replica| self.target_of(replica)).cloned().collect()
    }

    /// Returns the replicas of an app that must get no new requests, with where they are; those that may be anywhere are left
    /// out.
    pub(super) fn leaving<'a>(
        &'a self,
        shown: &'a Shown,
    ) -> impl Iterator<Item = (ReplicaId, Option<&'a Target>)> {
        let leaves = |replica: &&ReplicaView| {
            replica.process.is_web() && matches!(replica.wish, ReplicaWish::Drain { .. } | ReplicaWish::Stop)
        };
        let leaving = shown.view.replicas.iter().filter(leaves);
        leaving.filter_map(|replica| Some((replica.id, self.targets.get(&replica.id)?.as_ref())))
    }

    /// Returns whether a replica of an app that should run may be at a target, as far as anybody knows.
    pub(super) fn may_run(&self, shown: &Shown) -> impl Fn(&Target) -> bool {
        let web = shown.view.replicas.iter().filter(|replica| replica.process.is_web());
        let run = web.filter(|replica| replica.wish == ReplicaWish::Run);
        let known: BTreeSet<&Target> = run.filter_map(|replica| self.target_of(replica)).collect();
        move |target| known.contains(target) || self.unheard.contains(&target.instance)
    }

    /// Returns the web replicas of an app, with where they are.
    pub(super) fn web<'a>(&'a self, shown: &'a Shown) -> impl Iterator<Item = (ReplicaId, &'a Target)> {
        let web = shown.view.replicas.iter().filter(|replica| replica.process.is_web());
        web.filter_map(|replica| Some((replica.id, self.target_of(replica)?)))
    }
}
