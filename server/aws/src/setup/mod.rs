//! The set-up of a platform on AWS: what there should be, what there is, and the steps between. It is found by tags,
//! so that it can be interrupted anywhere and begun again; nothing is kept on the machine that runs it.

mod bill;
mod found;
mod group_rules;
mod name;
mod part;
mod plan;
mod policies;
mod site;
mod wish;

#[cfg(feature = "sdk")]
mod allowed;
#[cfg(feature = "sdk")]
mod carry;
#[cfg(feature = "sdk")]
mod footing;
#[cfg(feature = "sdk")]
mod led;
#[cfg(feature = "sdk")]
mod look;
#[cfg(feature = "sdk")]
mod make;
#[cfg(feature = "sdk")]
mod remove;
#[cfg(feature = "sdk")]
mod settle;
#[cfg(feature = "sdk")]
mod way_out;

pub use bill::{bill, bill_found, ground, host_bill};
pub use found::{Adopted, Found, Leftover, Piece};
pub use group_rules::{Rule, Source};
pub use name::{ClusterName, ClusterNameError};
pub use part::{Part, Who};
pub use plan::{Action, Step, plan, removal, used_surplus};
pub use policies::{Names, POLICIES, Policy};
pub use site::{HostSubnet, Site};
pub use wish::{Egress, Entrance, Network, Setting, Wish, WishError};

#[cfg(feature = "sdk")]
pub use carry::{Progress, Stopped, down, up};
#[cfg(feature = "sdk")]
pub(crate) use footing::Footing;
#[cfg(feature = "sdk")]
pub use footing::{Asked, NoFooting};
#[cfg(feature = "sdk")]
pub use look::first_zones;
#[cfg(feature = "sdk")]
pub(crate) use look::ours;
#[cfg(feature = "fleet")]
pub(crate) use look::part_of;
#[cfg(feature = "sdk")]
pub(crate) use look::{default_version, newest_image};
#[cfg(feature = "sdk")]
pub(crate) use settle::bear;
#[cfg(feature = "sdk")]
pub use settle::{Patience, look, look_before_leaving};

/// The tag that says which platform something belongs to.
pub const CLUSTER_TAG: &str = "paas:cluster";

/// The tag that says which part of its set-up something is.
pub const PART_TAG: &str = "paas:part";
