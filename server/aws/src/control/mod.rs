//! The machine of the control plane: what it is told, whether there is one, and how it is asked for. There is one of a platform,
//! found by its tags, so that asking can be cut off anywhere and begun again.

#[cfg(any(feature = "sdk", test))]
mod address;
mod certificates;
mod recipe;
mod seen;

#[cfg(feature = "sdk")]
mod carry;
#[cfg(feature = "sdk")]
mod ground;
#[cfg(feature = "sdk")]
mod look;
#[cfg(feature = "sdk")]
mod order;
#[cfg(feature = "sdk")]
mod upkeep;

pub use certificates::{Certificates, NoCertificate};
pub use recipe::{Recipe, RecipeError};
pub use seen::{Machine, Next, Seen, State, next};

#[cfg(feature = "sdk")]
pub use carry::{ControlError, Progress, start};
#[cfg(feature = "sdk")]
pub use ground::Ground;
#[cfg(feature = "sdk")]
pub(crate) use look::controls;
#[cfg(feature = "sdk")]
pub use look::look;
#[cfg(feature = "sdk")]
pub use upkeep::{Backup, Bucket, bucket, restart};

/// The value of the tag `paas:part` of the machine, of its disk, and of its way in at the load balancer.
#[cfg(feature = "sdk")]
pub(crate) const CONTROL_PART: &str = "control-plane";
