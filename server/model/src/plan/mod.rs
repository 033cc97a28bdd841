//! Decides what to do next, for all apps at once. Nothing here does it.
//!
//! There is one path for a deploy, a rollback, a scale, a restart, a drained host and a lost host: a replica is
//! *wanted* when it runs the serving release in its present generation on a ready host, and everything else makes
//! way for wanted ones. A rollout adds a second set beside the serving one; only when all of it answers is the
//! serving release changed, in one step.

mod formation;
mod one_off;
mod placement;
mod rollout;
mod view;
mod watch;

#[cfg(test)]
mod happening;
#[cfg(test)]
mod history;
#[cfg(test)]
mod place_stories;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod room_properties;
#[cfg(test)]
mod room_stories;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod watch_stories;

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::{AppId, HostId, OperationId, ReplicaId};
use crate::name::ProcessType;
use crate::release::Version;
use crate::size::Size;
use crate::watch::Fault;

pub use placement::place_one;
pub use watch::before as before_switch;

pub use view::{
    AppView, HostView, Observation, Observed, ReplicaView, ReplicaWish, Rollout, RolloutPhase, Standing,
    Target, World,
};

/// One thing to do. Each may be repeated and may come late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Wish for a new replica.
    Create(NewReplica),
    /// Ask a web replica of a rollout through the entrance.
    Verify(ReplicaId),
    /// Take a replica out of the routing table and let it finish.
    Drain(ReplicaId),
    /// End a replica.
    Stop(ReplicaId),
    /// Forget a replica that has ended.
    Forget(ReplicaId),
    /// The release command succeeded: start the rollout proper.
    Advance(OperationId),
    /// All of a rollout answers: it serves from now on, and the operation has succeeded.
    Switch(OperationId),
    /// A rollout cannot succeed any more; what serves goes on.
    Fail(OperationId, String),
    /// What serves has stood its watch, or the watch is over something that serves no more.
    EndWatch(AppId),
    /// What serves fails: go back to the release before it.
    Revert(AppId, Fault),
}

/// A replica to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReplica {
    /// Its app.
    pub app: AppId,
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
    /// The operation whose release command it is, for one that runs once.
    pub once_for: Option<OperationId>,
}

/// What to do, and what is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The actions in the order of the apps.
    pub actions: Vec<Action>,
    /// The replicas that are wanted and have no place yet.
    pub waiting: Vec<Waiting>,
}

/// A replica that is wanted and has no place yet. Nothing of it is stored: each plan finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its app.
    pub app: AppId,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type.
    pub number: u32,
    /// The release it is wanted for.
    pub version: Version,
    /// How large it is to be.
    pub size: Size,
    /// Why, as a sentence.
    pub reason: String,
}

impl Waiting {
    /// Returns what tells it from others for as long as it waits; no replica has it.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        let digit = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let bytes = self.name().into_bytes().into_iter().chain(self.version.0.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, digit);
        ReplicaId(Uuid::from_u128(self.app.0.as_u128() ^ (u128::from(hash) << 32)))
    }

    /// Returns the name that users see, `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.process, self.number)
    }
}

/// What helps a replica that waits for room.
pub const MAKES_ROOM: &str = "add a host, scale something down, or choose a smaller size";

/// Returns what to do next. Equal input gives an equal plan; an empty plan means that all is as wished, or under way.
#[must_use]
pub fn plan(world: &World, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut room = placement::Room::of(world);
    for app in &world.apps {
        one_off::tend(app, &mut plan);
        if app.deleted {
            formation::dismiss_all(app, &mut plan);
        } else {
            rollout::advance(app, now, &mut room, &mut plan);
            watch::keep(app, now, &mut plan);
            formation::converge(app, &mut room, &mut plan);
        }
        formation::finish_leaving(app, now, &mut plan);
    }
    plan
}
