//! The hands of a fleet whose hosts are a cloud's instances: each turn reads what is written down and what the cloud says,
//! asks `model::instances` what to do, writes that down, and only then does it. Which cloud it is, and what its calls look
//! like, is behind [`Cloud`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod entrance;

mod calls;
mod causes;
mod fleet;
mod ledger;
mod provider;
mod sight;

pub use causes::Causes;
pub use fleet::{Fleet, FleetError, Recipe, Surroundings};
pub use ledger::{Ledger, SETTINGS, find_costs, find_ground, find_settings, set_ground, set_settings};
pub use provider::{Cloud, Listed, Order, Refused, Site};
