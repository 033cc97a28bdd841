//! Names of the platform in a hosted zone of Route 53: alias records to its load balancers. Records have no tags; ours are weighted
//! ones, alone under their names, because those carry an identifier, which says whose they are. Route 53 itself then refuses a name that
//! somebody else has a record of.

#[cfg(feature = "fleet")]
mod keep;
#[cfg(feature = "sdk")]
mod zone;
mod zone_id;

#[cfg(feature = "fleet")]
pub use keep::Names;
#[cfg(feature = "sdk")]
pub(crate) use zone::{check, has_names, remove_names, zone_of};
pub use zone_id::{ZoneId, ZoneIdError};

/// The tag of the launch template that says in which hosted zone the control plane keeps names.
#[cfg(feature = "sdk")]
pub(crate) const ZONE_TAG: &str = "paas:dns-zone";
