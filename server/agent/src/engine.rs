//! What the agent needs of whatever runs replicas on its host, in the agent's own words.
//!
//! Every method may be repeated: starting what runs and stopping what is gone both succeed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use model::exit::Exit;
use model::id::ReplicaId;
use model::keep::Belonging;
use model::replica::ReplicaSpec;
use model::slug::Digest;

/// Why an engine did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It cannot be done, now or later, unless somebody changes something.
    #[error("{0}")]
    Impossible(String),
    /// It did not work this time.
    #[error("the engine failed")]
    Failed(#[from] anyhow::Error),
}

/// A run of a replica as an engine finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instance {
    /// It runs.
    Running,
    /// It ended.
    Ended(Exit),
    /// A start was begun, and cut off before anything of it ran.
    Prepared,
}

/// The memory that a replica has in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All of it, in bytes.
    pub bytes: u64,
    /// What files in memory take of it, such as those in `/tmp`, in bytes.
    pub files: u64,
}

/// What a replica uses of its host, as far as that is counted there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Its memory now.
    pub memory: Option<Memory>,
    /// Its processor time since it was started.
    pub cpu: Option<Duration>,
}

/// Runs replicas. Its replicas outlive it.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Returns all replicas that run, or ended and were not forgotten.
    async fn list(&self) -> Result<BTreeMap<ReplicaId, Instance>, EngineError>;

    /// Keeps these slugs ready for a start, and no others that nothing runs of.
    async fn keep_ready(&self, slugs: BTreeSet<Digest>);

    /// Starts a replica afresh: nothing that an earlier run wrote is there.
    async fn start(&self, spec: &ReplicaSpec, port: Option<u16>) -> Result<(), EngineError>;

    /// Waits until the run has ended, and returns how.
    async fn ended(&self, id: ReplicaId) -> Exit;

    /// Asks the replica to end and kills it after its stop time; does not wait for it.
    async fn stop(&self, id: ReplicaId) -> Result<(), EngineError>;

    /// Kills the replica and all that belongs to it.
    async fn kill(&self, id: ReplicaId) -> Result<(), EngineError>;

    /// Removes what the run left on the host but for how it ended; what still runs is killed first.
    async fn clean(&self, id: ReplicaId) -> Result<(), EngineError>;

    /// Removes all of the replica.
    async fn forget(&self, id: ReplicaId) -> Result<(), EngineError>;

    /// Returns what the replica uses now.
    async fn usage(&self, id: ReplicaId) -> Usage;

    /// Returns where the processes of the replica listen, where that can be seen.
    async fn listening(&self, id: ReplicaId) -> Option<Vec<SocketAddr>>;

    /// Returns the address at which the ports of a replica are reached, if it is one of its own; else it shares the host's.
    async fn ip(&self, id: ReplicaId) -> Option<IpAddr> {
        let _ = id;
        None
    }

    /// Gives up what is kept only so that it need not be fetched again, where it takes too much room.
    async fn tidy(&self) {}

    /// Returns what this engine has on the host beside the directories of replicas.
    async fn belongings(&self) -> Vec<Belonging> {
        Vec::new()
    }

    /// Removes one of these, unless something uses it by now.
    async fn discard(&self, belonging: &Belonging) -> Result<(), EngineError> {
        let _ = belonging;
        Ok(())
    }

    /// Returns what this engine cannot do on this host, in sentences.
    fn degraded(&self) -> Vec<String>;
}
