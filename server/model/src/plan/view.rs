//! What `plan` looks at: wishes and facts, side by side.

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::NewReplica;
use crate::exit::ExitCause;
use crate::formation::Formation;
use crate::id::{AppId, HostId, OperationId, ReplicaId};
use crate::name::ProcessType;
use crate::release::Version;
use crate::replica::Phase;
use crate::size::Size;
use crate::watch::{Traffic, Watch};

/// All apps and hosts, at one moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The apps in the order of their ids.
    pub apps: Vec<AppView>,
    /// The hosts in the order of their ids.
    pub hosts: Vec<HostView>,
}

/// A host, as far as placement is concerned.
#[derive(Clone, Debug)]
pub struct HostView {
    /// Which one.
    pub id: HostId,
    /// Where it is: hosts of different zones fail independently.
    pub zone: String,
    /// What may be done with it.
    pub standing: Standing,
    /// Memory that it offers to replicas, in megabytes of 2^20 bytes; none: no bound.
    pub memory_mb: Option<u64>,
    /// Processor time that it offers, in thousandths of a core; none: no bound.
    pub cpu_millicores: Option<u64>,
}

/// What may be done with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It takes new replicas and keeps those it has.
    Ready,
    /// It was not heard of just now: it keeps those it has and takes no new ones.
    Silent,
    /// Its replicas stay until others answer in their place, and it takes no new ones.
    Draining,
    /// Its replicas are lost.
    Lost,
}

/// One app: what is wanted of it and what is there.
#[derive(Clone, Debug)]
pub struct AppView {
    /// Which one.
    pub id: AppId,
    /// Whether it was destroyed.
    pub deleted: bool,
    /// What serves.
    pub serving: Option<Target>,
    /// What is being brought about.
    pub rollout: Option<Rollout>,
    /// The watch over what serves, while it lasts.
    pub watch: Option<Watch>,
    /// How many replicas of each type.
    pub formation: Formation,
    /// The types of which replicas of two releases never run side by side.
    pub alone: BTreeSet<ProcessType>,
    /// Its replicas in the order of their ids, oldest first.
    pub replicas: Vec<ReplicaView>,
}

/// A release in one generation; a restart makes a new generation of the same release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The release.
    pub version: Version,
    /// The restart.
    pub generation: u64,
    /// The process types it has.
    pub types: BTreeSet<ProcessType>,
}

impl Target {
    /// Returns what orders targets by age.
    #[must_use]
    pub fn key(&self) -> (Version, u64) {
        (self.version, self.generation)
    }
}

/// A change from one target to another.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The operation it is.
    pub operation: OperationId,
    /// What should serve.
    pub target: Target,
    /// How far it is.
    pub phase: RolloutPhase,
    /// When it fails if it is not done, stored once.
    pub deadline: Timestamp,
    /// How long a replica may take until it is healthy, in seconds.
    pub boot_seconds: u32,
}

/// How far a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutPhase {
    /// The release command runs; nothing else has changed.
    ReleaseCommand,
    /// New replicas start beside the old ones.
    Rolling,
}

impl RolloutPhase {
    /// Returns the word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseCommand => "release_command",
            Self::Rolling => "rolling",
        }
    }
}

impl FromStr for RolloutPhase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::ReleaseCommand, Self::Rolling]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| format!("no phase of a rollout `{}`", text.escape_debug()))
    }
}

/// One replica: its wish and what was observed.
#[derive(Clone, Debug)]
pub struct ReplicaView {
    /// Which one.
    pub id: ReplicaId,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type.
    pub number: u32,
    /// The release it runs.
    pub version: Version,
    /// The restart it belongs to.
    pub generation: u64,
    /// Where it runs.
    pub host: HostId,
    /// How much of its host it may use.
    pub size: Size,
    /// What should become of it.
    pub wish: ReplicaWish,
    /// Whether another one should take its place.
    pub replace: bool,
    /// When it was wished for.
    pub created_at: Timestamp,
    /// What its host reports.
    pub seen: Observation,
}

/// What should become of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaWish {
    /// Run and be routed to.
    Run,
    /// Run until it ends by itself.
    Once {
        /// Most seconds it may run.
        seconds: u32,
    },
    /// Finish what it has, at the latest by then.
    Drain {
        /// When it is stopped whatever it still has.
        until: Timestamp,
    },
    /// End.
    Stop,
}

/// What a host reports of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing yet.
    Pending,
    /// It is there.
    Seen(Observed),
    /// The host knows the wish and has no such replica any more.
    Gone,
}

/// What is known of a replica that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Where it stands.
    pub phase: Phase,
    /// How often it ended and was started again.
    pub restarts: u32,
    /// Whether it answered through the entrance.
    pub entrance: bool,
    /// When it got to this phase.
    pub since: Timestamp,
    /// No request is under way, and none can come that was chosen for it before it left the table.
    pub quiet: bool,
    /// What it was asked through the router.
    pub traffic: Traffic,
    /// How it ended the last time.
    pub exit: Option<ExitCause>,
    /// Why it is not healthy, or why visitors do not reach it though it is, as the predicate of a sentence.
    pub reason: Option<String>,
}

impl ReplicaView {
    /// Returns a new replica of the usual size in the moment that it is written down, before its host has heard of it. One that runs once
    /// has ten minutes.
    #[must_use]
    pub fn created(new: NewReplica, id: ReplicaId, at: Timestamp) -> Self {
        let once = new.once_for.map(|_| ReplicaWish::Once { seconds: 600 });
        Self {
            id,
            process: new.process,
            number: new.number,
            version: new.version,
            generation: new.generation,
            host: new.host,
            size: Size::default(),
            wish: once.unwrap_or(ReplicaWish::Run),
            replace: false,
            created_at: at,
            seen: Observation::Pending,
        }
    }

    /// Returns the name that users see, `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.process, self.number)
    }

    /// Returns what was observed, if it was.
    #[must_use]
    pub fn observed(&self) -> Option<&Observed> {
        match &self.seen {
            Observation::Seen(observed) => Some(observed),
            Observation::Pending | Observation::Gone => None,
        }
    }

    /// Tells whether it is healthy.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.observed().is_some_and(|seen| seen.phase == Phase::Healthy)
    }

    /// Tells whether it carries its share: healthy, and if it is asked over HTTP, seen through the entrance.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.is_healthy() && (!self.process.is_web() || self.observed().is_some_and(|seen| seen.entrance))
    }

    /// Tells whether it runs this target and nobody asked for it to be replaced.
    #[must_use]
    pub fn runs(&self, target: &Target) -> bool {
        self.wish == ReplicaWish::Run && !self.replace && (self.version, self.generation) == target.key()
    }
}

impl AppView {
    /// Returns the size of the replicas of a type; the default for one that is not in the formation, such as `release`.
    #[must_use]
    pub fn size_of(&self, process: &ProcessType) -> Size {
        self.formation.get(process).map(|scale| scale.size).unwrap_or_default()
    }

    /// Returns the web replicas that requests may be sent to: the healthy ones of what serves. While these are fewer than
    /// wanted, older ones help out, and those that make way for another of the same release until that one was seen
    /// through the entrance. What is newer is part of a rollout that was not switched to, and never does.
    #[must_use]
    pub fn routed(&self) -> Vec<&ReplicaView> {
        let Some(serving) = &self.serving else { return Vec::new() };
        let wanted = self.formation.get(&ProcessType::web()).map_or(0, |scale| scale.quantity) as usize;
        let in_rotation = |replica: &&ReplicaView| {
            replica.process.is_web()
                && replica.wish == ReplicaWish::Run
                && replica.is_healthy()
                && (replica.version, replica.generation) <= serving.key()
        };
        let (mut current, leaving): (Vec<_>, Vec<_>) =
            self.replicas.iter().filter(in_rotation).partition(|replica| replica.runs(serving));
        let healthy = current.len();
        let answering = current.iter().filter(|replica| replica.answers()).count();
        current.extend(leaving.into_iter().filter(|replica| {
            let alike = (replica.version, replica.generation) == serving.key();
            if alike { answering < wanted } else { healthy < wanted }
        }));
        current
    }

    /// Returns the web replicas of a rollout that are healthy but not yet in rotation.
    pub fn probed(&self) -> impl Iterator<Item = &ReplicaView> {
        let target = self.rollout.as_ref().map(|rollout| &rollout.target);
        self.replicas.iter().filter(move |replica| {
            replica.process.is_web()
                && replica.is_healthy()
                && target.is_some_and(|target| replica.runs(target))
        })
    }
}
