//! A fleet on AWS: the one crate that names its SDK. What is decided here is pure and always compiled; what calls AWS
//! is behind the features `sdk` and `fleet`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod bake;
pub mod control;
pub mod dns;
#[cfg(feature = "fleet")]
pub mod entrance;
pub mod failure;
pub mod fleet;
pub mod setup;

#[cfg(feature = "sdk")]
mod call;
#[cfg(feature = "sdk")]
mod clients;
#[cfg(feature = "sdk")]
mod pace;
#[cfg(feature = "sdk")]
mod reading;

#[cfg(feature = "sdk")]
pub use call::Of;
#[cfg(feature = "sdk")]
pub use clients::{Clients, Place};
