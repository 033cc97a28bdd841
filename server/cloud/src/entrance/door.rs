//! The control plane's own way in: one of the balancers sends its servers what is for the control plane's name, as it sends apps
//! what is theirs. Each server says of itself that it is there.

use std::net::SocketAddr;

use async_trait::async_trait;
use model::entrance::TargetHealth;
use model::name::Hostname;

use super::provider::Refused;

/// What a server wants of the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorWish {
    /// The name under which people, git and browsers come to the control plane.
    pub host: Hostname,
    /// Where this server listens, in the balancers' network.
    pub server: SocketAddr,
    /// This server decides: it makes the door, and shows out those that are gone.
    pub leads: bool,
}

/// The door as it was found, or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The name in DNS of the balancer that it is at.
    pub address: String,
    /// What the balancer thinks of this server; nothing as long as there is no door.
    pub health: Option<TargetHealth>,
}

/// A place that has a door.
#[async_trait]
pub trait DoorKeeper: Send + Sync {
    /// Makes the door as wanted, registers this server, and takes out those whose machines are gone. It may be repeated, and be cut
    /// short anywhere.
    ///
    /// # Errors
    /// What is not as wanted.
    async fn keep(&self, wish: &DoorWish) -> Result<Door, Refused>;
}
