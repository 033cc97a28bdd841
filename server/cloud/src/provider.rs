//! What a cloud must be able to do. Each call may be repeated, may hang, and may be done although its answer is lost.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use model::cost::Control;
use model::id::LaunchId;
use model::instances::{InstanceId, InstanceType, Pool, Refusal, State};

/// A place that gives instances.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Returns where instances are, and what they are made from; a minute old at most.
    ///
    /// # Errors
    /// Why nobody knows, as a sentence.
    async fn site(&self) -> Result<Site, String>;

    /// Returns every instance with the platform's mark, those included that ended a while ago.
    ///
    /// # Errors
    /// Why nobody knows, as a sentence. A part of them is never returned for all of them.
    async fn list(&self) -> Result<Vec<Listed>, String>;

    /// Asks for one instance. The same order gives the same instance, however often it is made; the instance bears the
    /// platform's mark and that of the order from its first moment.
    ///
    /// # Errors
    /// Why there is none. [`Refusal::Unanswered`] says that there may be one all the same.
    async fn launch(&self, order: &Order) -> Result<InstanceId, Refused>;

    /// Ends instances for good. Those that have ended already count as ended.
    ///
    /// # Errors
    /// Why some may go on, as a sentence.
    async fn terminate(&self, ids: &[InstanceId]) -> Result<(), String>;
}

/// What was prepared for instances at a cloud before there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Whose account they are in.
    pub account: String,
    /// In which region.
    pub region: String,
    /// The zones that they may be in, in order.
    pub zones: Vec<String>,
    /// The image that they are made from just now.
    pub image: String,
    /// The type that they are unless another is asked for.
    pub usual: InstanceType,
    /// The NAT gateways through which they call out; nothing if nobody knows just now.
    pub nats: Option<u32>,
    /// Whether each has a public address.
    pub public_addresses: bool,
    /// How large the disk of each is, in gigabytes; nothing if that is not said.
    pub disk_gb: Option<u32>,
    /// What the control plane runs on; nothing if nobody knows just now.
    pub control: Option<Control>,
}

/// An instance as a cloud lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub id: InstanceId,
    /// The order that its mark names.
    pub launch: Option<LaunchId>,
    /// Its state.
    pub state: State,
    /// It is about to be taken back, or was.
    pub notice: bool,
    /// Why it ended, in the cloud's words, where it gives any.
    pub says: Option<String>,
    /// Its address in the network.
    pub private_ip: Option<IpAddr>,
    /// What it was made from.
    pub image: String,
}

/// What a cloud is asked for. All of it is written down before, so that it is asked for again in the same words.
#[derive(Clone)]
pub struct Order {
    /// The order's identity: the token, and the mark.
    pub launch: LaunchId,
    /// Where it is to come from.
    pub pool: Pool,
    /// What it is to be made from.
    pub image: String,
    /// What its machine reads when it boots. It lets one machine join, so that nobody else should read it.
    pub user_data: String,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({}, {}, {})", self.launch, self.pool, self.image)
    }
}

/// A cloud gave no instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Refused {
    /// What that means.
    pub refusal: Refusal,
    /// The cloud's words.
    pub says: String,
}
