//! One type per identity, so that the wrong id cannot be passed. Ids are UUIDs of version 7: they sort by age.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Returns a fresh id, greater than those made before it.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A person, or the robot that acts for one.
    UserId,
    /// A credential of a user.
    TokenId,
    /// A browser that is signed in.
    SessionId,
    /// An app.
    AppId,
    /// One attempt to turn a commit into a slug.
    BuildId,
    /// A built app. The same content has the same id within an app.
    SlugId,
    /// A slug with a snapshot of the config vars and the process table.
    ReleaseId,
    /// A machine that runs replicas.
    HostId,
    /// What lets a machine become a host.
    JoinTokenId,
    /// The wish for one instance of a cloud, and what became of it.
    LaunchId,
    /// One running instance of a process type.
    ReplicaId,
    /// One change that is being brought about: the rollout of a release, a restart.
    OperationId,
    /// A host name under which an app answers.
    DomainId,
    /// The wanted quantity of one process type of an app.
    FormationId,
    /// A row of the audit trail.
    ActivityId,
}
