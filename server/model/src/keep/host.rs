//! Decides what of a host's own things nobody needs: containers, networks, images. It removes nothing
//! itself.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{AppId, ReplicaId};

/// What came just now is about to be used.
pub const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// Most things that a host tells of.
pub const TOLD: usize = 100;

/// What something of an engine's is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The container of a replica.
    Replica(ReplicaId),
    /// The container of a build.
    Build {
        /// It has not ended.
        running: bool,
    },
    /// The network of an app.
    App(AppId),
    /// An image that replicas and builds run on.
    Stack {
        /// Another one has its name.
        replaced: bool,
        /// There is a container of it.
        used: bool,
    },
}

/// Something that an engine has on its host beside the directories of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// By what the engine knows it.
    pub id: String,
    /// What it takes, in bytes, as far as that is known.
    pub bytes: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// What it is there for.
    pub purpose: Purpose,
}

/// What of a host's replicas and apps is there.
#[derive(Clone, Debug, Default)]
pub struct HostUse {
    /// The replicas that are known there, wanted or not.
    pub replicas: BTreeSet<ReplicaId>,
    /// Their apps.
    pub apps: BTreeSet<AppId>,
}

/// Something on a host that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostGarbage {
    /// `container`, `network` or `image`.
    pub kind: String,
    /// By what its engine knows it.
    pub id: String,
    /// What it takes, in bytes, as far as that is known.
    pub bytes: u64,
    /// Why nobody needs it.
    pub why: String,
}

impl Belonging {
    /// Returns what kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.purpose {
            Purpose::Replica(_) | Purpose::Build { .. } => "container",
            Purpose::App(_) => "network",
            Purpose::Stack { .. } => "image",
        }
    }

    /// Returns it as garbage if nobody needs it.
    #[must_use]
    pub fn unneeded(&self, host: &HostUse, now: Timestamp) -> Option<HostGarbage> {
        let why = match &self.purpose {
            Purpose::Replica(id) => (!host.replicas.contains(id)).then_some("its replica is gone"),
            Purpose::Build { running } => (!running).then_some("its build has ended"),
            Purpose::App(app) => (!host.apps.contains(app)).then_some("nothing of its app is here"),
            Purpose::Stack { replaced, used } => (*replaced && !used).then_some("a newer one took its name"),
        };
        let why = why.filter(|_| !is_young(self.made_at, now))?;
        Some(HostGarbage {
            kind: self.kind().to_owned(),
            id: self.id.clone(),
            bytes: self.bytes,
            why: why.to_owned(),
        })
    }
}

pub(super) fn is_young(at: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    // A clock that was set back makes nothing young for ever.
    (SignedDuration::ZERO..YOUNG).contains(&age)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ago(minutes: i64) -> Timestamp {
        NOW - SignedDuration::from_mins(minutes)
    }

    #[test]
    fn what_is_in_use_or_young_stays_and_the_rest_says_why_it_goes() {
        let (replica, app) = (ReplicaId::new(), AppId::new());
        let host = HostUse { replicas: [replica].into(), apps: [app].into() };
        let unneeded = |purpose: Purpose, minutes| {
            let thing = Belonging { id: "x".to_owned(), bytes: 7, made_at: ago(minutes), purpose };
            thing.unneeded(&host, NOW).map(|garbage| (garbage.kind, garbage.why))
        };
        let stack = |replaced, used| Purpose::Stack { replaced, used };
        for (kept, lost) in [
            (Purpose::Replica(replica), Purpose::Replica(ReplicaId::new())),
            (Purpose::App(app), Purpose::App(AppId::new())),
            (Purpose::Build { running: true }, Purpose::Build { running: false }),
            (stack(true, true), stack(true, false)),
            (stack(false, false), stack(true, false)),
        ] {
            assert_eq!(unneeded(kept, 60), None);
            assert_eq!(unneeded(lost.clone(), 1), None, "{lost:?} is young");
            assert!(unneeded(lost.clone(), 60).is_some(), "{lost:?}");
            assert!(unneeded(lost.clone(), -60).is_some(), "{lost:?} was made by a clock that was ahead");
        }
        let gone = unneeded(Purpose::Build { running: false }, 60);
        assert_eq!(gone, Some(("container".to_owned(), "its build has ended".to_owned())));
    }
}
