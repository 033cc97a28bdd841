//! What the agent keeps about one replica on disk, so that a restarted agent goes on where it was.

use std::net::SocketAddr;

use jiff::Timestamp;
use model::exit::Exit;
use serde::{Deserialize, Serialize};

use crate::atomic::Durability;
use crate::converge::Why;
use crate::replica_dir::ReplicaDir;

/// The state of one replica that cannot be observed anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// How often it was started.
    pub(crate) runs: u32,
    /// When it was started last.
    pub(crate) started: Option<Timestamp>,
    /// Its end has not been taken note of yet.
    pub(crate) up: bool,
    /// The port of this run.
    pub(crate) port: Option<u16>,
    /// Where this run answered when it became healthy; nothing for one without a port.
    pub(crate) address: Option<SocketAddr>,
    /// This run has been healthy.
    pub(crate) healthy: bool,
    /// Why and when this run was told to end, if it was.
    pub(crate) stop: Option<(Why, Timestamp)>,
    /// Ends in a row that nobody asked for.
    pub(crate) ends: u32,
    /// How it ended the last time.
    pub(crate) last_exit: Option<Exit>,
}

impl Record {
    pub(crate) fn read(dir: &ReplicaDir) -> Option<Self> {
        dir.read("state.json")
    }

    pub(crate) fn write(&self, dir: &ReplicaDir, durability: Durability) -> std::io::Result<()> {
        dir.write("state.json", self, durability)
    }
}
