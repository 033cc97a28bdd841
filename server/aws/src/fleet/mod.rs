//! Hosts that are EC2 instances: a [`cloud::Cloud`] on the SDK. It does as it is told and says what there is; which
//! instances there should be is decided in `model::instances`.
//!
//! Where and how they are started is found by the tags of the set-up. An instance of ours bears the platform's tag and that
//! of its order from the call that makes it, so that none is ever lost sight of, and none of somebody else's is ended.

mod refusal;

#[cfg(feature = "fleet")]
mod control;
#[cfg(feature = "fleet")]
mod ec2;
#[cfg(feature = "fleet")]
mod end;
#[cfg(feature = "fleet")]
mod ground;
#[cfg(feature = "fleet")]
mod order;
#[cfg(feature = "fleet")]
mod sight;

pub use refusal::refusal;

#[cfg(feature = "fleet")]
pub use ec2::Ec2;

/// The tag that says which order an instance was started by.
pub const LAUNCH_TAG: &str = "paas:launch";
